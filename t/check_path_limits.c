/*
 * Checks path: the limits of a walk, each met and then passed by one, and
 * when two files are the same.
 */
#include "path.h"
#include "suites.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct entry entries[] = {
    {"d", S_IFDIR, 0755, 30001, 30001, NULL},
    {"d/f", S_IFREG, 0644, 30001, 30001, NULL},
};

/* {}/link0 is a symlink to {}/d, and every later one to the one before. */
#define LINKS 42

static void add_link(const char *name, const char *target)
{
    struct entry entry = {name, S_IFLNK, 0777, 30001, 30001, target};

    ck_assert_msg(tree_add(&entry), "%s: not made", name);
}

/* `word`, as often as it fits into so many characters. */
static const char *repeated(const char *word, size_t characters)
{
    static char text[2 * PATH_MAX];
    size_t n = strlen(word);

    text[0] = '\0';
    for (size_t i = 0; n > 0 && i + n <= characters; i += n) {
        memcpy(text + i, word, n + 1);
    }
    return text;
}

static void setup_tree(void)
{
    char name[32];
    char target[2 * PATH_MAX] = "d";

    ck_assert_msg(tree_begin(), "no folder under /tmp");
    for (size_t i = 0; i < ROWS(entries); i++) {
        ck_assert_msg(tree_add(&entries[i]), "%s: not made", entries[i].path);
    }
    for (int i = 0; i < LINKS; i++) {
        snprintf(name, sizeof(name), "link%d", i);
        add_link(name, target);
        snprintf(target, sizeof(target), "%s", name);
    }
    /* As long as a symlink can be, and the one after it as long again. */
    snprintf(target, sizeof(target), "d/%s", repeated("./", PATH_MAX - 4));
    add_link("long", target);
    snprintf(target, sizeof(target), "long/%s", repeated("./", PATH_MAX - 8));
    add_link("longer", target);
}

/* A path: what it starts with, and so many times a word after it. */
static const struct row
{
    const char *name;
    const char *start;
    const char *word;
    size_t times;
    int err;
    size_t length; /* behind the tree's root */
} rows[] = {
    {"40 symlinks", "{}/link39", "", 0, 0, 41},
    {"41 symlinks", "{}/link40", "", 0, ELOOP, 0},
    {"20 and 20 symlinks", "{}/link19/../link19/", "", 0, 0, 43},
    {"20 and 21 symlinks", "{}/link19/../link20/", "", 0, ELOOP, 0},

    {"a name of 255", "{}/", "x", 255, ENOENT, 0},
    {"a name of 256", "{}/", "x", 256, ENAMETOOLONG, 0},
    {"a name of 256 behind a folder not there", "{}/none/", "x", 256, ENOENT,
     0},
    {"a name of 5000", "{}/", "x", 5000, ENAMETOOLONG, 0},

    {"a long symlink", "{}/long/f", "", 0, 0, 3},
    {"a long symlink to a long symlink", "{}/longer/f", "", 0, 0, 4},
    {"the same in a long path: too long", "{}/longer/", "./", 1900,
     ENAMETOOLONG, 0},
};

static const char *path_of(const struct row *row, char out[TREE_PATH_MAX])
{
    size_t n = strlen(tree_path(out, row->start));

    snprintf(out + n, TREE_PATH_MAX - n, "%s",
             repeated(row->word, row->times * strlen(row->word)));
    return out;
}

/* Components from / to the tree's root. */
static size_t way_length(void)
{
    size_t n = 1;

    for (const char *c = tree_root(); *c; c++) {
        n += *c == '/';
    }
    return n;
}

static int walk(const char *name, const char *path, struct ps_path *got)
{
    int err = walk_opening_nothing(path, got);

    ck_assert_msg(err != 0 || got->length <= PS_PATH_MAX, "%s: %zu", name,
                  got->length);
    return err;
}

