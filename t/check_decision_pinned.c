/*
 * Checks decision where the virtual host names the tenant: the file's owner
 * and path are the kernel's business.
 */
#include "decision_rows.h"
#include "suites.h"

static const struct decision_row rows[] = {
    {"the tenant's file",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(TENANT, TENANT)},
     RUNS(TENANT, TENANT)},
    {"a stranger's file: the kernel decides",
     {PINNED_HOST, FILE_OF(STRANGER, STRANGER), ON(foreign_path)},
     {USUAL, PINNED(TENANT, GROUP_A)},
     RUNS(TENANT, GROUP_A)},
    {"root's file",
     {PINNED_HOST, ROOTS},
     {USUAL, PINNED(TENANT, TENANT)},
     RUNS(TENANT, TENANT)},
    {"root's file, only read",
     {PINNED_HOST, ROOTS, READ},
     {USUAL, PINNED(TENANT, TENANT)},
     RUNS(TENANT, TENANT)},
    {"not there yet, in root's folder",
     {PINNED_HOST, FOLDER_OF(0, 0), ON(root_path)},
     {USUAL, PINNED(TENANT, TENANT)},
     RUNS(TENANT, TENANT)},
    {"no path was walked",
     {PINNED_HOST, FILE_OF(TENANT, TENANT)},
     {USUAL, PINNED(TENANT, TENANT)},
     RUNS(TENANT, TENANT)},

    {"uid 0",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(0, TENANT)},
     REFUSED(ROOT, 0, TENANT)},
    {"gid 0",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(TENANT, 0)},
     REFUSED(ROOT, TENANT, 0)},
    {"uid 0, enabled, but below the minimum",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(0, 0), ROOT_ON},
     REFUSED(MINIMUM, 0, 0)},
    {"uid 0, enabled, no minimum",
     {PINNED_HOST, OWN},
     {MIN(0, 0), PINNED(0, 0), ROOT_ON},
     RUNS(0, 0)},

    {"uid below the minimum",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(99, TENANT)},
     REFUSED(MINIMUM, 99, TENANT)},
    {"gid below the minimum",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(TENANT, 99)},
     REFUSED(MINIMUM, TENANT, 99)},
    {"at the minimum",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(100, 100)},
     RUNS(100, 100)},
    {"the default is not for pinned tenants",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(99, 99), AS_DEFAULT(DEFAULT, DEFAULT)},
     REFUSED(MINIMUM, 99, 99)},

    {"the file has suexec's ids",
     {PINNED_HOST, OWN, SUEXEC(TENANT, TENANT)},
     {USUAL, PINNED(TENANT, TENANT), SUEXEC_ON},
     RUNS(TENANT, TENANT)},
    {"the file has not suexec's uid",
     {PINNED_HOST, OWN, SUEXEC(STRANGER, TENANT)},
     {USUAL, PINNED(TENANT, TENANT), SUEXEC_ON},
     REFUSED(SUEXEC, TENANT, TENANT)},
    {"the file has not suexec's gid",
     {PINNED_HOST, OWN, SUEXEC(TENANT, STRANGER)},
     {USUAL, PINNED(TENANT, TENANT), SUEXEC_ON},
     REFUSED(SUEXEC, TENANT, TENANT)},
    {"no suexec ids known",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(TENANT, TENANT), SUEXEC_ON},
     REFUSED(SUEXEC, TENANT, TENANT)},
    {"not suexec's ids, unasked",
     {PINNED_HOST, OWN, SUEXEC(STRANGER, STRANGER)},
     {USUAL, PINNED(TENANT, TENANT)},
     RUNS(TENANT, TENANT)},
    {"not there yet: no suexec ids to compare",
     {PINNED_HOST, FOLDER_OF(0, 0), SUEXEC(STRANGER, STRANGER)},
     {USUAL, PINNED(TENANT, TENANT), SUEXEC_ON},
     RUNS(TENANT, TENANT)},

    {"all is wrong: root is named",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(0, 99), SUEXEC_ON},
     REFUSED(ROOT, 0, 99)},
    {"without root: the minimum is named",
     {PINNED_HOST, OWN},
     {USUAL, PINNED(99, 99), SUEXEC_ON},
     REFUSED(MINIMUM, 99, 99)},
};

START_TEST(pinned)
{
    check_decision_row(&rows[_i]);
}
END_TEST

Suite *decision_pinned_suite(void)
{
    Suite *suite = suite_create("decision: pinned");
    TCase *tc = tcase_create("pinned");

    tcase_add_loop_test(tc, pinned, 0, (int)ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
