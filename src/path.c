/*
 * path - what stands at a path, and everything on the way to it
 *
 * O_PATH descriptors need no permission on the file itself, do not block on
 * FIFOs, and pin what was looked at: fstat(2) on one, then openat(2) below
 * it, are about the same folder even if its name now leads elsewhere.
 */

#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYMLINKS_MAX 40 /* as path_resolution(7) has it */

/* A walk under way. `rest` is what is still to be walked, inside `text`. */
struct walk
{
    int at; /* the folder reached, or the file at the end */
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

/* Puts a symlink's target before what is left to walk. */
static int expand(struct walk *w, int link)
{
    char text[2 * PATH_MAX];
    ssize_t n = readlinkat(link, "", text, PATH_MAX);
    size_t rest = strlen(w->rest);

    if (n < 0) {
        return errno;
    }
    if (n == 0 || n == PATH_MAX || (size_t)n + rest + 1 > sizeof(text)) {
        return n == 0 ? ENOENT : ENAMETOOLONG;
    }
    if (++w->symlinks > SYMLINKS_MAX) {
        return ELOOP;
    }
    memcpy(text + n, w->rest, rest + 1);
    memcpy(w->text, text, (size_t)n + rest + 1);
    w->rest = w->text;
    return 0;
}

static int restart_at_root(struct walk *w)
{
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root < 0) {
        return errno;
    }
    if (w->at >= 0) {
        close(w->at);
    }
    w->at = root;
    if (fstat(root, &w->out->end) != 0) {
        return errno;
    }
    return report(w, "/", &w->out->end);
}

/* One component: opened, looked at, reported, and followed or entered. */
static int step(struct walk *w, const char *name)
{
    int err;
    struct stat st;
    int fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        return errno;
    }
    err = fstat(fd, &st) == 0 ? report(w, name, &st) : errno;
    if (err == 0 && S_ISLNK(st.st_mode)) {
        err = expand(w, fd);
        close(fd);
        return err == 0 && w->text[0] == '/' ? restart_at_root(w) : err;
    }
    close(w->at);
    w->at = fd;
    if (err == 0) {
        w->out->end = st;
    }
    return err;
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
    int err;

    out->length = 0;
    if (path[0] != '/') {
        return EINVAL;
    }
    if (n >= PATH_MAX) {
        return ENAMETOOLONG;
    }
    memcpy(w.text, path, n + 1);
    w.rest = w.text;
    w.at = -1;
    w.symlinks = 0;
    w.out = out;
    err = walk_all(&w);
    if (w.at >= 0) {
        close(w.at);
    }
    return err;
}

bool ps_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino
           && a->st_uid == b->st_uid;
}
