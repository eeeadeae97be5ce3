/*
 * Checks spawn where the thread that starts a program is said to be the tenant
 * already: on the running kernel, as root. Where it is not, whole and for
 * ever, nothing runs.
 */
#include "privilege.h"
#include "spawning.h"
#include "suites.h"
#include "support.h"

#include <errno.h>
#include <string.h>

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const gid_t others[] = {GROUP_A, STRANGER};
static const struct ps_identity tenant = {TENANT, TENANT, 2, two_groups};

static void nothing(void)
{
}

static void raise_both(void)
{
    ck_assert_int_eq(change_caps(SWITCHING, SWITCHING, 0), 0);
}

static void lose_all(void)
{
    ck_assert_int_eq(change_caps(0, 0, 0), 0);
}

static void take_files(void)
{
    ck_assert_int_eq(ps_fs_take(&ps_kernel, &tenant).step, PS_STEP_NONE);
}

static void drop_to(uid_t uid, gid_t gid, size_t ngroups, const gid_t *groups)
{
    const struct ps_identity who = {uid, gid, ngroups, groups};

    ck_assert_int_eq(ps_drop(&ps_kernel, &who).step, PS_STEP_NONE);
}

static void be_the_tenant(void)
{
    drop_to(TENANT, TENANT, 2, two_groups);
}

static void be_another(void)
{
    drop_to(STRANGER, TENANT, 2, two_groups);
}

static void be_of_another_gid(void)
{
    drop_to(TENANT, STRANGER, 2, two_groups);
}

static void be_of_other_groups(void)
{
    drop_to(TENANT, TENANT, 2, others);
}

static void be_of_no_groups(void)
{
    drop_to(TENANT, TENANT, 0, NULL);
}

/* As ps_drop() would, if it forgot one thing each. */
static void change_ids(uid_t real, uid_t effective, uid_t saved)
{
    raise_both();
    ck_assert_int_eq(ps_kernel.setgroups(2, two_groups), 0);
    ck_assert_int_eq(ps_kernel.setresgid(TENANT, TENANT, TENANT), 0);
    ck_assert_int_eq(ps_kernel.setresuid(real, effective, saved), 0);
}

static void keep_effective(void)
{
    change_ids(TENANT, TENANT, TENANT);
}

static void keep_permitted(void)
{
    change_ids(TENANT, TENANT, TENANT);
    ck_assert_int_eq(change_caps(SWITCHING, 0, 0), 0);
}

static void keep_inheritable(void)
{
    change_ids(TENANT, TENANT, TENANT);
    ck_assert_int_eq(change_caps(0, 0, SWITCHING), 0);
}

static void keep_saved_uid(void)
{
    change_ids(TENANT, TENANT, SERVER);
    lose_all();
}

static void keep_real_uid(void)
{
    change_ids(SERVER, TENANT, TENANT);
    lose_all();
}

static const struct row
{
    const char *name;
    void (*prepare)(void);
    bool already; /* said to be */
    enum ps_step step;
    int err;
} rows[] = {
    {"the tenant's", be_the_tenant, true, PS_STEP_NONE, 0},
    {"the tenant's, not said to be", be_the_tenant, false, PS_STEP_RAISE,
     EPERM},
    {"the server's, not said to be", nothing, false, PS_STEP_NONE, 0},
    {"the server's", nothing, true, PS_STEP_READ_IDS, 0},
    {"the server's, without capabilities", lose_all, true, PS_STEP_READ_IDS, 0},
    {"the server's, capabilities effective", raise_both, true, PS_STEP_RETURN,
     0},
    {"one that reaches files as the tenant", take_files, true, PS_STEP_READ_IDS,
     0},
    {"another tenant's", be_another, true, PS_STEP_READ_IDS, 0},
    {"of another gid", be_of_another_gid, true, PS_STEP_READ_IDS, 0},
    {"of other groups", be_of_other_groups, true, PS_STEP_READ_GROUPS, 0},
    {"of no groups", be_of_no_groups, true, PS_STEP_READ_GROUPS, 0},
    {"capabilities left effective", keep_effective, true, PS_STEP_RETURN, 0},
    {"capabilities left permitted", keep_permitted, true, PS_STEP_READ_CAPS, 0},
    {"capabilities left inheritable", keep_inheritable, true, PS_STEP_READ_CAPS,
     0},
    {"the saved uid left", keep_saved_uid, true, PS_STEP_READ_IDS, 0},
    {"the real uid left", keep_real_uid, true, PS_STEP_READ_IDS, 0},
};

START_TEST(already)
{
    static struct start start;
    static struct snapshot before, after;
    const struct row *row = &rows[_i];

    become_narrow_server();
    row->prepare();
    start.program = report_program(&tenant);
    start.program.already = row->already;
    take_snapshot(&before);
    run_program(&start);
    take_snapshot(&after);
    assert_start(row->name, &start, row->step, row->err);
    assert_same(row->name, &before, &after);
    assert_no_child(row->name);
}
END_TEST

Suite *spawn_already_suite(void)
{
    Suite *suite = suite_create("spawn: already the tenant");
    TCase *tc = tcase_create("already");

    tcase_add_unchecked_fixture(tc, spawning_begin, spawning_end);
    add_as_root(tc, already, ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
