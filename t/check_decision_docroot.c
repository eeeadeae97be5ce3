/*
 * Checks decision about a document root (PSUserGroup docroot): whom a folder
 * makes the tenant, and for what it is refused.
 */
#include "decision_rows.h"
#include "suites.h"

#include <sys/stat.h>

#define TOP                                                                    \
    {                                                                          \
        0, 0, S_IFDIR | 0755, "/"                                              \
    }
#define AS(u, g, mode, name)                                                   \
    {                                                                          \
        (u), (g), (mode), (name)                                               \
    }
#define END AS(TENANT, TENANT, S_IFDIR | 0755, "site")

static const struct ps_component site_path[] = {
    TOP, AS(0, 0, S_IFDIR | 0755, "home"), END};
static const struct ps_component foreign_way[] = {
    TOP, AS(STRANGER, STRANGER, S_IFDIR | 0755, "home"), END};
static const struct ps_component foreign_link[] = {
    TOP, AS(STRANGER, STRANGER, S_IFLNK | 0777, "link"), END};
static const struct ps_component root_link[] = {
    TOP, AS(0, 0, S_IFLNK | 0777, "link"), END};
static const struct ps_component sticky_way[] = {
    TOP, AS(0, 0, S_IFDIR | 01777, "tmp"), END};
static const struct ps_component foreign_sticky_way[] = {
    TOP, AS(STRANGER, 0, S_IFDIR | 01777, "tmp"), END};
static const struct ps_component open_site[] = {
    TOP, AS(TENANT, TENANT, S_IFDIR | 0777, "site")};

static const struct ps_component sticky_site[] = {
    TOP, AS(TENANT, TENANT, S_IFDIR | 01777, "site")};
static const struct ps_component sticky_group_site[] = {
    TOP, AS(TENANT, STRANGER, S_IFDIR | 01775, "site")};
static const struct ps_component roots_group_site[] = {
    TOP, AS(0, STRANGER, S_IFDIR | 0775, "site")};

#define SITE FILE_OF(TENANT, TENANT), ON(site_path)

