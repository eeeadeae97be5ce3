/*
 * Checks what privilege answers to the question as whom a thread reaches
 * files, on the running kernel, as root.
 */
#include "privilege.h"
#include "suites.h"
#include "support.h"

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const gid_t other_groups[] = {GROUP_A, STRANGER};
static const gid_t three_groups[] = {GROUP_A, GROUP_B, STRANGER};

/* ---- ids and groups ---- */

static const struct is_row
{
    const char *name;
    struct ps_identity who;
    bool want;
} is_rows[] = {
    {"the file-system identity", {TENANT, GROUP_A, 2, two_groups}, true},
    {"the effective identity", {SERVER, SERVER, 2, two_groups}, false},
    {"another gid", {TENANT, SERVER, 2, two_groups}, false},
    {"another uid", {SERVER, GROUP_A, 2, two_groups}, false},
    {"no groups", {TENANT, GROUP_A, 0, NULL}, false},
    {"its own group alone", {TENANT, GROUP_A, 1, two_groups}, false},
    {"as many groups, others", {TENANT, GROUP_A, 2, other_groups}, false},
    {"one group more", {TENANT, GROUP_A, 3, three_groups}, false},
};

START_TEST(is)
{
    const struct is_row *row = &is_rows[_i];

    become_server_of(2, two_groups);
    ck_assert_int_eq(change_caps(SWITCHING, SWITCHING, 0), 0);
    ps_kernel.setfsgid(GROUP_A);
    ps_kernel.setfsuid(TENANT);
    ck_assert_int_eq(change_caps(SWITCHING, 0, 0), 0);
    ck_assert_msg(ps_fs_is(&ps_kernel, &row->who) == row->want, "%s",
                  row->name);
    ck_assert_msg(ps_fs_is(&ps_kernel, &is_rows[0].who),
                  "%s: asking changed it", row->name);
}
END_TEST

/* ---- capabilities: the effective ones alone matter ---- */

static const struct held_row
{
    const char *name;
    unsigned permitted, effective, inheritable;
    bool want;
} held_rows[] = {
    {"none effective", SWITCHING, 0, 0, true},
    {"none at all", 0, 0, 0, true},
    {"inheritable", SWITCHING, 0, SWITCHING, true},
    {"CAP_SETUID effective", SWITCHING, 1U << CAP_SETUID, 0, false},
    {"CAP_SETGID effective", SWITCHING, 1U << CAP_SETGID, 0, false},
    {"another effective", 1U << CAP_CHOWN, 1U << CAP_CHOWN, 0, false},
};

START_TEST(is_with)
{
    const struct held_row *row = &held_rows[_i];
    const struct ps_identity own = {SERVER, SERVER, 2, two_groups};

    become_server_of(own.ngroups, own.groups);
    ck_assert_int_eq(
        change_caps(row->permitted, row->effective, row->inheritable), 0);
    ck_assert_msg(ps_fs_is(&ps_kernel, &own) == row->want, "%s", row->name);
}
END_TEST

Suite *fs_is_suite(void)
{
    Suite *suite = suite_create("file-system identity: asking");
    TCase *tc = tcase_create("fs_is");

    add_as_root(tc, is, ROWS(is_rows));
    add_as_root(tc, is_with, ROWS(held_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
