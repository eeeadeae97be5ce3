/*
 * children - the programs that this child of httpd has started, one by one
 *
 * What is due for each of them: a look whether it has ended, TERM, KILL. The
 * list, its lock and the thread are the reaper's; all that is here is called
 * with the lock held, and all but ps_child_look_for_end() in that thread.
 */
#ifndef PS_CHILDREN_H
#define PS_CHILDREN_H

#include "script_log.h"

#include <apr_ring.h>
#include <apr_time.h>
#include <stdbool.h>
#include <sys/types.h>

/** From TERM to KILL. */
#define PS_GRACE apr_time_from_sec(3)

/** A start takes far less than a millisecond. */
#define PS_START_MOST apr_time_from_sec(5)

/** How often is looked whether a program has ended: soon, then rarely. */
#define PS_LOOK_FIRST apr_time_from_msec(5)
#define PS_LOOK_LAST apr_time_from_sec(1)

#define PS_NEVER ((apr_time_t)APR_INT64_MAX)

/** A program, from before it starts until it is gone. */
struct ps_child
{
    APR_RING_ENTRY(ps_child) link;
    uid_t uid;
    pid_t pid;                 /* written by the start itself */
    apr_uint32_t runs;         /* atomic: it is started */
    bool released;             /* by its request */
    bool gone;                 /* waited for */
    bool over;                 /* nothing of its process group is left */
    const char *why;           /* it is to end; NULL: it is not */
    bool asked;                /* ... TERM was sent */
    bool killed;               /* ... KILL, too */
    bool stuck;                /* its start was, which has been said */
    apr_time_t deadline;       /* for the start, or for KILL */
    apr_time_t next;           /* look */
    apr_interval_time_t wait;  /* until the look after that */
    struct ps_script_log *log; /* the reaper's, once it is released */
};

/** Wait for it, if it has ended: `gone`. Any thread. */
void ps_child_look_for_end(struct ps_child *child);

/**
 * Do what is due, and set when the next is. True: it is over, and nothing of it
 * is left.
 */
bool ps_child_look(struct ps_child *child, apr_time_t now);

#endif /* PS_CHILDREN_H */