static const struct decision_row rows[] = {
    {"a tenant's folder", {SITE}, {USUAL}, RUNS(TENANT, TENANT)},
    {"of another group",
     {FILE_OF(TENANT, STRANGER), ON(site_path)},
     {USUAL},
     RUNS(TENANT, STRANGER)},

    {"root's folder", {ROOTS}, {USUAL}, REFUSED(ROOT, 0, 0)},
    {"root's folder, only read", {ROOTS, READ}, {USUAL}, REFUSED(ROOT, 0, 0)},
    {"root's folder, not there",
     {FOLDER_OF(0, 0), ON(root_path)},
     {USUAL},
     REFUSED(ROOT, 0, 0)},
    {"root's folder, the path rule off",
     {ROOTS},
     {MIN(100, 100)},
     REFUSED(ROOT, 0, 0)},
    {"root's folder, no minimum",
     {ROOTS},
     {MIN(0, 0), .trusted_path = true},
     REFUSED(ROOT, 0, 0)},
    {"root's folder of a tenant's group",
     {FILE_OF(0, TENANT), ON(root_path)},
     {USUAL},
     REFUSED(ROOT, 0, TENANT)},
    {"a tenant's folder of root's group",
     {FILE_OF(TENANT, 0), ON(site_path)},
     {USUAL},
     REFUSED(ROOT, TENANT, 0)},
    {"root enabled, but not below the minimum",
     {ROOTS},
     {USUAL, ROOT_ON},
     REFUSED(MINIMUM, 0, 0)},
    {"root's group enabled, but not below the minimum",
     {FILE_OF(TENANT, 0), ON(site_path)},
     {USUAL, ROOT_ON},
     REFUSED(MINIMUM, TENANT, 0)},
    {"root enabled, no minimum",
     {ROOTS},
     {MIN(0, 0), ROOT_ON, .trusted_path = true},
     RUNS(0, 0)},
    {"root's group enabled, no minimum",
     {FILE_OF(TENANT, 0), ON(site_path)},
     {MIN(0, 0), ROOT_ON, .trusted_path = true},
     RUNS(TENANT, 0)},

    {"a uid below the minimum",
     {FILE_OF(99, TENANT), ON(daemon_path)},
     {USUAL},
     REFUSED(MINIMUM, 99, TENANT)},
    {"a gid below the minimum",
     {FILE_OF(TENANT, 99), ON(site_path)},
     {USUAL},
     REFUSED(MINIMUM, TENANT, 99)},
    {"the lowest ids",
     {FILE_OF(100, 100), ON(root_path)},
     {USUAL},
     RUNS(100, 100)},
    {"another minimum for each: the uid",
     {SITE},
     {MIN(TENANT + 1, TENANT), .trusted_path = true},
     REFUSED(MINIMUM, TENANT, TENANT)},
    {"another minimum for each: the gid",
     {SITE},
     {MIN(TENANT, TENANT + 1), .trusted_path = true},
     REFUSED(MINIMUM, TENANT, TENANT)},
    {"a minimum that it just meets",
     {SITE},
     {MIN(TENANT, TENANT), .trusted_path = true},
     RUNS(TENANT, TENANT)},
    {"a default does not help",
     {FILE_OF(99, 99), ON(daemon_path)},
     {USUAL, AS_DEFAULT(DEFAULT, DEFAULT)},
     REFUSED(MINIMUM, 99, 99)},
    {"a default does not help root",
     {ROOTS},
     {USUAL, AS_DEFAULT(DEFAULT, DEFAULT)},
     REFUSED(ROOT, 0, 0)},
    {"not suexec's ids, which are not asked for",
     {SITE, SUEXEC(STRANGER, STRANGER)},
     {USUAL, SUEXEC_ON},
     RUNS(TENANT, TENANT)},

    {"anybody may add to it, if not take away",
     {FILE_OF(TENANT, TENANT), ON(sticky_site)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_OTHERS_WRITE, 1)},
    {"another group may",
     {FILE_OF(TENANT, TENANT), ON(sticky_group_site)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_GROUP_WRITES, 1)},
    {"root's, root enabled, but a group may write",
     {FILE_OF(0, STRANGER), ON(roots_group_site)},
     {MIN(0, 0), ROOT_ON, .trusted_path = true},
     DISTRUSTED(0, 0, PS_GROUP_WRITES, 1)},

    {"a stranger's folder on the way",
     {FILE_OF(TENANT, TENANT), ON(foreign_way)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 1)},
    {"the same, the path rule off",
     {FILE_OF(TENANT, TENANT), ON(foreign_way)},
     {MIN(100, 100)},
     RUNS(TENANT, TENANT)},
    {"the same, a default",
     {FILE_OF(TENANT, TENANT), ON(foreign_way)},
     {USUAL, AS_DEFAULT(STRANGER, STRANGER)},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 1)},
    {"a stranger's symlink on the way",
     {FILE_OF(TENANT, TENANT), ON(foreign_link)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 1)},
    {"root's symlink on the way",
     {FILE_OF(TENANT, TENANT), ON(root_link)},
     {USUAL},
     RUNS(TENANT, TENANT)},
    {"the folder is a stranger's by now",
     {FILE_OF(TENANT, TENANT), ON(foreign_path)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 2)},
    {"a folder on the way that others may write",
     {FILE_OF(TENANT, TENANT), ON(open_path)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_OTHERS_WRITE, 1)},
    {"the same, the path rule off",
     {FILE_OF(TENANT, TENANT), ON(open_path)},
     {MIN(100, 100)},
     RUNS(TENANT, TENANT)},
    {"the same, sticky",
     {FILE_OF(TENANT, TENANT), ON(sticky_way)},
     {USUAL},
     RUNS(TENANT, TENANT)},
    {"sticky, but a stranger's",
     {FILE_OF(TENANT, TENANT), ON(foreign_sticky_way)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 1)},
    {"the folder itself: others may write",
     {FILE_OF(TENANT, TENANT), ON(open_site)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_OTHERS_WRITE, 1)},
    {"a folder on the way that a group may write",
     {FILE_OF(TENANT, TENANT), ON(group_path)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_GROUP_WRITES, 1)},
    {"the same, the folder's own group",
     {FILE_OF(TENANT, STRANGER), ON(group_path)},
     {USUAL},
     RUNS(TENANT, STRANGER)},
    {"the same, the path rule off",
     {FILE_OF(TENANT, TENANT), ON(group_path)},
     {MIN(100, 100)},
     RUNS(TENANT, TENANT)},
    {"no path was walked",
     {FILE_OF(TENANT, TENANT)},
     {USUAL},
     DISTRUSTED(TENANT, TENANT, PS_FOREIGN_OWNER, 0)},
    {"root enabled, a tenant's folder on the way",
     {FILE_OF(0, 0), ON(site_path)},
     {MIN(0, 0), ROOT_ON, .trusted_path = true},
     DISTRUSTED(0, 0, PS_FOREIGN_OWNER, 2)},

    {"all is wrong: root is named",
     {FILE_OF(0, 99), ON(foreign_way)},
     {USUAL},
     REFUSED(ROOT, 0, 99)},
    {"without root: the minimum is named",
     {FILE_OF(99, 99), ON(foreign_way)},
     {USUAL},
     REFUSED(MINIMUM, 99, 99)},
};

START_TEST(docroot)
{
    const struct decision_row *row = &rows[_i];

    check_verdict(row, ps_decide_docroot(&row->facts, &row->rules));
}
END_TEST

Suite *decision_docroot_suite(void)
{
    Suite *suite = suite_create("decision: docroot");
    TCase *tc = tcase_create("docroot");

    tcase_add_loop_test(tc, docroot, 0, (int)ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
