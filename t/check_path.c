/*
 * Checks path: what a walk reports of a tree of folders and symlinks, in
 * which order, where it ends, how it fails, and that it opens
 * nothing. The kernel's own stat(2) is asked for the same path each time.
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

#define LONG_NAME "a-name-that-is-longer-than-the-log-shows"
#define CUT_NAME "a-name-that-is-longer-than-the-"

static const struct entry entries[] = {
    {"site", S_IFDIR, 0751, 30001, 30011, NULL},
    {"site/page", S_IFREG, 0640, 30002, 30012, NULL},
    {"site/inner", S_IFDIR, 02711, 30003, 30013, NULL},
    {"site/inner/deep", S_IFREG, 04755, 30004, 30014, NULL},
    {"site/" LONG_NAME, S_IFREG, 0604, 30005, 30015, NULL},
    {"site/pipe", S_IFIFO, 0600, 30006, 30016, NULL},
    {"shared", S_IFDIR, 01777, 30007, 30017, NULL},
    {"closed", S_IFDIR, 0700, 30008, 30018, NULL},
    {"closed/secret", S_IFREG, 0644, 30009, 30019, NULL},

    {"site/relative", S_IFLNK, 0777, 30021, 30031, "inner/deep"},
    {"site/absolute", S_IFLNK, 0777, 30022, 30032, "{}/site/inner"},
    {"site/inner/upward", S_IFLNK, 0777, 30023, 30033, "../page"},
    {"shared/twice", S_IFLNK, 0777, 30024, 30034, "../site/relative"},
    {"shared/slashed", S_IFLNK, 0777, 30025, 30035, "..//site/"},
    {"shared/here", S_IFLNK, 0777, 30026, 30036, "."},
    {"shared/dangling", S_IFLNK, 0777, 30027, 30037, "nowhere"},
    {"shared/self", S_IFLNK, 0777, 30028, 30038, "self"},
    {"shared/ping", S_IFLNK, 0777, 30029, 30039, "pong"},
    {"shared/pong", S_IFLNK, 0777, 30030, 30040, "ping"},
    {"shared/top", S_IFLNK, 0777, 30041, 30051, "/"},
};

static const struct row
{
    const char *name;
    const char *path;
    int err;
    const char *seen; /* names, from the tree's root on */
} rows[] = {
    {"a file", "{}/site/page", 0, "site page"},
    {"a folder", "{}/site", 0, "site"},
    {"a sticky folder", "{}/shared", 0, "shared"},
    {"two folders deep", "{}/site/inner/deep", 0, "site inner deep"},
    {"a pipe, which is not waited for", "{}/site/pipe", 0, "site pipe"},
    {"a long name is cut", "{}/site/" LONG_NAME, 0, "site " CUT_NAME},
    {"the root itself", "{}", 0, ""},

    {"a slash at the end", "{}/site/", 0, "site"},
    {"slashes at the end", "{}/site/inner///", 0, "site inner"},
    {"double slashes", "{}//site///page", 0, "site page"},
    {"dots", "{}/./site/./page", 0, "site page"},
    {"a dot at the end", "{}/site/.", 0, "site"},
    {"upwards", "{}/site/inner/../page", 0, "site inner .. page"},
    {"three dots are a name", "{}/site/...", ENOENT, NULL},

    {"a relative symlink", "{}/site/relative", 0, "site relative inner deep"},
    {"an absolute symlink", "{}/site/absolute/deep", 0,
     "site absolute ^ site inner deep"},
    {"an absolute symlink at the end", "{}/site/absolute", 0,
     "site absolute ^ site inner"},
    {"a symlink upwards", "{}/site/inner/upward", 0,
     "site inner upward .. page"},
    {"a symlink to a symlink", "{}/shared/twice", 0,
     "shared twice .. site relative inner deep"},
    {"a symlink with slashes", "{}/shared/slashed/page", 0,
     "shared slashed .. site page"},
    {"a symlink to a folder, and a slash", "{}/site/absolute/", 0,
     "site absolute ^ site inner"},
    {"a symlink to its own folder", "{}/shared/here/here", 0,
     "shared here here"},
    {"two absolute symlinks", "{}/site/absolute/../absolute", 0,
     "site absolute ^ site inner .. absolute ^ site inner"},
    {"a symlink to /", "{}/shared/top{}/site", 0, "shared top ^ site"},

    {"not there", "{}/site/none", ENOENT, NULL},
    {"a folder not there", "{}/none/page", ENOENT, NULL},
    {"a dangling symlink", "{}/shared/dangling", ENOENT, NULL},
    {"a symlink to itself", "{}/shared/self", ELOOP, NULL},
    {"two symlinks to each other", "{}/shared/ping/x", ELOOP, NULL},
    {"a file as a folder", "{}/site/page/x", ENOTDIR, NULL},
    {"a file as a folder, upwards", "{}/site/page/..", ENOTDIR, NULL},
    {"a file as a folder, by a slash", "{}/site/page/", ENOTDIR, NULL},
    {"a file as a folder, by a dot", "{}/site/page/.", ENOTDIR, NULL},
    {"a symlink to a file, and a slash", "{}/site/relative/", ENOTDIR, NULL},
    {"a symlink to a file as a folder", "{}/site/relative/x", ENOTDIR, NULL},
    {"not absolute", "site/page", EINVAL, NULL},
    {"a dot before it", "./site", EINVAL, NULL},
    {"empty", "", EINVAL, NULL},
};

