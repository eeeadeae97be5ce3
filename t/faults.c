/*
 * faults - a kernel on which one call goes wrong, as a row of a table says
 */
#include "faults.h"

#include "support.h"

#include <string.h>

static const struct fault *row;
static int calls;

static bool goes_wrong(void)
{
    calls++;
    return row->call == 0 || calls == row->call;
}

static int wrong_answer(void)
{
    if (row->err == 0) {
        return row->value;
    }
    errno = row->err;
    return -1;
}

int bad_setgroups(size_t size, const gid_t *list)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.setgroups(size, list);
}

int bad_setresgid(gid_t r, gid_t e, gid_t s)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.setresgid(r, e, s);
}

int bad_setresuid(uid_t r, uid_t e, uid_t s)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.setresuid(r, e, s);
}

/* Changes nothing, and gives the right answer to the attempt to return. */
int lying_setresuid(uid_t r, uid_t e, uid_t s)
{
    (void)r;
    (void)e;
    (void)s;
    errno = EPERM;
    return ++calls == 1 ? 0 : -1;
}

/* As where fs.suid_dumpable is 1. */
int opening_setresuid(uid_t r, uid_t e, uid_t s)
{
    int result = ps_kernel.setresuid(r, e, s);

    ps_kernel.prctl(PR_SET_DUMPABLE, 1);
    return result;
}

int bad_unshare(int flags)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.unshare(flags);
}

int bad_capset(cap_user_header_t hdr, const cap_user_data_t data)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.capset(hdr, data);
}

int bad_capget(cap_user_header_t hdr, cap_user_data_t data)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.capget(hdr, data);
}

/* One more in a set than there really is: CAP_CHOWN, or from 32 on. */
int other_capget(cap_user_header_t hdr, cap_user_data_t data)
{
    int result = ps_kernel.capget(hdr, data);

    if (goes_wrong()) {
        struct __user_cap_data_struct *word = &data[row->which];

        word->effective |= row->flag == CAP_EFFECTIVE;
        word->permitted |= row->flag == CAP_PERMITTED;
        word->inheritable |= row->flag == CAP_INHERITABLE;
    }
    return result;
}

int bad_prctl(int option, unsigned long arg)
{
    return option == row->option && goes_wrong() ? wrong_answer()
                                                 : ps_kernel.prctl(option, arg);
}

static unsigned wrong_id(void)
{
    return row->value ? (unsigned)row->value : SERVER;
}

int bad_getresuid(uid_t *r, uid_t *e, uid_t *s)
{
    uid_t *const ids[] = {r, e, s};
    int result = ps_kernel.getresuid(r, e, s);

    if (!goes_wrong()) {
        return result;
    }
    if (row->err != 0) {
        return wrong_answer();
    }
    *ids[row->which] = wrong_id();
    return 0;
}

int bad_getresgid(gid_t *r, gid_t *e, gid_t *s)
{
    gid_t *const ids[] = {r, e, s};

    ps_kernel.getresgid(r, e, s);
    if (row->err != 0) {
        return wrong_answer();
    }
    *ids[row->which] = SERVER;
    return 0;
}

int bad_getgroups(int size, gid_t *list)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.getgroups(size, list);
}

int other_getgroups(int size, gid_t *list)
{
    int n = ps_kernel.getgroups(size, list);

    list[row->which] = STRANGER;
    return n;
}

/* Changes all right, and says that it was another's for ever. */
int bad_setfsuid(uid_t uid)
{
    ps_kernel.setfsuid(uid);
    return (int)wrong_id();
}

int bad_setfsgid(gid_t gid)
{
    ps_kernel.setfsgid(gid);
    return SERVER;
}

/* setfsuid(2) and setfsgid(2) have no other way to fail than this. */
int idle_setfsuid(uid_t uid)
{
    (void)uid;
    return ps_kernel.setfsuid((uid_t)-1);
}

int idle_setfsgid(gid_t gid)
{
    (void)gid;
    return ps_kernel.setfsgid((gid_t)-1);
}

/* As where fs.suid_dumpable is 1. */
int opening_setfsuid(uid_t uid)
{
    int before = ps_kernel.setfsuid(uid);

    if (uid != (uid_t)-1) {
        ps_kernel.prctl(PR_SET_DUMPABLE, 1);
    }
    return before;
}

cap_t no_cap_get_proc(void)
{
    errno = ENOMEM;
    return NULL;
}

/* One capability more or less than there really is. */
cap_t bad_cap_get_proc(void)
{
    cap_t caps = ps_kernel.cap_get_proc();
    cap_value_t cap = row->held == CAP_SET ? CAP_CHOWN : CAP_SETUID;

    cap_set_flag(caps, row->flag, 1, &cap, row->held);
    return caps;
}

int bad_kill(pid_t pid, int sig)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.kill(pid, sig);
}

struct ps_kernel kernel_with(const struct fault *fault)
{
    struct ps_kernel k = ps_kernel;
    const struct ps_kernel *wrong = &fault->wrong;

    row = fault;
    calls = 0;
    k.setgroups = wrong->setgroups ? wrong->setgroups : k.setgroups;
    k.setresgid = wrong->setresgid ? wrong->setresgid : k.setresgid;
    k.setresuid = wrong->setresuid ? wrong->setresuid : k.setresuid;
    k.capset = wrong->capset ? wrong->capset : k.capset;
    k.unshare = wrong->unshare ? wrong->unshare : k.unshare;
    k.prctl = wrong->prctl ? wrong->prctl : k.prctl;
    k.getresuid = wrong->getresuid ? wrong->getresuid : k.getresuid;
    k.getresgid = wrong->getresgid ? wrong->getresgid : k.getresgid;
    k.getgroups = wrong->getgroups ? wrong->getgroups : k.getgroups;
    k.setfsuid = wrong->setfsuid ? wrong->setfsuid : k.setfsuid;
    k.setfsgid = wrong->setfsgid ? wrong->setfsgid : k.setfsgid;
    k.capget = wrong->capget ? wrong->capget : k.capget;
    k.cap_get_proc = wrong->cap_get_proc ? wrong->cap_get_proc : k.cap_get_proc;
    k.kill = wrong->kill ? wrong->kill : k.kill;
    return k;
}

void assert_outcome(const struct fault *fault, struct ps_outcome got)
{
    ck_assert_msg(got.step == fault->step, "%s: %s, not %s", fault->name,
                  ps_step_name(got.step), ps_step_name(fault->step));
    ck_assert_msg(got.err == fault->want_err, "%s: \"%s\", not \"%s\"",
                  fault->name, strerror(got.err), strerror(fault->want_err));
}
