/*
 * Checks privilege: every system call of a change of privilege is made to
 * fail, and made to claim a success that never was. No such change may be
 * taken for one that worked. The rest of the kernel is the real one, so these
 * checks need root; each runs in a process of its own.
 */
#include "privilege.h"
#include "suites.h"
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

static const gid_t two_groups[] = {GROUP_A, GROUP_B};

/* One thing that goes wrong. */
static const struct row
{
    const char *name;
    struct ps_kernel wrong; /* what is set here replaces the real call */
    int call;               /* which call of it, from 1; 0: each */
    int option;             /* of prctl, if the call is that */
    int err;                /* it fails with this; 0: it returns `value` */
    int value;
    int which;             /* of several results, the one that is wrong */
    cap_flag_t flag;       /* of several sets */
    cap_flag_value_t held; /* what CAP_SETUID (CAP_CHOWN: set) is there */
    bool no_groups;        /* the tenant has none */
    bool same_user;        /* the tenant is the server's own user */
    enum ps_step step;     /* what is to come of it */
    int want_err;
} * row;

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

static int bad_setgroups(size_t size, const gid_t *list)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.setgroups(size, list);
}

static int bad_setresgid(gid_t r, gid_t e, gid_t s)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.setresgid(r, e, s);
}

static int bad_setresuid(uid_t r, uid_t e, uid_t s)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.setresuid(r, e, s);
}

/* Changes nothing, and gives the right answer to the attempt to return. */
static int lying_setresuid(uid_t r, uid_t e, uid_t s)
{
    (void)r;
    (void)e;
    (void)s;
    errno = EPERM;
    return ++calls == 1 ? 0 : -1;
}

/* As where fs.suid_dumpable is 1. */
static int opening_setresuid(uid_t r, uid_t e, uid_t s)
{
    int result = ps_kernel.setresuid(r, e, s);

    ps_kernel.prctl(PR_SET_DUMPABLE, 1);
    return result;
}

static int bad_unshare(int flags)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.unshare(flags);
}

static int bad_capset(cap_user_header_t hdr, const cap_user_data_t data)
{
    return goes_wrong() ? wrong_answer() : ps_kernel.capset(hdr, data);
}

static int bad_prctl(int option, unsigned long arg)
{
    return option == row->option && goes_wrong() ? wrong_answer()
                                                 : ps_kernel.prctl(option, arg);
}

static int bad_getresuid(uid_t *r, uid_t *e, uid_t *s)
{
    uid_t *const ids[] = {r, e, s};

    ps_kernel.getresuid(r, e, s);
    if (row->err != 0) {
        return wrong_answer();
    }
    *ids[row->which] = SERVER;
    return 0;
}

static int bad_getresgid(gid_t *r, gid_t *e, gid_t *s)
{
    gid_t *const ids[] = {r, e, s};

    ps_kernel.getresgid(r, e, s);
    if (row->err != 0) {
        return wrong_answer();
    }
    *ids[row->which] = SERVER;
    return 0;
}

static int bad_getgroups(int size, gid_t *list)
{
    (void)size;
    (void)list;
    return wrong_answer();
}

static int other_getgroups(int size, gid_t *list)
{
    int n = ps_kernel.getgroups(size, list);

    list[row->which] = STRANGER;
    return n;
}

static int bad_setfsuid(uid_t uid)
{
    ps_kernel.setfsuid(uid);
    return SERVER;
}

static int bad_setfsgid(gid_t gid)
{
    ps_kernel.setfsgid(gid);
    return SERVER;
}

static cap_t no_cap_get_proc(void)
{
    errno = ENOMEM;
    return NULL;
}

/* One capability more or less than there really is. */
static cap_t bad_cap_get_proc(void)
{
    cap_t caps = ps_kernel.cap_get_proc();
    cap_value_t cap = row->held == CAP_SET ? CAP_CHOWN : CAP_SETUID;

    cap_set_flag(caps, row->flag, 1, &cap, row->held);
    return caps;
}

/* The real kernel, but for what the row replaces. */
static struct ps_kernel kernel_of_row(void)
{
    struct ps_kernel k = ps_kernel;
    const struct ps_kernel *wrong = &row->wrong;

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
    k.cap_get_proc = wrong->cap_get_proc ? wrong->cap_get_proc : k.cap_get_proc;
    return k;
}

static void assert_outcome(struct ps_outcome got)
{
    ck_assert_msg(got.step == row->step, "%s: %s, not %s", row->name,
                  ps_step_name(got.step), ps_step_name(row->step));
    ck_assert_msg(got.err == row->want_err, "%s: \"%s\", not \"%s\"", row->name,
                  strerror(got.err), strerror(row->want_err));
}

/* ---- the drop ---- */

#define WITH(member) .wrong = {.member = bad_##member}
#define FAILS(e) .err = (e), .want_err = (e)
#define STEP(s) .step = PS_STEP_##s
#define LATER(e) .want_err = (e) /* what fails because of the lie */

