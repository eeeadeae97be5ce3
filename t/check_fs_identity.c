/*
 * Checks the file-system identity of privilege on the running kernel, as
 * root: what /proc says of a thread of the server's that reaches files as a
 * tenant, of the thread beside it, and of itself when it has given that back;
 * and which calls it takes.
 */
#include "privilege.h"
#include "suites.h"
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const gid_t other_groups[] = {GROUP_A, STRANGER};
static const gid_t tenant_group[] = {TENANT};
static const gid_t server_groups[] = {SERVER, GROUP_B, STRANGER};

/* ---- who a thread is, and is again ---- */

static const struct take_row
{
    const char *name;
    size_t further; /* groups that the server has, its own among them */
    struct ps_identity who;
    size_t ngroups; /* of who, as the kernel is to have them */
} take_rows[] = {
    {"no groups", 0, {TENANT, TENANT, 0, NULL}, 0},
    {"two groups", 0, {TENANT, TENANT, 2, two_groups}, 2},
    {"its own group alone", 0, {TENANT, TENANT, 1, tenant_group}, 0},
    {"another group alone", 0, {TENANT, TENANT, 1, two_groups}, 1},
    {"another gid", 0, {TENANT, GROUP_A, 0, NULL}, 0},
    {"the server's gid", 0, {TENANT, SERVER, 0, NULL}, 0},
    {"the server's uid", 0, {SERVER, TENANT, 0, NULL}, 0},
    {"the server itself", 0, {SERVER, SERVER, 0, NULL}, 0},
    {"the highest ids", 0, {4294967294U, 4294967294U, 0, NULL}, 0},
    {"root, by the operator's word", 0, {0, 0, 0, NULL}, 0},
    {"no groups, for three", 3, {TENANT, TENANT, 0, NULL}, 0},
    {"two groups, for three", 3, {TENANT, TENANT, 2, two_groups}, 2},
    {"the server's groups", 3, {TENANT, TENANT, 3, server_groups}, 3},
};

static void assert_me(const char *name, const struct ps_identity *who)
{
    struct status status = my_status();

    assert_reaches_as(name, &status, who);
    ck_assert_msg(prctl(PR_GET_DUMPABLE) == 0, "%s: dumpable", name);
}

static void assert_done(const char *name, struct ps_outcome outcome,
                        const struct ps_identity *who)
{
    ck_assert_msg(outcome.step == PS_STEP_NONE, "%s: %s: %s", name,
                  ps_step_name(outcome.step), strerror(outcome.err));
    ck_assert_msg(ps_fs_is(&ps_kernel, who), "%s: denied", name);
}

static void take(const char *name, const struct ps_identity *who)
{
    assert_done(name, ps_fs_take(&ps_kernel, who), who);
}

static void give_back(const char *name, const struct ps_identity *own)
{
    assert_done(name, ps_fs_give_back(&ps_kernel, own), own);
}

START_TEST(takes)
{
    const struct take_row *row = &take_rows[_i];
    const struct ps_identity own = {SERVER, SERVER, row->further,
                                    server_groups};
    struct ps_identity want = row->who;
    struct bystander bystander;
    struct status beside;
    char file[64];

    want.ngroups = row->ngroups;
    become_server_of(own.ngroups, own.groups);
    ck_assert_int_eq(ps_narrow(&ps_kernel).step, PS_STEP_NONE);
    assert_me("at first", &own);
    start_bystander(&bystander);
    status_file(file, bystander.tid);
    take(row->name, &row->who);
    assert_me(row->name, &want);
    ck_assert(read_status(file, &beside));
    assert_reaches_as("the thread beside it, meanwhile", &beside, &own);
    give_back(row->name, &own);
    assert_me("given back", &own);
    end_bystander(&bystander);
    assert_reaches_as("the thread beside it, afterwards", &bystander.last,
                      &own);
}
END_TEST

