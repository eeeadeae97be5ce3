/*
 * privilege - the one part that changes who a thread or process is
 *
 * For ever: a child of httpd keeps CAP_SETUID and CAP_SETGID in its permitted
 * set, and nothing in its effective set. A thread that is to become a tenant
 * raises the two for itself, changes its groups and ids, clears every set, and
 * then asks the kernel whether all of it is true. Whatever is not, comes back
 * as a failure, and the caller runs nothing.
 *
 * Why the order: supplementary groups and gids need CAP_SETGID; the uids come
 * last of the ids so that a mistake in between still has a name in the log;
 * capabilities last of all, as a change between two ordinary uids does not
 * clear them (capabilities(7), "Effect of user ID changes").
 *
 * For a while: only the file-system ids and the groups, which no other
 * process's rights over the thread depend on.
 */

#include "privilege.h"

#include "caps.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

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

static const unsigned switching = 1U << CAP_SETUID | 1U << CAP_SETGID;

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

/*
 * initgroups(3) puts the server's own group among its supplementary groups,
 * where it says nothing that the gid does not say, but would have to be taken
 * off, and put back, with every file-system identity. Other groups stay.
 */
static struct ps_outcome forget_own_group(const struct ps_kernel *k)
{
    gid_t rgid, egid, sgid;
    gid_t only[2];

    if (k->getgroups(2, only) != 1 || k->getresgid(&rgid, &egid, &sgid) != 0
        || only[0] != egid) {
        return succeeded;
    }
    if (set_caps(k, switching, switching) != 0) {
        return failed(PS_STEP_RAISE, errno);
    }
    if (k->setgroups(0, NULL) != 0) {
        return failed(PS_STEP_GROUPS, errno);
    }
    return k->getgroups(0, NULL) == 0 ? succeeded
                                      : failed(PS_STEP_READ_GROUPS, 0);
}

struct ps_outcome ps_narrow(const struct ps_kernel *k)
{
    struct ps_outcome outcome = forget_own_group(k);

    if (outcome.step != PS_STEP_NONE) {
        return outcome;
    }
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
    if (!ps_caps_are(k, true)) {
        return failed(PS_STEP_READ_CAPS, 0);
    }
    return succeeded;
}

/*
 * A change of uid, the file-system uid included, sets the process's dumpable
 * flag to what fs.suid_dumpable says; 1 would open its memory to the tenant.
 * With 2, which lets root alone in, a core dump of a process that shares the
 * memory would end the others (before Linux 5.16). Closed again for all
 * threads of the process.
 */
static struct ps_outcome stay_closed(const struct ps_kernel *k)
{
    int dumpable = k->prctl(PR_GET_DUMPABLE, 0);
    int err = dumpable < 0 ? errno : 0;

    if (dumpable == 0) {
        return succeeded;
    }
    k->prctl(PR_SET_DUMPABLE, 0);
    return dumpable == 2 ? succeeded : failed(PS_STEP_DUMPABLE, err);
}

