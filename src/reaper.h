/*
 * reaper - what becomes of the programs that this child of httpd has started
 *
 * One thread in each child, started with it. It alone sends them signals, with
 * the effective uid of their tenant; it waits for those that outlive their
 * request, and logs what these still write to standard error; and it kills one
 * that is stopped by its tenant before it runs, as httpd's thread waits for it.
 */
#ifndef PS_REAPER_H
#define PS_REAPER_H

#include "script_log.h"

#include <stdbool.h>
#include <sys/types.h>

/** A program, from before it starts until it is gone (children.h). */
struct ps_child;

/**
 * Start the thread. child_init: before any tenant's thread exists, whose
 * identity it would inherit. Returns 0, or an errno.
 */
int ps_reaper_start(apr_pool_t *pchild);

/**
 * Announce a program that is about to start as `uid`, in any thread. NULL, and
 * errno: ENOMEM; EAGAIN where too many of the tenant's starts do not get on,
 * each of which holds a thread of httpd. Waits a moment before it says so.
 */
struct ps_child *ps_child_announce(uid_t uid);

/** Where its process id is to be written, by the start itself. */
pid_t *ps_child_pid(struct ps_child *child);

/** It runs. */
void ps_child_runs(struct ps_child *child);

/** It did not start, and nothing is left of it. */
void ps_child_failed(struct ps_child *child);

/**
 * The request is done with it. If it has not ended by itself, it goes on; with
 * `why` (a string literal), its process group gets TERM, and KILL 3 s later,
 * and the log says why. What it still writes to standard error goes on to
 * `log`, which is the reaper's from here on; NULL: none. Does not wait.
 */
void ps_child_release(struct ps_child *child, const char *why,
                      struct ps_script_log *log);

/**
 * child_stopping: TERM, and KILL 3 s later, for all that still belong to
 * requests, unless requests may end by themselves.
 */
void ps_reaper_child_stopping(apr_pool_t *pchild, int graceful);

#endif /* PS_REAPER_H */
