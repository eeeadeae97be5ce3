/*
 * tree - a temporary tree of files, folders and symlinks to walk
 */
#include "tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX];

bool tree_begin(void)
{
    char name[] = "/tmp/ps-tree-XXXXXX";

    return mkdtemp(name) && realpath(name, root) && chmod(root, 0755) == 0;
}

const char *tree_root(void)
{
    return root;
}

const char *tree_path(char out[TREE_PATH_MAX], const char *path)
{
    size_t n = 0;

    while (*path && n + PATH_MAX < TREE_PATH_MAX) {
        if (strncmp(path, "{}", 2) == 0) {
            n += (size_t)snprintf(out + n, PATH_MAX, "%s", root);
            path += 2;
        }
        else {
            out[n++] = *path++;
        }
    }
    out[n] = '\0';
    return out;
}

static bool make(const struct entry *entry, const char *path)
{
    char target[TREE_PATH_MAX];
    int fd;

    switch (entry->type) {
    case S_IFDIR:
        return mkdir(path, 0700) == 0;
    case S_IFLNK:
        return symlink(tree_path(target, entry->target), path) == 0;
    case S_IFIFO:
        return mkfifo(path, 0600) == 0;
    default:
        fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        return fd >= 0 && close(fd) == 0;
    }
}

bool tree_add(const struct entry *entry)
{
    char path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", root, entry->path);
    return make(entry, path)
           && (geteuid() != 0 || lchown(path, entry->uid, entry->gid) == 0)
           && (entry->type == S_IFLNK || chmod(path, entry->mode) == 0);
}

int walk_opening_nothing(const char *path, struct ps_path *out)
{
    struct rlimit before, none;
    int err;

    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    err = ps_walk(path, out);
    setrlimit(RLIMIT_NOFILE, &before);
    return err;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *level)
{
    (void)st;
    (void)type;
    (void)level;
    return remove(path);
}

void tree_end(void)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
