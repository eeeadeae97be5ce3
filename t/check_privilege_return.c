/*
 * Checks privilege on the running kernel, as root: a tenant's thread tries
 * every way back, and each is refused for want of the privilege, and for no
 * other reason: each is open to a thread of the server's that raises what it
 * may.
 */
#include "privilege.h"
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const gid_t two_groups[] = {GROUP_A, GROUP_B};

static int to_uid(unsigned id)
{
    return (int)syscall(SYS_setresuid, id, id, id);
}

static int to_effective_uid(unsigned id)
{
    return (int)syscall(SYS_setresuid, -1, id, -1);
}

static int to_gid(unsigned id)
{
    return (int)syscall(SYS_setresgid, id, id, id);
}

static int to_effective_gid(unsigned id)
{
    return (int)syscall(SYS_setresgid, -1, id, -1);
}

static int to_group(unsigned id)
{
    gid_t group = id;

    return (int)syscall(SYS_setgroups, 1, &group);
}

/* These two say nothing: who the thread is tells. */
static int to_fsuid(unsigned id)
{
    syscall(SYS_setfsuid, id);
    errno = EPERM;
    return (unsigned)syscall(SYS_setfsuid, -1) == id ? 0 : -1;
}

static int to_fsgid(unsigned id)
{
    syscall(SYS_setfsgid, id);
    errno = EPERM;
    return (unsigned)syscall(SYS_setfsgid, -1) == id ? 0 : -1;
}

static int raise_effective(unsigned bits)
{
    return change_caps(bits, bits, 0);
}

static int raise_permitted(unsigned bits)
{
    return change_caps(bits, 0, 0);
}

static int raise_inheritable(unsigned bits)
{
    return change_caps(0, 0, bits);
}

static const struct way_row
{
    const char *name;
    int (*way)(unsigned);
    unsigned arg;
} way_rows[] = {
    {"to root", to_uid, 0},
    {"to the server", to_uid, SERVER},
    {"to another tenant", to_uid, STRANGER},
    {"effectively to root", to_effective_uid, 0},
    {"effectively to the server", to_effective_uid, SERVER},
    {"to root's group", to_gid, 0},
    {"to the server's group", to_gid, SERVER},
    {"to a group of its own", to_gid, GROUP_A},
    {"effectively to the server's group", to_effective_gid, SERVER},
    {"to root's groups", to_group, 0},
    {"to the server's groups", to_group, SERVER},
    {"to its own groups, less", to_group, GROUP_A},
    {"to root's files", to_fsuid, 0},
    {"to the server's files", to_fsuid, SERVER},
    {"to the files of the server's group", to_fsgid, SERVER},
    {"CAP_SETUID effective", raise_effective, 1U << CAP_SETUID},
    {"CAP_SETGID effective", raise_effective, 1U << CAP_SETGID},
    {"CAP_SETUID permitted", raise_permitted, 1U << CAP_SETUID},
    {"CAP_SETUID inheritable", raise_inheritable, 1U << CAP_SETUID},
};

struct attempt
{
    const struct way_row *row;
    int result, err;
};

static void try_way(void *data)
{
    struct attempt *attempt = data;

    attempt->result = attempt->row->way(attempt->row->arg);
    attempt->err = errno;
}

START_TEST(no_way_back)
{
    struct ps_identity who = {TENANT, TENANT, 2, two_groups};
    struct attempt attempt = {.row = &way_rows[_i]};

    become_narrow_server();
    ck_assert(ps_run_as(&who, try_way, &attempt).done);
    ck_assert_msg(attempt.result == -1, "%s: open", attempt.row->name);
    ck_assert_msg(attempt.err == EPERM, "%s: closed, but: %s",
                  attempt.row->name, strerror(attempt.err));
}
END_TEST

/* The allowed twins, or the above shows nothing. */
START_TEST(ways_are_ways)
{
    const struct way_row *row = &way_rows[_i];

    become_server();
    ck_assert_int_eq(change_caps(SWITCHING, SWITCHING, 0), 0);
    ck_assert_msg(row->way(row->arg) == 0, "%s: closed to everybody",
                  row->name);
}
END_TEST

Suite *privilege_return_suite(void)
{
    Suite *suite = suite_create("privilege: return");
    TCase *tc = tcase_create("return");

    add_as_root(tc, no_way_back, ROWS(way_rows));
    add_as_root(tc, ways_are_ways, ROWS(way_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