static const struct row drop_rows[] = {
    {"all is well", STEP(NONE)},
    {"all is well, no groups", .no_groups = true, STEP(NONE)},

    {"raise fails", WITH(capset), .call = 1, FAILS(EPERM), STEP(RAISE)},
    {"raise lies", WITH(capset), .call = 1, STEP(GROUPS), LATER(EPERM)},
    {"setgroups fails", WITH(setgroups), FAILS(EPERM), STEP(GROUPS)},
    {"setgroups fails, no groups", WITH(setgroups), FAILS(ENOMEM),
     .no_groups = true, STEP(GROUPS)},
    {"setgroups lies", WITH(setgroups), STEP(READ_GROUPS)},
    {"setgroups lies: the server's stay", WITH(setgroups), .no_groups = true,
     STEP(READ_GROUPS)},
    {"setresgid fails", WITH(setresgid), FAILS(EPERM), STEP(GID)},
    {"setresgid lies", WITH(setresgid), STEP(READ_IDS)},
    {"setresuid fails", WITH(setresuid), .call = 1, FAILS(EAGAIN), STEP(UID)},
    {"setresuid lies", WITH(setresuid), .call = 1, STEP(RETURN)},
    {"setresuid lies throughout", .wrong = {.setresuid = lying_setresuid},
     STEP(READ_IDS)},
    {"clear fails", WITH(capset), .call = 2, FAILS(EPERM), STEP(CLEAR)},
    {"unshare fails", WITH(unshare), FAILS(EPERM), STEP(UNSHARE)},
    {"clear lies", WITH(capset), .call = 2, STEP(RETURN)},
    {"clear lies, for the server's own user", WITH(capset), .call = 2,
     .same_user = true, STEP(RETURN)},
    {"all is well, for the server's own user", .same_user = true, STEP(NONE)},

    {"the process has become dumpable",
     .wrong = {.setresuid = opening_setresuid}, STEP(DUMPABLE)},
    {"the process is said to be dumpable", WITH(prctl),
     .option = PR_GET_DUMPABLE, .value = 1, STEP(DUMPABLE)},
    {"the process is dumpable for root alone", WITH(prctl),
     .option = PR_GET_DUMPABLE, .value = 2, STEP(NONE)},
    {"nobody knows whether it is dumpable", WITH(prctl),
     .option = PR_GET_DUMPABLE, FAILS(EINVAL), STEP(DUMPABLE)},

    {"the way back is open", WITH(setresuid), .call = 2, STEP(RETURN)},
    {"the way back is closed for another reason", WITH(setresuid), .call = 2,
     .err = EAGAIN, STEP(RETURN)},
    {"the way back does not exist", WITH(setresuid), .call = 2, .err = EINVAL,
     STEP(RETURN)},

    {"getresuid fails", WITH(getresuid), .err = EFAULT, STEP(READ_IDS)},
    {"another real uid", WITH(getresuid), .which = 0, STEP(READ_IDS)},
    {"another effective uid", WITH(getresuid), .which = 1, STEP(READ_IDS)},
    {"another saved uid", WITH(getresuid), .which = 2, STEP(READ_IDS)},
    {"getresgid fails", WITH(getresgid), .err = EFAULT, STEP(READ_IDS)},
    {"another real gid", WITH(getresgid), .which = 0, STEP(READ_IDS)},
    {"another effective gid", WITH(getresgid), .which = 1, STEP(READ_IDS)},
    {"another saved gid", WITH(getresgid), .which = 2, STEP(READ_IDS)},
    {"another file-system uid", WITH(setfsuid), STEP(READ_IDS)},
    {"another file-system gid", WITH(setfsgid), STEP(READ_IDS)},

    {"getgroups fails", WITH(getgroups), .err = EINVAL, STEP(READ_GROUPS)},
    {"no groups, for two", WITH(getgroups), .value = 0, STEP(READ_GROUPS)},
    {"one group too few", WITH(getgroups), .value = 1, STEP(READ_GROUPS)},
    {"one group too many", WITH(getgroups), .value = 3, STEP(READ_GROUPS)},
    {"a group, for none", WITH(getgroups), .value = 1, .no_groups = true,
     STEP(READ_GROUPS)},
    {"another first group", .wrong = {.getgroups = other_getgroups}, .which = 0,
     STEP(READ_GROUPS)},
    {"another last group", .wrong = {.getgroups = other_getgroups}, .which = 1,
     STEP(READ_GROUPS)},

    {"no capabilities to be read", .wrong = {.cap_get_proc = no_cap_get_proc},
     STEP(READ_CAPS)},
    {"a capability is permitted", WITH(cap_get_proc), .flag = CAP_PERMITTED,
     .held = CAP_SET, STEP(READ_CAPS)},
    {"a capability is effective", WITH(cap_get_proc), .flag = CAP_EFFECTIVE,
     .held = CAP_SET, STEP(READ_CAPS)},
    {"a capability is inheritable", WITH(cap_get_proc), .flag = CAP_INHERITABLE,
     .held = CAP_SET, STEP(READ_CAPS)},
};

