/*
 * path - what stands at a path, and everything on the way to it
 *
 * One lstat(2) a component, by its whole name. Between two of them a component
 * that was looked at can be exchanged only by who may write the folder that it
 * stands in, and that folder was looked at before: so a chain in which nobody
 * but root and T can change anything is one that nobody else has changed
 * meanwhile. (Descriptors held from one to the next would cost twice as much,
 * and tell no more.)
 */
#include "path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYMLINKS_MAX 40 /* as path_resolution(7) has it */

/*
 * A walk under way: `at` is the folder reached, or the file at the end, behind
 * all symlinks; `rest` is what is still to be walked, inside `text`.
 */
struct walk
{
    char at[PATH_MAX];
    size_t length; /* of at; 0 is the root */
    char text[2 * PATH_MAX];
    const char *rest;
    int symlinks;
    struct ps_path *out;
};

/* Cuts the next component off; NULL where there is none. "." is skipped. */
static const char *next_name(struct walk *w, char name[NAME_MAX + 1])
{
    for (;;) {
        size_t n;

        w->rest += strspn(w->rest, "/");
        n = strcspn(w->rest, "/");
        if (n == 0) {
            return NULL;
        }
        if (n > NAME_MAX) {
            errno = ENAMETOOLONG;
            return NULL;
        }
        memcpy(name, w->rest, n);
        name[n] = '\0';
        w->rest += n;
        if (strcmp(name, ".") != 0) {
            return name;
        }
    }
}

static int report(struct walk *w, const char *name, const struct stat *st)
{
    struct ps_component *c;

    if (w->out->length == PS_PATH_MAX) {
        return ENAMETOOLONG;
    }
    c = &w->out->component[w->out->length++];
    c->uid = st->st_uid;
    c->gid = st->st_gid;
    c->mode = st->st_mode;
    snprintf(c->name, sizeof(c->name), "%.*s", (int)sizeof(c->name) - 1, name);
    return 0;
}

static int restart_at_root(struct walk *w)
{
    w->length = 0;
    w->at[0] = '\0';
    if (lstat("/", &w->out->end) != 0) {
        return errno;
    }
    return report(w, "/", &w->out->end);
}

/* Puts the target of the symlink at `at` before what is left to walk. */
static int expand(struct walk *w)
{
    char text[2 * PATH_MAX];
    size_t rest = strlen(w->rest);
    ssize_t n;

    if (++w->symlinks > SYMLINKS_MAX) {
        return ELOOP;
    }
    n = readlink(w->at, text, PATH_MAX);
    if (n < 0) {
        return errno;
    }
    if (n == 0 || n == PATH_MAX || (size_t)n + rest + 1 > sizeof(text)) {
        return n == 0 ? ENOENT : ENAMETOOLONG;
    }
    memcpy(text + n, w->rest, rest + 1);
    memcpy(w->text, text, (size_t)n + rest + 1);
    w->rest = w->text;
    return 0;
}

/* What stands at `at`, and, where it is a symlink, its target in the text. */
static int look(struct walk *w, struct stat *st)
{
    int err;

    do {
        if (lstat(w->at, st) != 0) {
            return errno;
        }
        err = S_ISLNK(st->st_mode) ? expand(w) : 0;
    } while (err == EINVAL); /* no symlink any more: exchanged in between */
    return err;
}

/* One component: looked at, reported, and followed or entered. */
static int step(struct walk *w, const char *name)
{
    struct stat st;
    size_t before = w->length;
    size_t n = strlen(name);
    int err;

    if (before + 1 + n >= sizeof(w->at)) {
        return ENAMETOOLONG;
    }
    w->at[before] = '/';
    memcpy(w->at + before + 1, name, n + 1);
    err = look(w, &st);
    if (err == 0) {
        err = report(w, name, &st);
    }
    if (err != 0) {
        return err;
    }
    if (S_ISLNK(st.st_mode)) {
        w->at[before] = '\0';
        return w->text[0] == '/' ? restart_at_root(w) : 0;
    }
    w->length = before + 1 + n;
    w->out->end = st;
    return 0;
}

static int walk_all(struct walk *w)
{
    char name[NAME_MAX + 1];
    int err = restart_at_root(w);

    while (err == 0) {
        /* "file/" and "file/." are no names of a file. */
        if (w->rest[0] == '/' && !S_ISDIR(w->out->end.st_mode)) {
            return ENOTDIR;
        }
        errno = 0;
        if (!next_name(w, name)) {
            return errno;
        }
        err = step(w, name);
    }
    return err;
}

int ps_walk(const char *path, struct ps_path *out)
{
    struct walk w; /* not initialised whole: it is large */
    size_t n = strlen(path);

    out->length = 0;
    if (path[0] != '/') {
        return EINVAL;
    }
    if (n >= PATH_MAX) {
        return ENAMETOOLONG;
    }
    memcpy(w.text, path, n + 1);
    w.rest = w.text;
    w.symlinks = 0;
    w.out = out;
    return walk_all(&w);
}

bool ps_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino
           && a->st_uid == b->st_uid;
}
