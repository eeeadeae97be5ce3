/*
 * Checks path: symlinks that make a name longer than what was asked for, or
 * lead up again. Each walk is compared with the kernel's own stat(2).
 */
#include "path.h"
#include "suites.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define UPS_PAST 20    /* of "past": more than there are folders above */
#define UPS_MOST 1364  /* as many "../" as a symlink can hold */
#define GROWN_PAIRS 15 /* of "grown", each a name of 255 and a ".." */

static const struct entry entries[] = {
    {"d", S_IFDIR, 0755, 30001, 30001, NULL},
    {"d/f", S_IFREG, 0644, 30002, 30002, NULL},
    {"d/e", S_IFDIR, 0755, 30003, 30003, NULL},
    {"d/e/g", S_IFREG, 0644, 30004, 30004, NULL},
    {"to-e", S_IFLNK, 0777, 30001, 30001, "d/e"},
    {"over", S_IFLNK, 0777, 30001, 30001, "d/e/../../d/./e/../f"},
    {"round", S_IFLNK, 0777, 30001, 30001, "{}/d/../d/e/.."},
    {"aside", S_IFLNK, 0777, 30001, 30001, "to-e/../f"},
    {"above", S_IFLNK, 0777, 30001, 30001, "/../..{}/d"},
    {"misled", S_IFLNK, 0777, 30001, 30001, "d/f/../f"},
    {"lost", S_IFLNK, 0777, 30001, 30001, "none/../d"},
};

/* Components from / to the tree's root. */
static size_t way_length(void)
{
    size_t n = 1;

    for (const char *c = tree_root(); *c; c++) {
        n += *c == '/';
    }
    return n;
}

static void add_link(const char *name, const char *target)
{
    struct entry entry = {name, S_IFLNK, 0777, 30001, 30001, target};

    ck_assert_msg(tree_add(&entry), "%s: not made", name);
}

/* A symlink of so many times a word, and then an end. */
static void add_repeating(const char *name, const char *word, size_t times,
                          const char *end)
{
    char target[2 * PATH_MAX] = "";
    size_t n = 0;

    for (size_t i = 0; i < times; i++) {
        n += (size_t)snprintf(target + n, sizeof(target) - n, "%s", word);
    }
    snprintf(target + n, sizeof(target) - n, "%s", end);
    add_link(name, target);
}

/* So many "../" that a walk through the symlink has just 128 components. */
static size_t ups_that_fit(void)
{
    return PS_PATH_MAX - way_length() - 1;
}

static const char *long_name(char out[NAME_MAX + 1])
{
    memset(out, 'L', NAME_MAX);
    out[NAME_MAX] = '\0';
    return out;
}

/* A file's name that makes the walked name through "grown" so long. */
static const char *last_name(char out[NAME_MAX + 1], size_t length)
{
    size_t n = strlen(tree_root()) + 1 + GROWN_PAIRS * (NAME_MAX + 4);

    ck_assert_msg(n < length && length - n <= NAME_MAX, "%s: too long",
                  tree_root());
    memset(out, 'x', length - n);
    out[length - n] = '\0';
    return out;
}

static void setup_tree(void)
{
    char name[NAME_MAX + 1];
    char pair[NAME_MAX + 5];
    struct entry folder = {name, S_IFDIR, 0755, 30001, 30001, NULL};
    struct entry file = {name, S_IFREG, 0644, 30001, 30001, NULL};

    ck_assert_msg(tree_begin(), "no folder under /tmp");
    for (size_t i = 0; i < ROWS(entries); i++) {
        ck_assert_msg(tree_add(&entries[i]), "%s: not made", entries[i].path);
    }
    add_repeating("past", "../", UPS_PAST, "{}/d");
    add_repeating("most", "../", UPS_MOST, "");
    add_repeating("fits", "../", ups_that_fit(), "");
    add_repeating("fits-not", "../", ups_that_fit() + 1, "");

    long_name(name);
    ck_assert_msg(tree_add(&folder), "the long name: not made");
    snprintf(pair, sizeof(pair), "%s/../", name);
    add_repeating("grown", pair, GROWN_PAIRS, "");
    for (size_t length = PATH_MAX - 1; length <= PATH_MAX; length++) {
        last_name(name, length);
        ck_assert_msg(tree_add(&file), "a file of %zu: not made", length);
    }
}