START_TEST(drop)
{
    struct ps_identity who = {TENANT, TENANT, 2, two_groups};
    struct ps_kernel k;

    row = &drop_rows[_i];
    if (row->no_groups) {
        who.ngroups = 0;
        who.groups = NULL;
    }
    if (row->same_user) {
        who.uid = SERVER;
    }
    become_narrow_server();
    k = kernel_of_row();
    errno = EBADF; /* of no call of the drop's */
    assert_outcome(ps_drop(&k, &who));
    ck_assert_msg(ps_kernel.prctl(PR_GET_DUMPABLE, 0) == 0,
                  "%s: the process is left dumpable", row->name);
}
END_TEST

/* ---- narrowing ---- */

static const struct row narrow_rows[] = {
    {"all is well", STEP(NONE)},

    {"capset fails", WITH(capset), FAILS(EPERM), STEP(NARROW)},
    {"capset lies", WITH(capset), STEP(READ_CAPS)},
    {"ambient fails", WITH(prctl), .option = PR_CAP_AMBIENT, FAILS(EINVAL),
     STEP(AMBIENT)},
    {"keepcaps fails", WITH(prctl), .option = PR_SET_KEEPCAPS, FAILS(EPERM),
     STEP(KEEPCAPS)},
    {"keepcaps lies", WITH(prctl), .option = PR_SET_KEEPCAPS, STEP(KEEPCAPS)},
    {"keepcaps cannot be read", WITH(prctl), .option = PR_GET_KEEPCAPS,
     FAILS(EINVAL), STEP(KEEPCAPS)},
    {"keepcaps is still on", WITH(prctl), .option = PR_GET_KEEPCAPS, .value = 1,
     STEP(KEEPCAPS)},
    {"dumpable fails", WITH(prctl), .option = PR_SET_DUMPABLE, FAILS(EINVAL),
     STEP(DUMPABLE)},
    {"dumpable lies", WITH(prctl), .option = PR_SET_DUMPABLE, STEP(DUMPABLE)},
    {"dumpable cannot be read", WITH(prctl), .option = PR_GET_DUMPABLE,
     FAILS(EINVAL), STEP(DUMPABLE)},
    {"still dumpable", WITH(prctl), .option = PR_GET_DUMPABLE, .value = 1,
     STEP(DUMPABLE)},

    {"no capabilities to be read", .wrong = {.cap_get_proc = no_cap_get_proc},
     STEP(READ_CAPS)},
    {"one more is permitted", WITH(cap_get_proc), .flag = CAP_PERMITTED,
     .held = CAP_SET, STEP(READ_CAPS)},
    {"one of the two is not permitted", WITH(cap_get_proc),
     .flag = CAP_PERMITTED, .held = CAP_CLEAR, STEP(READ_CAPS)},
    {"one is effective", WITH(cap_get_proc), .flag = CAP_EFFECTIVE,
     .held = CAP_SET, STEP(READ_CAPS)},
    {"one is inheritable", WITH(cap_get_proc), .flag = CAP_INHERITABLE,
     .held = CAP_SET, STEP(READ_CAPS)},
};

START_TEST(narrow)
{
    struct ps_kernel k;

    row = &narrow_rows[_i];
    become_server();
    ck_assert_int_eq(ps_kernel.prctl(PR_SET_DUMPABLE, 1), 0);
    k = kernel_of_row();
    errno = EBADF; /* of no call of ps_narrow()'s */
    assert_outcome(ps_narrow(&k));
}
END_TEST

/* ---- keeping capabilities, up to narrowing: the child must not serve ---- */

static const struct row keep_rows[] = {
    {"all is well", STEP(NONE)},
    {"keepcaps fails", WITH(prctl), .option = PR_SET_KEEPCAPS, .call = 1,
     FAILS(EPERM), STEP(KEEPCAPS)},
    {"keepcaps lies", WITH(prctl), .option = PR_SET_KEEPCAPS, .call = 1},
};

START_TEST(keep)
{
    struct ps_kernel k;
    struct ps_outcome got;

    row = &keep_rows[_i];
    k = kernel_of_row();
    got = ps_keep_capabilities(&k);
    if (got.step == PS_STEP_NONE) {
        ck_assert_int_eq(change_uid(SERVER), 0);
        got = ps_narrow(&k);
    }
    if (row->call == 0 || row->err != 0) {
        assert_outcome(got);
    }
    ck_assert_msg((got.step == PS_STEP_NONE) == (row->call == 0),
                  "%s: taken for a success", row->name);
}
END_TEST

Suite *privilege_faults_suite(void)
{
    Suite *suite = suite_create("privilege: faults");
    TCase *tc = tcase_create("faults");

    add_as_root(tc, keep, ROWS(keep_rows));
    add_as_root(tc, narrow, ROWS(narrow_rows));
    add_as_root(tc, drop, ROWS(drop_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
