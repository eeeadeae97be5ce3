/*
 * Checks privilege: every system call of narrowing is made to fail, and made
 * to claim a success that never was. No such change may be taken for one that
 * worked. The rest of the kernel is the real one, so these checks need root;
 * each runs in a process of its own. (The drop: check_drop_faults.c.)
 */
#include "faults.h"
#include "suites.h"
#include "support.h"

static const gid_t further[] = {SERVER, GROUP_A, STRANGER};

static void begin(const struct fault *row)
{
    become_server_of(row->further ? 3 : 1, further);
}

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
    suite_add_tcase(suite, tc);
    return suite;
}