/* One thread, and many tenants: each of the rows above after each. */
START_TEST(takes_in_turn)
{
    become_narrow_server();
    for (size_t i = 0; i < ROWS(take_rows) * ROWS(take_rows); i++) {
        const struct take_row *rows[] = {&take_rows[i / ROWS(take_rows)],
                                         &take_rows[i % ROWS(take_rows)]};

        for (size_t j = 0; j < 2; j++) {
            struct ps_identity want = rows[j]->who;

            want.ngroups = rows[j]->ngroups;
            take(rows[j]->name, &rows[j]->who);
            assert_me(rows[j]->name, &want);
        }
    }
    give_back("the server", &server);
    assert_me("the server", &server);
}
END_TEST

/* ---- which calls it takes ---- */

static struct counts
{
    int capset;
    int setgroups;
    int setfs; /* -1, which only reads, left out */
    int others;
} counts;

static int count_capset(cap_user_header_t hdr, const cap_user_data_t data)
{
    counts.capset++;
    return ps_kernel.capset(hdr, data);
}

static int count_setgroups(size_t size, const gid_t *list)
{
    counts.setgroups++;
    return ps_kernel.setgroups(size, list);
}

static int count_setfsuid(uid_t uid)
{
    counts.setfs += uid != (uid_t)-1;
    return ps_kernel.setfsuid(uid);
}

static int count_setfsgid(gid_t gid)
{
    counts.setfs += gid != (gid_t)-1;
    return ps_kernel.setfsgid(gid);
}

static int count_setresid(unsigned r, unsigned e, unsigned s)
{
    (void)r;
    (void)e;
    (void)s;
    counts.others++;
    return 0;
}

static int count_unshare(int flags)
{
    (void)flags;
    counts.others++;
    return 0;
}

static int count_prctl(int option, unsigned long arg)
{
    counts.others += option != PR_GET_DUMPABLE;
    return ps_kernel.prctl(option, arg);
}

static struct ps_kernel counting_kernel(void)
{
    struct ps_kernel k = ps_kernel;

    k.capset = count_capset;
    k.setgroups = count_setgroups;
    k.setfsuid = count_setfsuid;
    k.setfsgid = count_setfsgid;
    k.setresuid = count_setresid;
    k.setresgid = count_setresid;
    k.unshare = count_unshare;
    k.prctl = count_prctl;
    return k;
}

static const struct count_row
{
    const char *name;
    struct ps_identity from, to;
    struct counts want;
    bool back;      /* by ps_fs_give_back() */
    bool effective; /* capabilities are, before it */
} count_rows[] = {
    {"no groups",
     {SERVER, SERVER, 0, NULL},
     {TENANT, TENANT, 0, NULL},
     .want = {2, 0, 2, 0}},
    {"groups",
     {SERVER, SERVER, 0, NULL},
     {TENANT, TENANT, 2, two_groups},
     .want = {2, 1, 2, 0}},
    {"back, no groups",
     {TENANT, TENANT, 0, NULL},
     {SERVER, SERVER, 0, NULL},
     .want = {0, 0, 2, 0},
     .back = true},
    {"back, its own group alone",
     {TENANT, TENANT, 1, tenant_group},
     {SERVER, SERVER, 0, NULL},
     .want = {0, 0, 2, 0},
     .back = true},
    {"back, groups",
     {TENANT, TENANT, 2, two_groups},
     {SERVER, SERVER, 0, NULL},
     .want = {2, 1, 2, 0},
     .back = true},
    {"back, as if to a tenant",
     {TENANT, TENANT, 0, NULL},
     {SERVER, SERVER, 0, NULL},
     .want = {2, 0, 2, 0}},
    {"back, and lower",
     {TENANT, TENANT, 0, NULL},
     {SERVER, SERVER, 0, NULL},
     .want = {2, 0, 2, 0},
     .back = true,
     .effective = true},
    {"to another tenant",
     {TENANT, TENANT, 2, two_groups},
     {STRANGER, STRANGER, 2, two_groups},
     .want = {2, 0, 2, 0}},
    {"other groups alone",
     {TENANT, TENANT, 2, two_groups},
     {TENANT, TENANT, 2, other_groups},
     .want = {2, 1, 2, 0}},
    {"no change: the server",
     {SERVER, SERVER, 0, NULL},
     {SERVER, SERVER, 0, NULL},
     .want = {0, 0, 0, 0}},
    {"no change: the server, back",
     {SERVER, SERVER, 0, NULL},
     {SERVER, SERVER, 0, NULL},
     .want = {0, 0, 0, 0},
     .back = true},
    {"no change, but lower: the server, back",
     {SERVER, SERVER, 0, NULL},
     {SERVER, SERVER, 0, NULL},
     .want = {2, 0, 2, 0},
     .back = true,
     .effective = true},
    {"no change, but lower",
     {TENANT, TENANT, 2, two_groups},
     {TENANT, TENANT, 2, two_groups},
     .want = {2, 0, 2, 0},
     .effective = true},
    {"no change",
     {TENANT, TENANT, 0, NULL},
     {TENANT, TENANT, 0, NULL},
     .want = {0, 0, 0, 0}},
    {"no change: groups",
     {TENANT, TENANT, 2, two_groups},
     {TENANT, TENANT, 2, two_groups},
     .want = {0, 0, 0, 0}},
    {"no change: its own group alone",
     {TENANT, TENANT, 1, tenant_group},
     {TENANT, TENANT, 1, tenant_group},
     .want = {0, 0, 0, 0}},
    {"no change: its own group or none",
     {TENANT, TENANT, 0, NULL},
     {TENANT, TENANT, 1, tenant_group},
     .want = {0, 0, 0, 0}},
};

