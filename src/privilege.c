/*
 * privilege - the one part that changes who a thread or process is
 *
 * A child of httpd keeps CAP_SETUID and CAP_SETGID in its permitted set, and
 * nothing in its effective set. A thread that is to become a tenant raises
 * the two for itself, changes its groups and ids, clears every set, and then
 * asks the kernel whether all of it is true. Whatever is not, comes back as a
 * failure, and the caller runs nothing.
 *
 * Why the order: supplementary groups and gids need CAP_SETGID; the uids come
 * last of the ids so that a mistake in between still has a name in the log;
 * capabilities last of all, as a change between two ordinary uids does not
 * clear them (capabilities(7), "Effect of user ID changes").
 */

#include "privilege.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(cap) (1U << (cap))

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
    .cap_get_proc = cap_get_proc,
};

const char *ps_step_name(enum ps_step step)
{
    static const char *const names[] = {
        [PS_STEP_NONE] = "nothing",
        [PS_STEP_KEEPCAPS] = "keeping capabilities",
        [PS_STEP_NARROW] = "narrowing capabilities",
        [PS_STEP_AMBIENT] = "clearing ambient capabilities",
        [PS_STEP_DUMPABLE] = "staying non-dumpable",
        [PS_STEP_RAISE] = "raising capabilities",
        [PS_STEP_GROUPS] = "setting supplementary groups",
        [PS_STEP_GID] = "setting gids",
        [PS_STEP_UID] = "setting uids",
        [PS_STEP_CLEAR] = "clearing capabilities",
        [PS_STEP_UNSHARE] = "unsharing the working directory",
        [PS_STEP_READ_IDS] = "reading back ids",
        [PS_STEP_READ_GROUPS] = "reading back groups",
        [PS_STEP_READ_CAPS] = "reading back capabilities",
        [PS_STEP_RETURN] = "finding the way back closed",
    };

    if ((size_t)step >= sizeof(names) / sizeof(names[0])) {
        return "an unknown step";
    }
    return names[step];
}

static struct ps_outcome failed(enum ps_step step, int err)
{
    return (struct ps_outcome){.step = step, .err = err};
}

static const struct ps_outcome succeeded = {.step = PS_STEP_NONE};

/* Sets this thread's permitted and effective sets; inheritable: none. */
static int set_caps(const struct ps_kernel *k, unsigned permitted,
                    unsigned effective)
{
    struct __user_cap_header_struct hdr = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.permitted = permitted, .effective = effective},
    };

    return k->capset(&hdr, data);
}

static const unsigned switching = BIT(CAP_SETUID) | BIT(CAP_SETGID);
static const cap_value_t switching_list[] = {CAP_SETUID, CAP_SETGID};

/*
 * Whether this thread holds exactly the two switching capabilities as
 * permitted (or none at all), and nothing effective or inheritable.
 */
static bool caps_are(const struct ps_kernel *k, bool may_switch)
{
    cap_t want = cap_init();
    cap_t have = k->cap_get_proc();
    bool same;

    if (want && may_switch
        && cap_set_flag(want, CAP_PERMITTED, 2, switching_list, CAP_SET)) {
        cap_free(want);
        want = NULL;
    }
    same = want && have && cap_compare(want, have) == 0;
    cap_free(want);
    cap_free(have);
    return same;
}

bool ps_may_switch(void)
{
    cap_t have = cap_get_proc();
    bool may = have != NULL;

    for (size_t i = 0; may && i < 2; i++) {
        cap_flag_value_t held = CAP_CLEAR;

        may = cap_get_flag(have, switching_list[i], CAP_PERMITTED, &held) == 0
              && held == CAP_SET;
    }
    cap_free(have);
    return may;
}

struct ps_outcome ps_keep_capabilities(const struct ps_kernel *k)
{
    if (k->prctl(PR_SET_KEEPCAPS, 1) != 0) {
        return failed(PS_STEP_KEEPCAPS, errno);
    }
    return k->prctl(PR_GET_KEEPCAPS, 0) == 1 ? succeeded
                                             : failed(PS_STEP_KEEPCAPS, 0);
}

/* Sets a flag of prctl(2) to 0, and looks whether it is. */
static struct ps_outcome clear_flag(const struct ps_kernel *k, int set, int get,
                                    enum ps_step step)
{
    int is;

    if (k->prctl(set, 0) != 0) {
        return failed(step, errno);
    }
    is = k->prctl(get, 0);
    return is == 0 ? succeeded : failed(step, is < 0 ? errno : 0);
}

struct ps_outcome ps_narrow(const struct ps_kernel *k)
{
    struct ps_outcome outcome;

