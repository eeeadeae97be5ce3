/*
 * spawn - a program started straight into its tenant
 *
 * A child that shares httpd's memory until it executes (vfork-style), so that
 * it costs the same in a server of any size. In between it is nobody's thread:
 * a process of its own that makes system calls, and allocates nothing, locks
 * nothing, and reports in memory of the thread that waits. A tenant who kills
 * it there kills it alone. No httpd header; t/ links it.
 */
#ifndef PS_SPAWN_H
#define PS_SPAWN_H

#include "identity.h"
#include "step.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

/** A resource limit, as setrlimit(2) wants it. */
struct ps_limit
{
    int resource;
    struct rlimit value;
};

#define PS_LIMITS_MAX 4

/** What is to run, as whom, with what. */
struct ps_program
{
    const char *path;
    const char *const *argv; /* NULL-terminated */
    const char *const *envp; /* the same; the whole environment */
    const char *dir;         /* working directory */
    const struct ps_identity *who;
    bool already;            /* the calling thread is `who` for good */
    const struct stat *file; /* `path` must be this file; NULL: any */
    int fd[3];               /* to be 0, 1 and 2; each above 2 here */
    struct ps_limit limit[PS_LIMITS_MAX];
    size_t nlimits;
};

/**
 * Start it: in a session and process group of its own, descriptors 0, 1 and 2
 * and no other, default signal handlers, nothing blocked, limits, then the
 * drop, whole and verified; the folder, the file and the program are reached as
 * the tenant.
 *
 * Any thread of a child after ps_narrow(). Waits until the program runs, or
 * does not: on failure nothing is left of the child, and the outcome says where
 * and why (errno; 0 for PS_STEP_CHANGED and PS_STEP_KILLED). `*pid` is written
 * before the child can do anything, for others who watch; the caller waits for
 * it (waitpid(2)) after success.
 */
struct ps_outcome ps_spawn(const struct ps_program *program, pid_t *pid);

#endif /* PS_SPAWN_H */
