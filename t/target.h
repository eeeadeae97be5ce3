/*
 * target - a process of somebody's, which waits for what comes
 */
#ifndef PS_TARGET_H
#define PS_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

/** Such a process, or a group of two. */
struct target
{
    pid_t pid; /* that a signal goes to: negative for a group */
    int fd;    /* its end is read there when all of them have ended */
};

/**
 * Start it, and wait until it is what it is to be; asserted. As root. It ends
 * with the calling thread.
 */
struct target start_target(uid_t uid, bool group);

#endif /* PS_TARGET_H */
