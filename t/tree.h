/*
 * tree - a temporary tree of files, folders and symlinks to walk
 */
#ifndef PS_TREE_H
#define PS_TREE_H

#include "path.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** One entry. Names are unique in the tree. "{}" in a target is its root. */
struct entry
{
    const char *path; /* below the root */
    mode_t type;      /* S_IFDIR, S_IFREG, S_IFLNK, S_IFIFO */
    mode_t mode;
    uid_t uid; /* where root runs the tests */
    gid_t gid;
    const char *target; /* of a symlink */
};

/** Make a new folder under /tmp, which is the root. False on failure. */
bool tree_begin(void);

/** Make an entry, of its owner and mode. False on failure. */
bool tree_add(const struct entry *entry);

/** The root's path, without symlinks. */
const char *tree_root(void);

/** Room for any path of a test, those that are too long included. */
#define TREE_PATH_MAX (4 * 4096)

/** Write the path with every "{}" replaced by the root; returns `out`. */
const char *tree_path(char out[TREE_PATH_MAX], const char *path);

/**
 * ps_walk(), with no descriptor to be had: what it would have to open makes
 * it fail with EMFILE.
 */
int walk_opening_nothing(const char *path, struct ps_path *out);

/** Remove it all. */
void tree_end(void);

#endif /* PS_TREE_H */