START_TEST(limits)
{
    const struct row *row = &rows[_i];
    static struct ps_path got;
    char path[TREE_PATH_MAX];
    int err = walk(row->name, path_of(row, path), &got);

    ck_assert_msg(err == row->err, "%s: %s", row->name, strerror(err));
    ck_assert_msg(err != 0 || got.length == way_length() + row->length,
                  "%s: %zu components", row->name, got.length);
}
END_TEST

/* ---- lengths that depend on how long the tree's own path is ---- */

/* A path of exactly so many characters. */
static void assert_length(const char *name, size_t length, int want)
{
    static struct ps_path got;
    char path[TREE_PATH_MAX];
    size_t n = strlen(tree_path(path, "{}/d/"));
    int err;

    memset(path + n, '/', length - n);
    path[length] = '\0';
    err = walk(name, path, &got);
    ck_assert_msg(err == want, "%s: %s", name, strerror(err));
}

START_TEST(path_length)
{
    assert_length("a path of 4095", PATH_MAX - 1, 0);
    assert_length("a path of 4096", PATH_MAX, ENAMETOOLONG);
    assert_length("a path of 10000", 10000, ENAMETOOLONG);
}
END_TEST

/* Down and up again until there are so many components. */
static void assert_components(const char *name, size_t components, int want)
{
    static struct ps_path got;
    char path[TREE_PATH_MAX];
    size_t n = strlen(tree_path(path, "{}"));
    int err;

    for (size_t i = way_length(); i < components; i++) {
        n += (size_t)sprintf(path + n, (i - way_length()) % 2 ? "/.." : "/d");
    }
    err = walk(name, path, &got);
    ck_assert_msg(err == want, "%s: %s", name, strerror(err));
    ck_assert_msg(err != 0 || got.length == components, "%s: %zu", name,
                  got.length);
}

START_TEST(path_components)
{
    assert_components("127 components", PS_PATH_MAX - 1, 0);
    assert_components("128 components", PS_PATH_MAX, 0);
    assert_components("129 components", PS_PATH_MAX + 1, ENAMETOOLONG);
    assert_components("500 components", 500, ENAMETOOLONG);
}
END_TEST

/* ---- the same file ---- */

static const struct same_row
{
    const char *name;
    struct stat a, b;
    bool same;
} same_rows[] = {
    {"the same",
     {.st_dev = 1, .st_ino = 2, .st_uid = 3},
     {.st_dev = 1, .st_ino = 2, .st_uid = 3},
     true},
    {"another device",
     {.st_dev = 1, .st_ino = 2, .st_uid = 3},
     {.st_dev = 9, .st_ino = 2, .st_uid = 3},
     false},
    {"another inode",
     {.st_dev = 1, .st_ino = 2, .st_uid = 3},
     {.st_dev = 1, .st_ino = 9, .st_uid = 3},
     false},
    {"another owner",
     {.st_dev = 1, .st_ino = 2, .st_uid = 3},
     {.st_dev = 1, .st_ino = 2, .st_uid = 9},
     false},
    {"written to meanwhile",
     {.st_dev = 1, .st_ino = 2, .st_uid = 3, .st_size = 4, .st_mtime = 5},
     {.st_dev = 1, .st_ino = 2, .st_uid = 3, .st_size = 9, .st_mtime = 9},
     true},
};

START_TEST(same_file)
{
    const struct same_row *row = &same_rows[_i];

    ck_assert_msg(ps_same_file(&row->a, &row->b) == row->same, "%s", row->name);
    ck_assert_msg(ps_same_file(&row->b, &row->a) == row->same,
                  "%s: not so the other way round", row->name);
}
END_TEST

Suite *path_limits_suite(void)
{
    Suite *suite = suite_create("path: limits");
    TCase *tc = tcase_create("limits");

    tcase_add_unchecked_fixture(tc, setup_tree, tree_end);
    tcase_add_loop_test(tc, limits, 0, (int)ROWS(rows));
    tcase_add_test(tc, path_length);
    tcase_add_test(tc, path_components);
    tcase_add_loop_test(tc, same_file, 0, (int)ROWS(same_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
