/*
 * path - what stands at a path, and everything on the way to it
 *
 * Walks from / component by component. Follows symlinks by itself and reports
 * each of them, too. What it reports is for ps_judge_path(): of a chain that
 * somebody else can change it says only that he can.
 *
 * Any thread; reads as that thread's identity; opens nothing.
 */
#ifndef PS_PATH_H
#define PS_PATH_H

#include "decision.h"

#include <stdbool.h>
#include <sys/stat.h>

/** Most components, symlinks and those behind them included. */
#define PS_PATH_MAX 128

/** A walk's result. */
struct ps_path
{
    size_t length;
    struct ps_component component[PS_PATH_MAX];
    struct stat end; /* the file itself, behind all symlinks */
};

/**
 * Walk `path`, which is absolute.
 *
 * Returns 0, or an errno: what the kernel said, ELOOP for more than 40
 * symlinks, ENAMETOOLONG for a path that does not fit, EINVAL for one that
 * is not absolute.
 */
int ps_walk(const char *path, struct ps_path *out);

/** Whether two stat results are the same file with the same owner. */
bool ps_same_file(const struct stat *a, const struct stat *b);

#endif /* PS_PATH_H */
