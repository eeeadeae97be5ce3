/*
 * Checks privilege: every system call of the drop is made to fail, and made
 * to claim a success that never was: of a thread's, and of a process's that is
 * about to execute a program. No such drop may be taken for one that worked.
 * The rest of the kernel is the real one, so these checks need root; each runs
 * in a process of its own.
 */
#include "faults.h"
#include "suites.h"
#include "support.h"

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const gid_t further[] = {SERVER, GROUP_A, STRANGER};

static void begin(const struct fault *row)
{
    become_server_of(row->further ? 3 : 1, further);
    ck_assert_int_eq(ps_narrow(&ps_kernel).step, PS_STEP_NONE);
}

/* ---- the drop, of a thread and of a process ---- */

/* What both do to change. */
static const struct fault change_rows[] = {
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
};

/* What both read back; and all that is done where it is so already. */
static const struct fault read_rows[] = {
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
};

static const struct fault thread_rows[] = {
    {"unshare fails", WITH(unshare), FAILS(EPERM), STEP(UNSHARE)},
    {"no capabilities to be read", .wrong = {.cap_get_proc = no_cap_get_proc},
     STEP(READ_CAPS)},
    {"a capability is permitted", WITH(cap_get_proc), .flag = CAP_PERMITTED,
     .held = CAP_SET, STEP(READ_CAPS)},
    {"a capability is effective", WITH(cap_get_proc), .flag = CAP_EFFECTIVE,
     .held = CAP_SET, STEP(READ_CAPS)},
    {"a capability is inheritable", WITH(cap_get_proc), .flag = CAP_INHERITABLE,
     .held = CAP_SET, STEP(READ_CAPS)},
};

#define HELD(f, w)                                                             \
    .wrong = {.capget = other_capget}, .flag = (f), .which = (w),              \
    STEP(READ_CAPS)

/* Read with one plain call, as libcap allocates. */
static const struct fault process_rows[] = {
    {"no capabilities to be read", WITH(capget), .err = EINVAL,
     STEP(READ_CAPS)},
    {"a capability is permitted", HELD(CAP_PERMITTED, 0)},
    {"a capability is effective", HELD(CAP_EFFECTIVE, 0)},
    {"a capability is inheritable", HELD(CAP_INHERITABLE, 0)},
    {"a high capability is permitted", HELD(CAP_PERMITTED, 1)},
    {"a high capability is effective", HELD(CAP_EFFECTIVE, 1)},
    {"a high capability is inheritable", HELD(CAP_INHERITABLE, 1)},
};

static struct ps_identity who_of(const struct fault *row)
{
    return (struct ps_identity){
        .uid = row->same_user ? SERVER : TENANT,
        .gid = TENANT,
        .ngroups = row->no_groups ? 0 : 2,
        .groups = row->no_groups ? NULL : two_groups,
    };
}

static void assert_closed(const struct fault *row)
{
    ck_assert_msg(ps_kernel.prctl(PR_GET_DUMPABLE, 0) == 0,
                  "%s: the process is left dumpable", row->name);
}

static void drop_thread(const struct fault *row)
{
    struct ps_identity who = who_of(row);
    struct ps_kernel k = kernel_with(row);

    begin(row);
    errno = EBADF; /* of no call of the drop's */
    assert_outcome(row, ps_drop(&k, &who));
    assert_closed(row);
}

START_TEST(drop_changes)
{
    drop_thread(&change_rows[_i]);
}
END_TEST

START_TEST(drop_reads)
{
    drop_thread(&read_rows[_i]);
}
END_TEST

START_TEST(drop_alone)
{
    drop_thread(&thread_rows[_i]);
}
END_TEST

/* ---- what a vfork child may not call ---- */

static int no_unshare(int flags)
{
    (void)flags;
    ck_abort_msg("a process calls unshare");
}

static cap_t no_libcap(void)
{
    ck_abort_msg("a process calls libcap");
}

static int no_setgroups(size_t size, const gid_t *list)
{
    (void)size;
    (void)list;
    ck_abort_msg("groups are set where they are so already");
}

static int no_setresgid(gid_t r, gid_t e, gid_t s)
{
    (void)r;
    (void)e;
    (void)s;
    ck_abort_msg("gids are set where they are so already");
}

static int no_capset(cap_user_header_t hdr, const cap_user_data_t data)
{
    (void)hdr;
    (void)data;
    ck_abort_msg("capabilities are set where they are so already");
}

static struct ps_kernel process_kernel(const struct fault *row)
{
    struct ps_kernel k = kernel_with(row);

    k.unshare = no_unshare;
    k.cap_get_proc = no_libcap;
    return k;
}

static void drop_process(const struct fault *row)
{
    struct ps_identity who = who_of(row);
    struct ps_kernel k = process_kernel(row);

    begin(row);
    errno = EBADF; /* of no call of the drop's */
    assert_outcome(row, ps_drop_for_exec(&k, &who, false));
    assert_closed(row);
}

START_TEST(exec_changes)
{
    drop_process(&change_rows[_i]);
}
END_TEST

START_TEST(exec_reads)
{
    drop_process(&read_rows[_i]);
}
END_TEST

START_TEST(exec_alone)
{
    drop_process(&process_rows[_i]);
}
END_TEST

/* ---- a process of a thread that is the tenant already ---- */

static const struct fault already_rows[] = {
    {"all is well", STEP(NONE)},
    {"all is well, no groups", .no_groups = true, STEP(NONE)},
    {"all is well, for the server's own user", .same_user = true, STEP(NONE)},
    {"the way to root is open", WITH(setresuid), STEP(RETURN)},
    {"it is closed for another reason", WITH(setresuid), .err = EAGAIN,
     STEP(RETURN)},
};

static void look_only(const struct fault *row)
{
    struct ps_identity who = who_of(row);
    struct ps_kernel k = process_kernel(row);

    k.setgroups = no_setgroups;
    k.setresgid = no_setresgid;
    k.capset = no_capset;
    begin(row);
    ck_assert_int_eq(ps_drop(&ps_kernel, &who).step, PS_STEP_NONE);
    errno = EBADF; /* of no call of the look's */
    assert_outcome(row, ps_drop_for_exec(&k, &who, true));
}

START_TEST(already_is)
{
    look_only(&already_rows[_i]);
}
END_TEST

START_TEST(already_reads)
{
    look_only(&read_rows[_i]);
}
END_TEST

START_TEST(already_alone)
{
    look_only(&process_rows[_i]);
}
END_TEST

Suite *drop_faults_suite(void)
{
    Suite *suite = suite_create("drop: faults");
    TCase *tc = tcase_create("faults");

    add_as_root(tc, drop_changes, ROWS(change_rows));
    add_as_root(tc, drop_reads, ROWS(read_rows));
    add_as_root(tc, drop_alone, ROWS(thread_rows));
    add_as_root(tc, exec_changes, ROWS(change_rows));
    add_as_root(tc, exec_reads, ROWS(read_rows));
    add_as_root(tc, exec_alone, ROWS(process_rows));
    add_as_root(tc, already_is, ROWS(already_rows));
    add_as_root(tc, already_reads, ROWS(read_rows));
    add_as_root(tc, already_alone, ROWS(process_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
