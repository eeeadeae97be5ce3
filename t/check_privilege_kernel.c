/*
 * Checks privilege on the running kernel, as root: what /proc says of a child
 * after narrowing, of a tenant's thread after the drop, and of the threads
 * beside it. Not what the code believes.
 */
#include "caps.h"
#include "privilege.h"
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const gid_t two_groups[] = {GROUP_A, GROUP_B};

/* ---- narrowing ---- */

static int say_ambient_success(int option, unsigned long arg)
{
    return option == PR_CAP_AMBIENT ? 0 : ps_kernel.prctl(option, arg);
}

static const gid_t further[] = {SERVER, GROUP_A, GROUP_B, STRANGER};

static const struct narrow_row
{
    const char *name;
    size_t ngroups; /* before */
    const gid_t *groups;
    size_t left;       /* of them, afterwards */
    bool dumpable;     /* before */
    bool ambient;      /* before */
    bool ambient_lies; /* clearing it does nothing */
} narrow_rows[] = {
    {"a child as it is", 1, further, .left = 0},
    {"CoreDumpDirectory had made it dumpable", 1, further, .dumpable = true},
    {"a capability was inheritable and ambient", 1, further, .ambient = true},
    {"the same, and clearing it does nothing", 1, further, .ambient = true,
     .ambient_lies = true},
    {"no groups", 0, NULL, .left = 0},
    {"its own group and another", 2, further, .left = 2},
    {"its own group and more", 4, further, .left = 4},
    {"another group alone", 1, two_groups, .left = 1},
    {"two other groups", 2, two_groups, .left = 2},
};

START_TEST(narrow)
{
    const struct narrow_row *row = &narrow_rows[_i];
    const unsigned chown_too = (unsigned)SWITCHING | 1U << CAP_CHOWN;
    const struct ps_identity want = {SERVER, SERVER, row->left, row->groups};
    struct ps_kernel k = ps_kernel;
    struct status status;

    become_server_of(row->ngroups, row->groups);
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, row->dumpable), 0);
    if (row->ambient) {
        ck_assert_int_eq(change_caps(chown_too, 0, 1U << CAP_CHOWN), 0);
        ck_assert_int_eq(
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), 0);
        ck_assert_uint_ne(my_status().ambient, 0);
    }
    if (row->ambient_lies) {
        k.prctl = say_ambient_success;
    }
    ck_assert_int_eq(ps_narrow(&k).step, PS_STEP_NONE);
    status = my_status();
    assert_reaches_as(row->name, &status, &want);
    ck_assert_msg(prctl(PR_GET_KEEPCAPS) == 0, "%s: keepcaps", row->name);
    ck_assert_msg(prctl(PR_GET_DUMPABLE) == 0, "%s: dumpable", row->name);
    ck_assert_msg(change_caps(chown_too, 0, 0) == -1 && errno == EPERM,
                  "%s: more can be had again", row->name);
    ck_assert_msg(ps_may_switch(), "%s: may switch no more", row->name);
}
END_TEST

/* ---- the drop, in a thread ---- */

static const struct drop_row
{
    const char *name;
    struct ps_identity who;
} drop_rows[] = {
    {"a tenant with groups", {TENANT, TENANT, 2, two_groups}},
    {"a tenant without groups", {TENANT, TENANT, 0, NULL}},
    {"a tenant with another group", {TENANT, GROUP_A, 1, two_groups}},
    {"the server's own user", {SERVER, SERVER, 0, NULL}},
    {"the server's user with another group", {SERVER, TENANT, 0, NULL}},
    {"another user with the server's group", {TENANT, SERVER, 0, NULL}},
    {"the highest ids", {4294967294U, 4294967294U, 0, NULL}},
    {"root, by the operator's word", {0, 0, 0, NULL}},
};

/* What a tenant's thread sees of itself and of the others. */
struct view
{
    char waiting_file[64];
    char beside_file[64];
    bool read;
    struct status own, waiting, beside;
    int dumpable;
};

static void look(void *data)
{
    struct view *view = data;

    view->read = read_status("/proc/thread-self/status", &view->own)
                 && read_status(view->waiting_file, &view->waiting)
                 && read_status(view->beside_file, &view->beside);
    view->dumpable = prctl(PR_GET_DUMPABLE);
}

START_TEST(drop)
{
    const struct drop_row *row = &drop_rows[_i];
    const struct ps_identity *who = &row->who;
    struct bystander bystander;
    struct view view = {.read = false};
    struct ps_errand_result result;
    struct status after;

    become_narrow_server();
    start_bystander(&bystander);
    status_file(view.waiting_file, gettid());
    status_file(view.beside_file, bystander.tid);
    result = ps_run_as(who, look, &view);
    ck_assert_msg(result.done, "%s: %s: %s", row->name,
                  ps_step_name(result.drop.step), strerror(result.drop.err));
    ck_assert_msg(view.read, "%s: no status", row->name);
    ck_assert_msg(
        status_is(&view.own, who->uid, who->gid, who->ngroups, who->groups),
        "%s: uids %u %u %u %u, gid %u, %zu groups", row->name, view.own.uid[0],
        view.own.uid[1], view.own.uid[2], view.own.uid[3], view.own.gid[0],
        view.own.ngroups);
    ck_assert_msg(view.own.inheritable == 0 && view.own.permitted == 0
                      && view.own.effective == 0 && view.own.ambient == 0,
                  "%s: capabilities", row->name);
    ck_assert_msg(view.dumpable == 0, "%s: dumpable", row->name);
    assert_reaches_as("the waiting thread, meanwhile", &view.waiting, &server);
    assert_reaches_as("the thread beside it, meanwhile", &view.beside, &server);
    end_bystander(&bystander);
    after = my_status();
    assert_reaches_as("the waiting thread, afterwards", &after, &server);
    assert_reaches_as("the thread beside it, afterwards", &bystander.last,
                      &server);
    ck_assert_msg(prctl(PR_GET_DUMPABLE) == 0, "%s: dumpable", row->name);
}
END_TEST