START_TEST(calls)
{
    const struct count_row *row = &count_rows[_i];
    struct ps_kernel k = counting_kernel();

    become_narrow_server();
    take(row->name, &row->from);
    if (row->effective) {
        ck_assert_int_eq(change_caps(SWITCHING, SWITCHING, 0), 0);
    }
    assert_done(row->name,
                row->back ? ps_fs_give_back(&k, &row->to)
                          : ps_fs_take(&k, &row->to),
                &row->to);
    ck_assert_msg(counts.capset == row->want.capset, "%s: %d capset", row->name,
                  counts.capset);
    ck_assert_msg(counts.setgroups == row->want.setgroups, "%s: %d setgroups",
                  row->name, counts.setgroups);
    ck_assert_msg(counts.setfs == row->want.setfs,
                  "%s: %d setfsuid and setfsgid", row->name, counts.setfs);
    ck_assert_msg(counts.others == 0, "%s: %d others", row->name,
                  counts.others);
    ck_assert_msg(my_status().effective == 0, "%s: not lowered", row->name);
}
END_TEST

/* ---- reading, to come back to what was ---- */

START_TEST(reads)
{
    const struct take_row *row = &take_rows[_i];
    struct ps_kernel k = counting_kernel();
    struct ps_identity want = row->who;
    struct ps_fs_identity was;

    want.ngroups = row->ngroups;
    become_narrow_server();
    take(row->name, &row->who);
    ck_assert(ps_fs_read(&k, &was));
    ck_assert_msg(
        counts.capset + counts.setgroups + counts.setfs + counts.others == 0,
        "%s: reading changes something", row->name);
    assert_me(row->name, &want);
    ck_assert_msg(was.who.uid == want.uid && was.who.gid == want.gid,
                  "%s: uid %u, gid %u", row->name, was.who.uid, was.who.gid);
    ck_assert_msg(was.who.ngroups == want.ngroups, "%s: %zu groups", row->name,
                  was.who.ngroups);
    ck_assert_msg(want.ngroups == 0 ? was.who.groups == NULL
                                    : was.who.groups == was.list,
                  "%s: the list is elsewhere", row->name);
    give_back("the server", &server);
    take("another", &(struct ps_identity){STRANGER, STRANGER, 0, NULL});
    take(row->name, &was.who);
    assert_me(row->name, &want);
}
END_TEST

Suite *fs_identity_suite(void)
{
    Suite *suite = suite_create("file-system identity: kernel");
    TCase *tc = tcase_create("fs_identity");

    add_as_root(tc, takes, ROWS(take_rows));
    add_as_root(tc, takes_in_turn, 1);
    add_as_root(tc, calls, ROWS(count_rows));
    add_as_root(tc, reads, ROWS(take_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
