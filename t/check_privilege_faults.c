/*
 * Checks privilege: every system call of a change of privilege is made to
 * fail, and made to claim a success that never was. No such change may be
 * taken for one that worked. The rest of the kernel is the real one, so these
 * checks need root; each runs in a process of its own.
 */
#include "faults.h"
#include "suites.h"
#include "support.h"

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const gid_t further[] = {SERVER, GROUP_A, STRANGER};

static void begin(const struct fault *row)
{
    become_server_of(row->further ? 3 : 1, further);
}

/* ---- the drop ---- */

static const struct fault drop_rows[] = {
    {"all is well", STEP(NONE)},
    {"all is well, no groups", .no_groups = true, STEP(NONE)},

    {"raise fails", WITH(capset), .call = 1, FAILS(EPERM), STEP(RAISE)},
    {"raise lies", WITH(capset), .call = 1, STEP(GROUPS), LATER(EPERM)},
    {"setgroups fails", WITH(setgroups), FAILS(EPERM), STEP(GROUPS)},
    {"setgroups fails, no groups", WITH(setgroups), FAILS(ENOMEM),
     .no_groups = true, STEP(GROUPS)},
    {"setgroups lies", WITH(setgroups), STEP(READ_GROUPS)},
    {"setgroups lies: the server's stay", WITH(setgroups), .further = true,
     .no_groups = true, STEP(READ_GROUPS)},
    {"setgroups lies: as many of the server's stay", WITH(setgroups),
     .further = true, STEP(READ_GROUPS)},
    {"setgroups lies where there is nothing to set", WITH(setgroups),
     .no_groups = true, STEP(NONE)},
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
    const struct fault *row = &drop_rows[_i];
    struct ps_kernel k = kernel_with(row);

    if (row->no_groups) {
        who.ngroups = 0;
        who.groups = NULL;
    }
    if (row->same_user) {
        who.uid = SERVER;
    }
    begin(row);
    ck_assert_int_eq(ps_narrow(&ps_kernel).step, PS_STEP_NONE);
    errno = EBADF; /* of no call of the drop's */
    assert_outcome(row, ps_drop(&k, &who));
    ck_assert_msg(ps_kernel.prctl(PR_GET_DUMPABLE, 0) == 0,
                  "%s: the process is left dumpable", row->name);
}
END_TEST

/* ---- narrowing ---- */

static const struct fault narrow_rows[] = {
    {"all is well", STEP(NONE)},
    {"all is well, with further groups", .further = true, .left = 3,
     STEP(NONE)},

    {"raise fails", WITH(capset), .call = 1, FAILS(EPERM), STEP(RAISE)},
    {"raise lies", WITH(capset), .call = 1, STEP(GROUPS), LATER(EPERM)},
    {"setgroups fails", WITH(setgroups), FAILS(ENOMEM), STEP(GROUPS)},
    {"setgroups lies", WITH(setgroups), STEP(READ_GROUPS)},
    /* Harmless, each: a group stays that says no more than the gid. */
    {"getgroups fails", WITH(getgroups), .err = EINVAL, .left = 1, STEP(NONE)},
    {"getresgid fails", WITH(getresgid), .err = EFAULT, .left = 1, STEP(NONE)},
    {"the only group is another", .wrong = {.getgroups = other_getgroups},
     .which = 0, .left = 1, STEP(NONE)},
    {"setgroups would fail, with further groups", WITH(setgroups), .err = EPERM,
     .further = true, .left = 3, STEP(NONE)},

    {"narrowing fails", WITH(capset), .call = 2, FAILS(EPERM), STEP(NARROW)},
    {"narrowing lies", WITH(capset), .call = 2, STEP(READ_CAPS)},
    {"narrowing fails, with further groups", WITH(capset), .further = true,
     FAILS(EPERM), STEP(NARROW)},
    {"narrowing lies, with further groups", WITH(capset), .further = true,
     STEP(READ_CAPS)},
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
    const struct fault *row = &narrow_rows[_i];
    struct ps_kernel k = kernel_with(row);

    begin(row);
    ck_assert_int_eq(ps_kernel.prctl(PR_SET_DUMPABLE, 1), 0);
    errno = EBADF; /* of no call of ps_narrow()'s */
    assert_outcome(row, ps_narrow(&k));
    if (row->step == PS_STEP_NONE) {
        ck_assert_msg(ps_kernel.getgroups(0, NULL) == row->left,
                      "%s: %d groups, not %d", row->name,
                      ps_kernel.getgroups(0, NULL), row->left);
    }
}
END_TEST

/* ---- keeping capabilities, up to narrowing: the child must not serve ---- */

static const struct fault keep_rows[] = {
    {"all is well", STEP(NONE)},
    {"keepcaps fails", WITH(prctl), .option = PR_SET_KEEPCAPS, .call = 1,
     FAILS(EPERM), STEP(KEEPCAPS)},
    {"keepcaps lies", WITH(prctl), .option = PR_SET_KEEPCAPS, .call = 1},
};

START_TEST(keep)
{
    const struct fault *row = &keep_rows[_i];
    struct ps_kernel k = kernel_with(row);
    struct ps_outcome got = ps_keep_capabilities(&k);

    if (got.step == PS_STEP_NONE) {
        ck_assert_int_eq(change_uid(SERVER), 0);
        got = ps_narrow(&k);
    }
    if (row->call == 0 || row->err != 0) {
        assert_outcome(row, got);
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