static void setup_tree(void)
{
    ck_assert_msg(tree_begin(), "no folder under /tmp");
    for (size_t i = 0; i < ROWS(entries); i++) {
        ck_assert_msg(tree_add(&entries[i]), "%s: not made", entries[i].path);
    }
}

/* What lstat(2) says of the tree's entry of this name, or of its root. */
static bool entry_of(const char *name, struct stat *st)
{
    for (size_t i = 0; i < ROWS(entries); i++) {
        const char *slash = strrchr(entries[i].path, '/');
        char path[256];
        char full[TREE_PATH_MAX];

        if (strncmp(slash ? slash + 1 : entries[i].path, name,
                    sizeof(CUT_NAME) - 1)
            == 0) {
            snprintf(path, sizeof(path), "{}/%s", entries[i].path);
            return lstat(tree_path(full, path), st) == 0;
        }
    }
    return false;
}

static void assert_component(const char *name, const struct ps_component *c,
                             const char *want, const struct stat *st)
{
    ck_assert_msg(strcmp(c->name, want) == 0, "%s: \"%s\", not \"%s\"", name,
                  c->name, want);
    ck_assert_msg(!st
                      || (c->uid == st->st_uid && c->gid == st->st_gid
                          && c->mode == st->st_mode),
                  "%s: %s: %u:%u %o", name, want, c->uid, c->gid, c->mode);
}

/* The components from / to the tree's root; the index behind them. */
static size_t assert_way(const char *name, const struct ps_path *got, size_t i)
{
    char path[PATH_MAX];
    char *rest = path;
    char *word;
    struct stat st;

    ck_assert_int_eq(lstat("/", &st), 0);
    ck_assert_msg(i < got->length, "%s: too short", name);
    assert_component(name, &got->component[i++], "/", &st);
    snprintf(path, sizeof(path), "%s", tree_root() + 1);
    while ((word = strsep(&rest, "/"))) {
        char so_far[PATH_MAX];

        snprintf(so_far, sizeof(so_far), "%.*s",
                 (int)(word + strlen(word) - path) + 1, tree_root());
        ck_assert_int_eq(lstat(so_far, &st), 0);
        ck_assert_msg(i < got->length, "%s: too short", name);
        assert_component(name, &got->component[i++], word, &st);
    }
    return i;
}

static void assert_seen(const struct row *row, const struct ps_path *got)
{
    char seen[256];
    char *rest = seen;
    char *word;
    size_t i = assert_way(row->name, got, 0);

    snprintf(seen, sizeof(seen), "%s", row->seen);
    while ((word = strsep(&rest, " "))) {
        struct stat st;

        if (strcmp(word, "^") == 0) {
            i = assert_way(row->name, got, i);
        }
        else if (*word) {
            ck_assert_msg(i < got->length, "%s: no %s", row->name, word);
            assert_component(row->name, &got->component[i++], word,
                             entry_of(word, &st) ? &st : NULL);
        }
    }
    ck_assert_msg(got->length == i, "%s: %zu components, not %zu", row->name,
                  got->length, i);
}

START_TEST(walk)
{
    const struct row *row = &rows[_i];
    char text[TREE_PATH_MAX];
    const char *path = tree_path(text, row->path);
    static struct ps_path got;
    struct stat st;
    int err = walk_opening_nothing(path, &got);

    ck_assert_msg(err == row->err, "%s: %s", row->name, strerror(err));
    if (err == 0) {
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_msg(ps_same_file(&got.end, &st), "%s: ends elsewhere",
                      row->name);
        ck_assert_msg(got.end.st_mode == st.st_mode, "%s: mode", row->name);
        assert_seen(row, &got);
    }
}
END_TEST

/* As another user: a folder that it may not search ends the walk. */
static const struct as_row
{
    const char *name;
    uid_t uid;
    const char *path;
    int err;
} as_rows[] = {
    {"its owner searches a closed folder", 30008, "{}/closed/secret", 0},
    {"a stranger does not", STRANGER, "{}/closed/secret", EACCES},
    {"a stranger looks at it, though", STRANGER, "{}/closed", 0},
    {"a stranger comes to it by its ..", STRANGER, "{}/closed/..", EACCES},
    {"a stranger looks at a file that it may not read", STRANGER,
     "{}/site/page", 0},
};

START_TEST(walk_as)
{
    const struct as_row *row = &as_rows[_i];
    static struct ps_path got;
    char text[TREE_PATH_MAX];
    int err = change_uid(row->uid);

    ck_assert_msg(err == 0, "%s: no change of uid: %s", row->name,
                  strerror(err));
    err = ps_walk(tree_path(text, row->path), &got);
    ck_assert_msg(err == row->err, "%s: %s", row->name, strerror(err));
}
END_TEST

Suite *path_suite(void)
{
    Suite *suite = suite_create("path");
    TCase *tc = tcase_create("path");

    tcase_add_unchecked_fixture(tc, setup_tree, tree_end);
    tcase_add_loop_test(tc, walk, 0, (int)ROWS(rows));
    add_as_root(tc, walk_as, ROWS(as_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
