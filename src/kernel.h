/*
 * kernel - the system calls that privilege.c changes identity with
 *
 * The raw calls stand here, in a table, and nowhere else; privilege.c decides
 * in which order, and what has to be true afterwards. `make lint` looks for
 * strays.
 */
#ifndef PS_KERNEL_H
#define PS_KERNEL_H

#include <stddef.h>
#include <sys/types.h>

#include <linux/capability.h>
#include <sys/capability.h>

/**
 * The system calls, as a table, so that tests can make each of
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
    int (*capget)(cap_user_header_t hdr, cap_user_data_t data);
    cap_t (*cap_get_proc)(void);
    int (*kill)(pid_t pid, int sig);
};

/** The running kernel. */
extern const struct ps_kernel ps_kernel;

/** The file-system ids: -1 is no id, so that the calls change nothing. */
static inline uid_t ps_kernel_fsuid(const struct ps_kernel *k)
{
    return (uid_t)k->setfsuid((uid_t)-1);
}

static inline gid_t ps_kernel_fsgid(const struct ps_kernel *k)
{
    return (gid_t)k->setfsgid((gid_t)-1);
}

#endif /* PS_KERNEL_H */
