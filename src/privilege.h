/*
 * privilege - the one part that changes who a thread or process is
 *
 * Nothing outside privilege.c calls setuid or any of its relatives, setgroups
 * or capset; `make lint` looks for strays. A second place
 * would be one that the next auditor does not read.
 *
 * Knows no httpd header, so that t/ links it directly. Nothing here logs:
 * failures come back as a step and an errno.
 */
#ifndef PS_PRIVILEGE_H
#define PS_PRIVILEGE_H

#include "identity.h"
#include "step.h"

/**
 * Make the coming change from root to the server's user keep permitted
 * capabilities. Main thread of a fresh httpd child, before mod_unixd's
 * setuid. Undone by ps_narrow().
 */
struct ps_outcome ps_keep_capabilities(const struct ps_kernel *k);

/**
 * Leave the process with permitted = {SETUID, SETGID}, and nothing effective,
 * inheritable or ambient; keepcaps off; non-dumpable; its own group no longer
 * named again among its supplementary groups, where it stands there alone. Main
 * thread of a fresh httpd child, after mod_unixd's setuid, before any other
 * thread exists: the threads started later inherit it. Cannot be undone.
 *
 * On failure the child must not serve.
 */
struct ps_outcome ps_narrow(const struct ps_kernel *k);

/**
 * Become `who` for ever: groups, gids, uids, capabilities, in that order;
 * with a working directory and umask of the thread's own; then read everything
 * back and try to return, which must fail.
 *
 * Changes the calling thread alone, which must be one that was started for
 * the purpose. On failure the thread may be anything in between: it must end
 * without running anything.
 */
struct ps_outcome ps_drop(const struct ps_kernel *k,
                          const struct ps_identity *who);

/**
 * The same for a process that is about to execute a program: a vfork child,
 * which has a working directory and umask of its own, and may neither allocate
 * nor take a lock. `already`: it was started by a thread that is `who`, so that
 * it is only to be looked at.
 */
struct ps_outcome ps_drop_for_exec(const struct ps_kernel *k,
                                   const struct ps_identity *who, bool already);

/**
 * Send a signal as kill(2) does, to processes of the user `uid`: the calling
 * thread has that effective uid meanwhile. Its real and saved uids stay, and
 * it is those that another's right to signal it depends on: the user cannot
 * reach this thread.
 *
 * A thread of a child after ps_narrow() that has the server's identity and is
 * nobody's, and holds the two capabilities: without them the user could slow it
 * down for ever (setpriority(2) and its like look at the effective uid). `*err`
 * is 0, or why no process got the signal (errno). On failure of the way back
 * the thread may be anything in between: the process must end.
 */
struct ps_outcome ps_signal_as(const struct ps_kernel *k, uid_t uid, pid_t pid,
                               int sig, int *err);

/**
 * Whether the calling thread reaches files as `who`, supplementary groups
 * included, with no capability effective. Asks the kernel, as a new thread
 * inherits the identity of whatever thread started it; changes nothing.
 */
bool ps_fs_is(const struct ps_kernel *k, const struct ps_identity *who);

/**
 * Make the calling thread reach files as `who`: file-system uid and gid, and
 * supplementary groups. Real, effective and saved ids stay, so that no other
 * process may signal the thread. Capabilities are effective only meanwhile.
 * Calls nothing where it is so already; reads back what it changed.
 *
 * Any thread of a child after ps_narrow(), but a tenant's. Reversible: the
 * same call leads back. It does not survive exec (a program would run as the
 * server's user), and must not stand where a tenant's code can run.
 *
 * On failure the thread may be anything in between, and must serve nothing
 * before another call says PS_STEP_NONE.
 */
struct ps_outcome ps_fs_take(const struct ps_kernel *k,
                             const struct ps_identity *who);

/**
 * The same, back to the thread's own real ids, which needs no capability
 * (setfsuid(2)) where the groups are the same.
 */
struct ps_outcome ps_fs_give_back(const struct ps_kernel *k,
                                  const struct ps_identity *server);

#endif /* PS_PRIVILEGE_H */
