/*
 * Checks the path rule: nobody but root, the target uid and the target gid
 * may be able to change what a path leads to. TENANT is the target.
 */
#include "decision.h"
#include "suites.h"
#include "support.h"

#include <sys/stat.h>

#define DIR_OF(u, g, mode)                                                     \
    {                                                                          \
        (u), (g), S_IFDIR | (mode), "dir"                                      \
    }
#define FILE_OF(u, g, mode)                                                    \
    {                                                                          \
        (u), (g), S_IFREG | (mode), "file"                                     \
    }
#define LINK_OF(u, g)                                                          \
    {                                                                          \
        (u), (g), S_IFLNK | 0777, "link"                                       \
    }
#define ROOT_DIR DIR_OF(0, 0, 0755)
#define OWN_DIR DIR_OF(TENANT, TENANT, 0755)
#define OWN_FILE FILE_OF(TENANT, TENANT, 0644)

static const struct row
{
    const char *name;
    size_t length;
    struct ps_component path[4];
    enum ps_distrust want;
    size_t bad;
} rows[] = {
    {"root's folders, then the target's",
     4,
     {ROOT_DIR, ROOT_DIR, OWN_DIR, OWN_FILE},
     PS_TRUSTED,
     0},
    {"all root's", 3, {ROOT_DIR, ROOT_DIR, FILE_OF(0, 0, 0644)}, PS_TRUSTED, 0},
    {"root's folder below the target's",
     4,
     {ROOT_DIR, OWN_DIR, ROOT_DIR, OWN_FILE},
     PS_TRUSTED,
     0},
    {"no path", 0, {ROOT_DIR}, PS_FOREIGN_OWNER, 0},
    {"only /", 1, {ROOT_DIR}, PS_TRUSTED, 0},

    {"/ is a stranger's",
     2,
     {DIR_OF(STRANGER, 0, 0755), OWN_FILE},
     PS_FOREIGN_OWNER,
     0},
    {"a folder is a stranger's",
     3,
     {ROOT_DIR, DIR_OF(STRANGER, TENANT, 0755), OWN_FILE},
     PS_FOREIGN_OWNER,
     1},
    {"the file is a stranger's",
     3,
     {ROOT_DIR, OWN_DIR, FILE_OF(STRANGER, TENANT, 0644)},
     PS_FOREIGN_OWNER,
     2},
    {"a stranger whose uid is the target's gid",
     2,
     {ROOT_DIR, DIR_OF(GROUP_A, TENANT, 0755)},
     PS_FOREIGN_OWNER,
     1},
    {"a stranger's sticky folder",
     3,
     {ROOT_DIR, DIR_OF(STRANGER, STRANGER, 01777), OWN_FILE},
     PS_FOREIGN_OWNER,
     1},
    {"a stranger's folder of mode 0",
     3,
     {ROOT_DIR, DIR_OF(STRANGER, STRANGER, 0), OWN_FILE},
     PS_FOREIGN_OWNER,
     1},

    {"others write root's folder",
     3,
     {ROOT_DIR, DIR_OF(0, 0, 0757), OWN_FILE},
     PS_OTHERS_WRITE,
     1},
    {"others write the target's folder",
     3,
     {ROOT_DIR, DIR_OF(TENANT, TENANT, 0757), OWN_FILE},
     PS_OTHERS_WRITE,
     1},
    {"others write the file",
     3,
     {ROOT_DIR, OWN_DIR, FILE_OF(TENANT, TENANT, 0646)},
     PS_OTHERS_WRITE,
     2},
    {"others write, but not search, a folder",
     3,
     {ROOT_DIR, DIR_OF(0, 0, 0752), OWN_FILE},
     PS_OTHERS_WRITE,
     1},
    {"others write root's sticky folder",
     3,
     {ROOT_DIR, DIR_OF(0, 0, 01777), OWN_FILE},
     PS_TRUSTED,
     0},
    {"others write the target's sticky folder",
     3,
     {ROOT_DIR, DIR_OF(TENANT, TENANT, 01777), OWN_FILE},
     PS_TRUSTED,
     0},
    {"others write a file with the sticky bit",
     3,
     {ROOT_DIR, OWN_DIR, FILE_OF(TENANT, TENANT, 01646)},
     PS_OTHERS_WRITE,
     2},
    {"a folder in a sticky one that others write",
     3,
     {DIR_OF(0, 0, 01777), DIR_OF(0, 0, 0777), OWN_FILE},
     PS_OTHERS_WRITE,
     1},
    {"others and a group write: others are named",
     2,
     {ROOT_DIR, DIR_OF(0, STRANGER, 0777)},
     PS_OTHERS_WRITE,
     1},

    {"the target's group writes a folder",
     3,
     {ROOT_DIR, DIR_OF(0, GROUP_A, 0775), OWN_FILE},
     PS_TRUSTED,
     0},
    {"another group writes a folder",
     3,
     {ROOT_DIR, DIR_OF(TENANT, STRANGER, 0775), OWN_FILE},
     PS_GROUP_WRITES,
     1},
    {"root's group writes a folder",
     3,
     {ROOT_DIR, DIR_OF(0, 0, 0775), OWN_FILE},
     PS_GROUP_WRITES,
     1},
    {"a group of the target's uid writes a folder",
     3,
     {ROOT_DIR, DIR_OF(TENANT, TENANT, 0775), OWN_FILE},
     PS_GROUP_WRITES,
     1},
    {"another group reads a folder",
     3,
     {ROOT_DIR, DIR_OF(TENANT, STRANGER, 0755), OWN_FILE},
     PS_TRUSTED,
     0},
    {"another group writes a sticky folder",
     3,
     {ROOT_DIR, DIR_OF(0, STRANGER, 01775), OWN_FILE},
     PS_TRUSTED,
     0},
    {"the target's group writes the file",
     3,
     {ROOT_DIR, OWN_DIR, FILE_OF(TENANT, GROUP_A, 0664)},
     PS_TRUSTED,
     0},
    {"another group writes the file",
     3,
     {ROOT_DIR, OWN_DIR, FILE_OF(TENANT, STRANGER, 0664)},
     PS_GROUP_WRITES,
     2},

    {"the target's symlink",
     3,
     {ROOT_DIR, LINK_OF(TENANT, TENANT), OWN_FILE},
     PS_TRUSTED,
     0},
    {"root's symlink of another group",
     3,
     {ROOT_DIR, LINK_OF(0, STRANGER), OWN_FILE},
     PS_TRUSTED,
     0},
    {"a stranger's symlink",
     3,
     {ROOT_DIR, LINK_OF(STRANGER, TENANT), OWN_FILE},
     PS_FOREIGN_OWNER,
     1},
    {"a stranger's symlink in a sticky folder",
     3,
     {DIR_OF(0, 0, 01777), LINK_OF(STRANGER, STRANGER), OWN_FILE},
     PS_FOREIGN_OWNER,
     1},
    {"the target's symlink in a folder that others write",
     3,
     {DIR_OF(0, 0, 0777), LINK_OF(TENANT, TENANT), OWN_FILE},
     PS_OTHERS_WRITE,
     0},

    {"two are bad: the first is named",
     4,
     {ROOT_DIR, DIR_OF(0, 0, 0777), DIR_OF(STRANGER, 0, 0755), OWN_FILE},
     PS_OTHERS_WRITE,
     1},
    {"what stands behind the end is not looked at",
     2,
     {ROOT_DIR, OWN_FILE, DIR_OF(STRANGER, 0, 0777)},
     PS_TRUSTED,
     0},
};

START_TEST(path_rule)
{
    const struct row *row = &rows[_i];
    size_t bad = 99;
    enum ps_distrust got =
        ps_judge_path(row->path, row->length, TENANT, GROUP_A, &bad);

    ck_assert_msg(got == row->want, "%s: distrust %d, not %d", row->name,
                  (int)got, (int)row->want);
    ck_assert_msg(bad == row->bad, "%s: at %zu, not %zu", row->name, bad,
                  row->bad);
}
END_TEST

Suite *decision_path_suite(void)
{
    Suite *suite = suite_create("decision: path rule");
    TCase *tc = tcase_create("path rule");

    tcase_add_loop_test(tc, path_rule, 0, (int)ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