static struct ps_outcome become(const struct ps_kernel *k,
                                const struct ps_identity *who)
{
    struct ps_outcome outcome;

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
    /* Looked at while the capabilities still keep ptrace(2) out. */
    outcome = stay_closed(k);
    if (outcome.step != PS_STEP_NONE) {
        return outcome;
    }
    if (set_caps(k, 0, 0) != 0) {
        return failed(PS_STEP_CLEAR, errno);
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

/* Whether all is so that become() should have done, as the kernel says. */
static struct ps_outcome verify(const struct ps_kernel *k, uid_t before,
                                const struct ps_identity *who)
{
    if (!way_back_is_closed(k, before, who)) {
        return failed(PS_STEP_RETURN, 0);
    }
    if (!ps_ids_are(k, who)) {
        return failed(PS_STEP_READ_IDS, 0);
    }
    if (!ps_groups_are(k, who)) {
        return failed(PS_STEP_READ_GROUPS, 0);
    }
    return succeeded;
}

struct ps_outcome ps_drop(const struct ps_kernel *k,
                          const struct ps_identity *who)
{
    uid_t before = geteuid();
    struct ps_outcome outcome = become(k, who);

    if (outcome.step != PS_STEP_NONE) {
        return outcome;
    }
    /* chdir() and umask() would stay for the next tenant's request. */
    if (k->unshare(CLONE_FS) != 0) {
        return failed(PS_STEP_UNSHARE, errno);
    }
    outcome = verify(k, before, who);
    if (outcome.step == PS_STEP_NONE && !ps_caps_are(k, false)) {
        return failed(PS_STEP_READ_CAPS, 0);
    }
    return outcome;
}

struct ps_outcome ps_drop_for_exec(const struct ps_kernel *k,
                                   const struct ps_identity *who, bool already)
{
    uid_t before = geteuid();
    struct ps_outcome outcome = already ? succeeded : become(k, who);

    if (outcome.step == PS_STEP_NONE) {
        outcome = verify(k, already ? 0 : before, who);
    }
    if (outcome.step == PS_STEP_NONE && !ps_caps_are_none(k)) {
        return failed(PS_STEP_READ_CAPS, 0);
    }
    return outcome;
}

/* ---- a signal to a tenant's process ---- */

/* Back from an effective uid that is a tenant's; the reverse of the order. */
static struct ps_outcome return_from(const struct ps_kernel *k, uid_t own,
                                     bool from_root)
{
    uid_t ruid, euid, suid;
    struct ps_outcome closed;

    k->setresuid((uid_t)-1, own, (uid_t)-1);
    if (from_root) {
        closed =
            clear_flag(k, PR_SET_KEEPCAPS, PR_GET_KEEPCAPS, PS_STEP_KEEPCAPS);
        if (closed.step != PS_STEP_NONE) {
            return closed;
        }
    }
    if (set_caps(k, switching, 0) != 0) {
        return failed(PS_STEP_LOWER, errno);
    }
    closed = stay_closed(k);
    if (closed.step != PS_STEP_NONE) {
        closed = stay_closed(k); /* closed again: the server goes on */
    }
    if (closed.step != PS_STEP_NONE) {
        return closed;
    }
    if (k->getresuid(&ruid, &euid, &suid) != 0 || ruid != own || euid != own
        || suid != own || ps_kernel_fsuid(k) != own) {
        return failed(PS_STEP_READ_IDS, 0);
    }
    return ps_caps_are_idle(k) ? succeeded : failed(PS_STEP_READ_CAPS, 0);
}

struct ps_outcome ps_signal_as(const struct ps_kernel *k, uid_t uid, pid_t pid,
                               int sig, int *err)
{
    uid_t own, euid, suid;

    if (uid == (uid_t)-1) { /* "no change", to the call: the server's own */
        *err = EINVAL;
        return succeeded;
    }
    *err = EPERM;
    if (k->getresuid(&own, &euid, &suid) != 0) {
        return failed(PS_STEP_READ_IDS, errno);
    }
    /* Whoever leaves uid 0 loses what is permitted, too (capabilities(7)). */
    if ((uid == 0 && k->prctl(PR_SET_KEEPCAPS, 1) != 0)
        || set_caps(k, switching, switching) != 0) {
        *err = errno;
        return return_from(k, own, uid == 0);
    }
    if (k->setresuid((uid_t)-1, uid, (uid_t)-1) != 0) {
        *err = errno;
    }
    else {
        *err = k->kill(pid, sig) == 0 ? 0 : errno;
    }
    return return_from(k, own, uid == 0);
}

/* ---- the file-system identity ---- */

/* Without the one group that says nothing new: see forget_own_group(). */
static struct ps_identity without_own_group(const struct ps_identity *who)
{
    struct ps_identity out = *who;

    if (who->ngroups == 1 && who->groups[0] == who->gid) {
        out.ngroups = 0;
        out.groups = NULL;
    }
    return out;
}

bool ps_fs_is(const struct ps_kernel *k, const struct ps_identity *who)
{
    struct ps_identity want = without_own_group(who);

    return ps_fs_ids_are(k, &want) && ps_groups_are(k, &want)
           && ps_caps_are_idle(k);
}

/* setfsgid and setfsuid report no failure; whoever calls reads back. */
static struct ps_outcome set_fs(const struct ps_kernel *k,
                                const struct ps_identity *want, bool regroup,
                                bool raise)
{
    struct ps_outcome outcome = succeeded;

    if (raise && set_caps(k, switching, switching) != 0) {
        return failed(PS_STEP_RAISE, errno);
    }
    if (regroup && k->setgroups(want->ngroups, want->groups) != 0) {
        outcome = failed(PS_STEP_GROUPS, errno);
    }
    else {
        k->setfsgid(want->gid);
        k->setfsuid(want->uid);
    }
    if (raise && set_caps(k, switching, 0) != 0) {
        outcome = failed(PS_STEP_LOWER, errno);
    }
    return outcome;
}

static struct ps_outcome change_fs(const struct ps_kernel *k,
                                   const struct ps_identity *who, bool own)
{
    struct ps_identity want = without_own_group(who);
    bool regroup = !ps_groups_are(k, &want);
    struct ps_outcome outcome, closed;

    if (!regroup && ps_fs_ids_are(k, &want) && ps_caps_are_idle(k)) {
        return succeeded;
    }
    outcome =
        set_fs(k, &want, regroup, regroup || !own || !ps_caps_are_idle(k));
    closed = stay_closed(k);
    if (own && closed.step != PS_STEP_NONE) {
        closed = stay_closed(k); /* closed again: the server goes on */
    }
    if (outcome.step == PS_STEP_NONE) {
        outcome = closed;
    }
    if (outcome.step != PS_STEP_NONE) {
        return outcome;
    }
    if (!ps_fs_ids_are(k, &want)) {
        return failed(PS_STEP_READ_IDS, 0);
    }
    if (regroup && !ps_groups_are(k, &want)) {
        return failed(PS_STEP_READ_GROUPS, 0);
    }
    return ps_caps_are_idle(k) ? succeeded : failed(PS_STEP_READ_CAPS, 0);
}

struct ps_outcome ps_fs_take(const struct ps_kernel *k,
                             const struct ps_identity *who)
{
    return change_fs(k, who, false);
}

struct ps_outcome ps_fs_give_back(const struct ps_kernel *k,
                                  const struct ps_identity *server)
{
    return change_fs(k, server, true);
}