/* One thread waits for many tenants, one after the other. */
START_TEST(drops_in_turn)
{
    become_narrow_server();
    for (unsigned i = 0; i < 20; i++) {
        struct ps_identity who = {TENANT + i, TENANT - i, i % 3, two_groups};
        struct view view = {.read = false};
        struct status after;

        who.ngroups = i % 3;
        status_file(view.waiting_file, gettid());
        status_file(view.beside_file, gettid());
        ck_assert(ps_run_as(&who, look, &view).done);
        ck_assert(view.read);
        ck_assert_msg(
            status_is(&view.own, who.uid, who.gid, who.ngroups, who.groups),
            "tenant %u", i);
        after = my_status();
        assert_reaches_as("the waiting thread, in turn", &after, &server);
    }
}
END_TEST

/* httpd that was started with -DBIG_SECURITY_HOLE, and a tenant that is root.
 */
START_TEST(root_from_root)
{
    struct ps_identity who = {0, 0, 0, NULL};
    struct view view = {.read = false};

    ck_assert_int_eq(ps_narrow(&ps_kernel).step, PS_STEP_NONE);
    status_file(view.waiting_file, gettid());
    status_file(view.beside_file, gettid());
    ck_assert(ps_run_as(&who, look, &view).done);
    ck_assert(status_is(&view.own, 0, 0, 0, NULL));
    ck_assert_uint_eq(view.own.permitted, 0);
}
END_TEST

/* ---- what may be handed out ---- */

static const struct may_row
{
    const char *name;
    unsigned permitted;
    bool want;
} may_rows[] = {
    {"both", 1U << CAP_SETUID | 1U << CAP_SETGID, true},
    {"both and another", 1U << CAP_SETUID | 1U << CAP_SETGID | 1U, true},
    {"CAP_SETUID alone", 1U << CAP_SETUID, false},
    {"CAP_SETGID alone", 1U << CAP_SETGID, false},
    {"others", 1U << CAP_CHOWN | 1U << CAP_KILL, false},
    {"none", 0, false},
};

START_TEST(may_switch)
{
    const struct may_row *row = &may_rows[_i];

    ck_assert_int_eq(change_caps(row->permitted, 0, 0), 0);
    ck_assert_msg(ps_may_switch() == row->want, "%s", row->name);
}
END_TEST

static const struct none_row
{
    const char *name;
    unsigned permitted, effective, inheritable;
    bool want;
} none_rows[] = {
    {"none", 0, 0, 0, true},
    {"permitted", SWITCHING, 0, 0, false},
    {"effective", SWITCHING, SWITCHING, 0, false},
    {"inheritable", 0, 0, SWITCHING, false},
    {"the first one", 1, 0, 0, false},
    {"the last one of the first word", 1U << 31, 0, 0, false},
};

/* Of the second word: check_drop_faults.c; and all, here before it. */
START_TEST(none)
{
    const struct none_row *row = &none_rows[_i];

    ck_assert(!ps_caps_are_none(&ps_kernel));
    ck_assert_int_eq(
        change_caps(row->permitted, row->effective, row->inheritable), 0);
    ck_assert_msg(ps_caps_are_none(&ps_kernel) == row->want, "%s", row->name);
    ck_assert_msg(ps_caps_are_idle(&ps_kernel) == (row->effective == 0),
                  "%s: idle", row->name);
}
END_TEST

/* Needs no root: each step has a name of its own, for the log. */
START_TEST(step_names)
{
    for (int i = PS_STEP_NONE; i <= PS_STEP_KILLED; i++) {
        ck_assert_ptr_nonnull(ps_step_name((enum ps_step)i));
        for (int j = PS_STEP_NONE; j < i; j++) {
            ck_assert_str_ne(ps_step_name((enum ps_step)i),
                             ps_step_name((enum ps_step)j));
        }
    }
    ck_assert_str_eq(ps_step_name((enum ps_step)4711), "an unknown step");
}
END_TEST

Suite *privilege_kernel_suite(void)
{
    Suite *suite = suite_create("privilege: kernel");
    TCase *tc = tcase_create("kernel");

    tcase_add_test(tc, step_names);
    add_as_root(tc, narrow, ROWS(narrow_rows));
    add_as_root(tc, drop, ROWS(drop_rows));
    add_as_root(tc, drops_in_turn, 1);
    add_as_root(tc, root_from_root, 1);
    add_as_root(tc, may_switch, ROWS(may_rows));
    add_as_root(tc, none, ROWS(none_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