/* What a walk says; where it succeeds it ends where the kernel does. */
static void assert_walk(const char *name, const char *path, int want,
                        size_t length)
{
    static struct ps_path got;
    struct stat st;
    int err = walk_opening_nothing(path, &got);

    ck_assert_msg(err == want, "%s: %s", name, strerror(err));
    if (err == 0) {
        ck_assert_msg(got.length == length, "%s: %zu components", name,
                      got.length);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_msg(ps_same_file(&got.end, &st), "%s: ends elsewhere", name);
    }
}

/* ---- ".." in symlinks ---- */

static const struct row
{
    const char *name;
    const char *path;
    int err;
    size_t ways;   /* how often it goes from / to the tree's root, and */
    size_t length; /* how many other components there are */
} rows[] = {
    {"many of them in a relative symlink", "{}/over", 0, 1, 9},
    {"many of them in an absolute symlink", "{}/round/f", 0, 2, 7},
    {"behind a symlink: out of what it leads to", "{}/aside", 0, 1, 6},
    {"after a symlink: out of what it leads to", "{}/to-e/../f", 0, 1, 5},
    {"above / in an absolute symlink", "{}/above/f", 0, 2, 5},
    /* Down again to the tree it goes without the first "/", so one less. */
    {"past / in a relative symlink", "{}/past/f", 0, 2, UPS_PAST + 2},
    {"as many as a symlink can hold", "{}/most", ENAMETOOLONG, 0, 0},
    {"of a file", "{}/misled", ENOTDIR, 0, 0},
    {"of a folder not there", "{}/lost", ENOENT, 0, 0},
    {"of a symlink to a file", "{}/over/..", ENOTDIR, 0, 0},
};

START_TEST(upwards)
{
    const struct row *row = &rows[_i];
    char path[TREE_PATH_MAX];

    assert_walk(row->name, tree_path(path, row->path), row->err,
                row->ways * way_length() + row->length);
}
END_TEST

START_TEST(upwards_length)
{
    char path[TREE_PATH_MAX];

    assert_walk("128 components", tree_path(path, "{}/fits"), 0, PS_PATH_MAX);
    assert_walk("129 components", tree_path(path, "{}/fits-not"), ENAMETOOLONG,
                0);
}
END_TEST

/* ---- names that grow ---- */

/* The path is short, and the kernel follows it: what is walked is long. */
static void assert_grown(const char *name, size_t length, int want)
{
    char path[TREE_PATH_MAX];
    char last[NAME_MAX + 1];
    size_t n = strlen(tree_path(path, "{}/grown/"));
    struct stat st;

    snprintf(path + n, sizeof(path) - n, "%s", last_name(last, length));
    ck_assert_msg(stat(path, &st) == 0, "%s: not there", name);
    assert_walk(name, path, want, way_length() + 1 + 2 * GROWN_PAIRS + 1);
}

START_TEST(grown)
{
    assert_grown("a name that grows to 4095", PATH_MAX - 1, 0);
    assert_grown("a name that grows to 4096", PATH_MAX, ENAMETOOLONG);
}
END_TEST

/* Further on, by a component that would not even begin below the limit. */
START_TEST(grown_twice)
{
    char path[TREE_PATH_MAX];
    struct stat st;

    tree_path(path, "{}/grown/grown/d/f");
    ck_assert_int_eq(stat(path, &st), 0);
    assert_walk("grown twice", path, ENAMETOOLONG, 0);
    /* From / on the name is a new one, and short. */
    tree_path(path, "{}/grown/round/f");
    assert_walk("grown, and from / again", path, 0,
                2 * way_length() + 2 * GROWN_PAIRS + 1 + 7);
}
END_TEST

Suite *path_growth_suite(void)
{
    Suite *suite = suite_create("path: growth");
    TCase *tc = tcase_create("growth");

    tcase_add_unchecked_fixture(tc, setup_tree, tree_end);
    tcase_add_loop_test(tc, upwards, 0, (int)ROWS(rows));
    tcase_add_test(tc, upwards_length);
    tcase_add_test(tc, grown);
    tcase_add_test(tc, grown_twice);
    suite_add_tcase(suite, tc);
    return suite;
}
