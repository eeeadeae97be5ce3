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

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <linux/capability.h>
#include <sys/capability.h>

/** Most supplementary groups that a tenant may have. */
#define PS_GROUPS_MAX 1024

/** A tenant as the kernel knows it. */
struct ps_identity
{
    uid_t uid;
    gid_t gid;
    size_t ngroups;      /* supplementary groups; none in owner mode */
    const gid_t *groups; /* ascending; NULL where there are none */
};

/**
 * The system calls of this part, as a table, so that tests can make each of
 * them fail, or claim a success that never was. Every member has the meaning
 * of the call of its name in section 2 of the manual, for the calling thread
 * alone; setfsuid and setfsgid return the id before the call.
 */
struct ps_kernel
{
    int (*setgroups)(size_t size, const gid_t *list);
    int (*setresgid)(gid_t rgid, gid_t egid, gid_t sgid);
    int (*setresuid)(uid_t ruid, uid_t euid, uid_t suid);
    int (*capset)(cap_user_header_t hdr, const cap_user_data_t data);
    int (*prctl)(int option, unsigned long arg);
    int (*unshare)(int flags);
    int (*getresuid)(uid_t *ruid, uid_t *euid, uid_t *suid);
    int (*getresgid)(gid_t *rgid, gid_t *egid, gid_t *sgid);
    int (*getgroups)(int size, gid_t list[]);
    int (*setfsuid)(uid_t fsuid);
    int (*setfsgid)(gid_t fsgid);
    cap_t (*cap_get_proc)(void);
};

/** The running kernel. */
extern const struct ps_kernel ps_kernel;

/** Where a change of privilege failed; PS_STEP_NONE is success. */
enum ps_step
{
    PS_STEP_NONE,
    PS_STEP_KEEPCAPS,    /* keep capabilities over the server's own setuid */
    PS_STEP_NARROW,      /* give up all but SETUID and SETGID */
    PS_STEP_AMBIENT,     /* clear the ambient set */
    PS_STEP_DUMPABLE,    /* make, or find, the process non-dumpable */
    PS_STEP_RAISE,       /* make SETUID and SETGID effective in this thread */
    PS_STEP_GROUPS,      /* supplementary groups */
    PS_STEP_GID,         /* real, effective and saved gid */
    PS_STEP_UID,         /* real, effective and saved uid */
    PS_STEP_CLEAR,       /* clear every capability */
    PS_STEP_UNSHARE,     /* a working directory and umask of its own */
    PS_STEP_READ_IDS,    /* read back: ids are not those asked for */
    PS_STEP_READ_GROUPS, /* read back: groups are not those asked for */
    PS_STEP_READ_CAPS,   /* read back: capabilities are not as asked for */
    PS_STEP_RETURN       /* the way back was open */
};

/** What happened. err is an errno, or 0 where a call lied. */
struct ps_outcome
{
    enum ps_step step;
    int err;
};

/** The name of a step, for log lines; never NULL. */
const char *ps_step_name(enum ps_step step);

/**
 * Whether this process may hand out what ps_narrow() keeps.
 *
 * Call as root, in any thread. True where CAP_SETUID and CAP_SETGID are in
 * the permitted set (a container may have taken them away).
 */
bool ps_may_switch(void);

/**
 * Make the coming change from root to the server's user keep permitted
 * capabilities. Main thread of a fresh httpd child, before mod_unixd's
 * setuid. Undone by ps_narrow().
 */
struct ps_outcome ps_keep_capabilities(const struct ps_kernel *k);

/**
 * Leave the process with permitted = {SETUID, SETGID}, and nothing effective,
 * inheritable or ambient; keepcaps off; non-dumpable. Main thread of a fresh
 * httpd child, after mod_unixd's setuid, before any other thread exists: the
 * threads started later inherit it. Cannot be undone.
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
 * Whether the calling thread reaches files as `uid`:`gid`. Asks the kernel,
 * as a new thread inherits the identity of whatever thread started it.
 */
bool ps_thread_acts_as(const struct ps_kernel *k, uid_t uid, gid_t gid);

#endif /* PS_PRIVILEGE_H */