    if (set_caps(k, switching, 0) != 0) {
        return failed(PS_STEP_NARROW, errno);
    }
    if (k->prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL) != 0) {
        return failed(PS_STEP_AMBIENT, errno);
    }
    outcome = clear_flag(k, PR_SET_KEEPCAPS, PR_GET_KEEPCAPS, PS_STEP_KEEPCAPS);
    if (outcome.step != PS_STEP_NONE) {
        return outcome;
    }
    /*
     * A dumpable httpd lets a process of tenant T ptrace T's thread inside of
     * it, and through that the memory of the capable thread beside it.
     * mod_unixd makes it dumpable where CoreDumpDirectory is set.
     */
    outcome = clear_flag(k, PR_SET_DUMPABLE, PR_GET_DUMPABLE, PS_STEP_DUMPABLE);
    if (outcome.step != PS_STEP_NONE) {
        return outcome;
    }
    if (!caps_are(k, true)) {
        return failed(PS_STEP_READ_CAPS, 0);
    }
    return succeeded;
}

static bool ids_are(const struct ps_kernel *k, const struct ps_identity *who)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    return k->getresuid(&ruid, &euid, &suid) == 0 && ruid == who->uid
           && euid == who->uid && suid == who->uid
           && k->getresgid(&rgid, &egid, &sgid) == 0 && rgid == who->gid
           && egid == who->gid && sgid == who->gid
           && ps_thread_acts_as(k, who->uid, who->gid);
}

static int ascending(const void *a, const void *b)
{
    gid_t x = *(const gid_t *)a;
    gid_t y = *(const gid_t *)b;

    return (x > y) - (x < y);
}

/*
 * The same list. Sorted here: the kernel sorts its own by the ids outside of
 * the user namespace, which need not be the order inside.
 */
static bool groups_are(const struct ps_kernel *k, const struct ps_identity *who)
{
    gid_t have[PS_GROUPS_MAX];
    int n = k->getgroups(PS_GROUPS_MAX, have);

    if (n < 0 || (size_t)n != who->ngroups) {
        return false;
    }
    if (n == 0) {
        return true;
    }
    qsort(have, (size_t)n, sizeof(*have), ascending);
    return memcmp(have, who->groups, (size_t)n * sizeof(*have)) == 0;
}

static struct ps_outcome become(const struct ps_kernel *k,
                                const struct ps_identity *who)
{
    int dumpable;

    if (set_caps(k, switching, switching) != 0) {
        return failed(PS_STEP_RAISE, errno);
    }
    if (k->setgroups(who->ngroups, who->groups) != 0) {
        return failed(PS_STEP_GROUPS, errno);
    }
    if (k->setresgid(who->gid, who->gid, who->gid) != 0) {
        return failed(PS_STEP_GID, errno);
    }
    if (k->setresuid(who->uid, who->uid, who->uid) != 0) {
        return failed(PS_STEP_UID, errno);
    }
    /*
     * The change of uid sets the process's dumpable flag to what
     * fs.suid_dumpable says; 1 would open its memory to the tenant (2 lets
     * root alone in). Checked while the capabilities still keep ptrace(2)
     * out, and closed again for the threads beside this one.
     */
    dumpable = k->prctl(PR_GET_DUMPABLE, 0);
    if (dumpable != 0 && dumpable != 2) {
        int err = dumpable < 0 ? errno : 0;

        k->prctl(PR_SET_DUMPABLE, 0);
        return failed(PS_STEP_DUMPABLE, err);
    }
    if (set_caps(k, 0, 0) != 0) {
        return failed(PS_STEP_CLEAR, errno);
    }
    /* chdir() and umask() would stay for the next tenant's request. */
    if (k->unshare(CLONE_FS) != 0) {
        return failed(PS_STEP_UNSHARE, errno);
    }
    return succeeded;
}

/*
 * One attempt to be again who this thread was, or root where the tenant is
 * the server's own user. It must be refused, and for the one reason.
 */
static bool way_back_is_closed(const struct ps_kernel *k, uid_t before,
                               const struct ps_identity *who)
{
    uid_t back = before != who->uid ? before : 0;

    if (back == who->uid) {
        return true; /* root, running as root by the operator's word */
    }
    errno = 0;
    return k->setresuid(back, back, back) == -1 && errno == EPERM;
}

struct ps_outcome ps_drop(const struct ps_kernel *k,
                          const struct ps_identity *who)
{
    uid_t before = geteuid();
    struct ps_outcome outcome = become(k, who);

    if (outcome.step != PS_STEP_NONE) {
        return outcome;
    }
    if (!way_back_is_closed(k, before, who)) {
        return failed(PS_STEP_RETURN, 0);
    }
    if (!ids_are(k, who)) {
        return failed(PS_STEP_READ_IDS, 0);
    }
    if (!groups_are(k, who)) {
        return failed(PS_STEP_READ_GROUPS, 0);
    }
    if (!caps_are(k, false)) {
        return failed(PS_STEP_READ_CAPS, 0);
    }
    return succeeded;
}

bool ps_thread_acts_as(const struct ps_kernel *k, uid_t uid, gid_t gid)
{
    /* -1 is no id: the call changes nothing and returns what is. */
    return (uid_t)k->setfsuid((uid_t)-1) == uid
           && (gid_t)k->setfsgid((gid_t)-1) == gid;
}
