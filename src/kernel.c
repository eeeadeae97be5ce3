/*
 * kernel - the system calls that privilege.c changes identity with
 */
#include "kernel.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* On 32-bit machines the calls of the plain names take 16-bit ids. */
#ifdef SYS_setresuid32
#define NR(name) SYS_##name##32
#else
#define NR(name) SYS_##name
#endif

/*
 * Raw system calls. Do not turn these into the C library's functions of the
 * same names: those signal every thread of the process to change too
 * (nptl(7), "NPTL and signals"), which gives a tenant's uid to the server's
 * threads, and abort the process where the results differ.
 */
static int raw_setgroups(size_t size, const gid_t *list)
{
    return (int)syscall(NR(setgroups), size, list);
}

static int raw_setresgid(gid_t rgid, gid_t egid, gid_t sgid)
{
    return (int)syscall(NR(setresgid), rgid, egid, sgid);
}

static int raw_setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
    return (int)syscall(NR(setresuid), ruid, euid, suid);
}

/* Not cap_set_proc(): where libpsx is loaded that changes every thread. */
static int raw_capset(cap_user_header_t hdr, const cap_user_data_t data)
{
    return (int)syscall(SYS_capset, hdr, data);
}

static int raw_capget(cap_user_header_t hdr, cap_user_data_t data)
{
    return (int)syscall(SYS_capget, hdr, data);
}

static int raw_prctl(int option, unsigned long arg)
{
    return prctl(option, arg, 0UL, 0UL, 0UL);
}

static int raw_setfsuid(uid_t fsuid)
{
    return (int)syscall(NR(setfsuid), fsuid);
}

static int raw_setfsgid(gid_t fsgid)
{
    return (int)syscall(NR(setfsgid), fsgid);
}

const struct ps_kernel ps_kernel = {
    .setgroups = raw_setgroups,
    .setresgid = raw_setresgid,
    .setresuid = raw_setresuid,
    .capset = raw_capset,
    .prctl = raw_prctl,
    .unshare = unshare,
    .getresuid = getresuid,
    .getresgid = getresgid,
    .getgroups = getgroups,
    .setfsuid = raw_setfsuid,
    .setfsgid = raw_setfsgid,
    .capget = raw_capget,
    .cap_get_proc = cap_get_proc,
    .kill = kill,
};
