/*
 * Checks decision in owner mode, what comes after the ids: suexec's ids, the
 * path rule, and which reason is named where several hold.
 */
#include "decision_rows.h"
#include "suites.h"

static const struct decision_row rows[] = {
    {"suexec's ids",
     {OWN, SUEXEC(TENANT, TENANT)},
     {USUAL, SUEXEC_ON},
     RUNS(TENANT, TENANT)},
    {"not suexec's uid",
     {OWN, SUEXEC(STRANGER, TENANT)},
     {USUAL, SUEXEC_ON},
     REFUSED(SUEXEC, TENANT, TENANT)},
    {"not suexec's gid",
     {OWN, SUEXEC(TENANT, STRANGER)},
     {USUAL, SUEXEC_ON},
     REFUSED(SUEXEC, TENANT, TENANT)},
    {"no suexec ids known",
     {OWN, .suexec_uid = TENANT, .suexec_gid = TENANT},
     {USUAL, SUEXEC_ON},
     REFUSED(SUEXEC, TENANT, TENANT)},
    {"not suexec's ids, unasked",
     {OWN, SUEXEC(STRANGER, STRANGER)},
     {USUAL},
     RUNS(TENANT, TENANT)},
    {"not there yet, not suexec's ids",
     {FOLDER_OF(TENANT, TENANT), ON(own_path), SUEXEC(STRANGER, STRANGER)},
     {USUAL, SUEXEC_ON},
     REFUSED(SUEXEC, TENANT, TENANT)},
    {"root's file, only read, suexec's ids asked for",
     {ROOTS, READ, SUEXEC(TENANT, TENANT)},
     {USUAL, SUEXEC_ON},
     REFUSED(ROOT, 0, 0)},
    {"root's file as the default, not suexec's ids",
     {ROOTS, SUEXEC(DEFAULT, DEFAULT)},
     {USUAL, SUEXEC_ON, AS_DEFAULT(DEFAULT, DEFAULT)},
     REFUSED(SUEXEC, 0, 0)},
    {"as the default, suexec's ids are the file's",
     {FILE_OF(99, 99), ON(daemon_path), SUEXEC(99, 99)},
     {USUAL, SUEXEC_ON, AS_DEFAULT(DEFAULT, DEFAULT)},
     RUNS(DEFAULT, DEFAULT)},

    {"a stranger's folder on the way",
     {FILE_OF(TENANT, TENANT), ON(foreign_path)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 2)},
    {"a folder on the way that others may write",
     {FILE_OF(TENANT, TENANT), ON(open_path)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_OTHERS_WRITE, 1)},
    {"a folder on the way that a group may write",
     {FILE_OF(TENANT, TENANT), ON(group_path)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_GROUP_WRITES, 1)},
    {"the same, the file's own group",
     {FILE_OF(TENANT, STRANGER), ON(group_path)},
     {USUAL},
     RUNS(TENANT, STRANGER)},
    {"path rule, not there yet",
     {FOLDER_OF(TENANT, TENANT), ON(foreign_path)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 2)},
    {"path rule, only read",
     {FILE_OF(TENANT, TENANT), ON(foreign_path), READ},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 2)},
    {"no path was walked",
     {FILE_OF(TENANT, TENANT)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 0)},
    {"a stranger's folder, path rule off",
     {FILE_OF(TENANT, TENANT), ON(foreign_path)},
     {MIN(100, 100)},
     RUNS(TENANT, TENANT)},

    {"all is wrong: root is named",
     {FILE_OF(0, 99), ON(foreign_path)},
     {USUAL, SUEXEC_ON},
     REFUSED(ROOT, 0, 99)},
    {"without root: the minimum is named",
     {FILE_OF(99, 99), ON(foreign_path)},
     {USUAL, SUEXEC_ON},
     REFUSED(MINIMUM, 99, 99)},
    {"above the minimum: suexec is named",
     {FILE_OF(TENANT, TENANT), ON(foreign_path)},
     {USUAL, SUEXEC_ON},
     REFUSED(SUEXEC, TENANT, TENANT)},
    {"suexec's ids: the path is named",
     {FILE_OF(TENANT, TENANT), ON(foreign_path), SUEXEC(TENANT, TENANT)},
     {USUAL, SUEXEC_ON},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 2)},
    {"a default of root is named before suexec",
     {FILE_OF(99, 99), ON(foreign_path)},
     {USUAL, SUEXEC_ON, AS_DEFAULT(0, 0)},
     REFUSED(ROOT, 0, 0)},
};

START_TEST(owner)
{
    check_decision_row(&rows[_i]);
}
END_TEST

Suite *decision_owner_suite(void)
{
    Suite *suite = suite_create("decision: owner");
    TCase *tc = tcase_create("owner");

    tcase_add_loop_test(tc, owner, 0, (int)ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
