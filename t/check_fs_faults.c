/*
 * Checks the file-system identity of privilege: every system call that it
 * takes is made to fail, and made to claim a success that never was. None may
 * be taken for a success, and none leaves the thread with capabilities.
 */
#include "faults.h"
#include "suites.h"
#include "support.h"

#include <string.h>

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const gid_t descending[] = {GROUP_B, GROUP_A};
static const gid_t server_groups[] = {SERVER, GROUP_A, STRANGER};

/* Of the capset calls the first raises, the second lowers. */
static const struct fault rows[] = {
    {"all is well", STEP(NONE)},
    {"all is well, no groups", .no_groups = true, STEP(NONE)},
    {"all is well, from further groups", .further = true, STEP(NONE)},
    {"all is well, back", .back = true, STEP(NONE)},
    {"all is well, back, no groups", .back = true, .no_groups = true,
     STEP(NONE)},
    {"all is well, back to further groups", .back = true, .further = true,
     STEP(NONE)},

    {"raise fails", WITH(capset), .call = 1, FAILS(EPERM), STEP(RAISE)},
    {"raise fails, no groups", WITH(capset), .call = 1, .no_groups = true,
     FAILS(EPERM), STEP(RAISE)},
    {"raise fails, back", WITH(capset), .call = 1, .back = true, FAILS(EPERM),
     STEP(RAISE)},
    {"raise would fail, back, no groups", WITH(capset), .err = EPERM,
     .back = true, .no_groups = true, STEP(NONE)},
    {"raise lies", WITH(capset), .call = 1, STEP(GROUPS), LATER(EPERM)},
    {"raise lies, no groups", WITH(capset), .call = 1, .no_groups = true,
     STEP(READ_IDS)},
    {"raise lies, back", WITH(capset), .call = 1, .back = true, STEP(GROUPS),
     LATER(EPERM)},

    {"setgroups fails", WITH(setgroups), FAILS(ENOMEM), STEP(GROUPS)},
    {"setgroups fails, back", WITH(setgroups), .back = true, FAILS(ENOMEM),
     STEP(GROUPS)},
    {"setgroups would fail, no groups", WITH(setgroups), .err = ENOMEM,
     .no_groups = true, STEP(NONE)},
    {"setgroups lies", WITH(setgroups), STEP(READ_GROUPS)},
    {"setgroups lies: the server's stay", WITH(setgroups), .further = true,
     .no_groups = true, STEP(READ_GROUPS)},
    {"setgroups lies: the tenant's stay", WITH(setgroups), .back = true,
     STEP(READ_GROUPS)},

    {"setfsgid does nothing", .wrong = {.setfsgid = idle_setfsgid},
     STEP(READ_IDS)},
    {"setfsgid does nothing, back", .wrong = {.setfsgid = idle_setfsgid},
     .back = true, STEP(READ_IDS)},
    {"setfsuid does nothing", .wrong = {.setfsuid = idle_setfsuid},
     STEP(READ_IDS)},
    {"setfsuid does nothing, back", .wrong = {.setfsuid = idle_setfsuid},
     .back = true, STEP(READ_IDS)},
    {"another file-system uid", WITH(setfsuid), STEP(READ_IDS)},
    {"another file-system gid", WITH(setfsgid), STEP(READ_IDS)},

    {"lower fails", WITH(capset), .call = 2, FAILS(ENOMEM), .raised = true,
     STEP(LOWER)},
    {"lower fails, no groups", WITH(capset), .call = 2, .no_groups = true,
     FAILS(ENOMEM), .raised = true, STEP(LOWER)},
    {"lower fails, back", WITH(capset), .call = 2, .back = true, FAILS(ENOMEM),
     .raised = true, STEP(LOWER)},
    {"lower fails, and the process has become dumpable",
     .wrong = {.capset = bad_capset, .setfsuid = opening_setfsuid}, .call = 2,
     FAILS(ENOMEM), .raised = true, STEP(LOWER)},
    {"lower fails, and the process has become dumpable, back",
     .wrong = {.capset = bad_capset, .setfsuid = opening_setfsuid}, .call = 2,
     .back = true, FAILS(ENOMEM), .raised = true, STEP(LOWER)},
    {"lower lies", WITH(capset), .call = 2, .raised = true, STEP(READ_CAPS)},
    {"lower lies, back", WITH(capset), .call = 2, .back = true, .raised = true,
     STEP(READ_CAPS)},

    {"the process has become dumpable", .wrong = {.setfsuid = opening_setfsuid},
     STEP(DUMPABLE)},
    {"the process has become dumpable, back: closed again, and goes on",
     .wrong = {.setfsuid = opening_setfsuid}, .back = true, .no_groups = true,
     STEP(NONE)},
    {"the process is said to be dumpable", WITH(prctl),
     .option = PR_GET_DUMPABLE, .value = 1, STEP(DUMPABLE)},
    {"the process is dumpable for root alone", WITH(prctl),
     .option = PR_GET_DUMPABLE, .value = 2, STEP(NONE)},
    {"nobody knows whether it is dumpable", WITH(prctl),
     .option = PR_GET_DUMPABLE, FAILS(EINVAL), STEP(DUMPABLE)},

    /*
     * Where getgroups says that nothing is to be changed it is not asked
     * again: who lies there can lie to a second question, too. So there is no
     * row for that lie.
     */
    {"getgroups fails", WITH(getgroups), .err = EINVAL, STEP(READ_GROUPS)},
    {"getgroups fails, no groups", WITH(getgroups), .err = EINVAL,
     .no_groups = true, STEP(READ_GROUPS)},
    {"getgroups fails once", WITH(getgroups), .call = 1, .err = EINVAL,
     STEP(NONE)},
    {"no groups, for two", WITH(getgroups), .value = 0, STEP(READ_GROUPS)},
    {"one group too few", WITH(getgroups), .value = 1, STEP(READ_GROUPS)},
    {"one group too many", WITH(getgroups), .value = 3, STEP(READ_GROUPS)},
    {"a group, for none", WITH(getgroups), .value = 1, .no_groups = true,
     STEP(READ_GROUPS)},
    {"another first group", .wrong = {.getgroups = other_getgroups}, .which = 0,
     STEP(READ_GROUPS)},
    {"another last group", .wrong = {.getgroups = other_getgroups}, .which = 1,
     STEP(READ_GROUPS)},

    {"capabilities cannot be read", WITH(capget), .err = EPERM,
     STEP(READ_CAPS)},
    {"capabilities cannot be read, no groups", WITH(capget), .err = EPERM,
     .no_groups = true, STEP(READ_CAPS)},
    {"capabilities cannot be read, back", WITH(capget), .err = EPERM,
     .back = true, STEP(READ_CAPS)},
    {"capabilities cannot be read, back, no groups", WITH(capget), .err = EPERM,
     .back = true, .no_groups = true, STEP(READ_CAPS)},
    {"one is effective", .wrong = {.capget = other_capget}, .which = 0,
     STEP(READ_CAPS)},
    {"one of the higher ones is effective", .wrong = {.capget = other_capget},
     .which = 1, STEP(READ_CAPS)},
    {"one is effective, back, no groups", .wrong = {.capget = other_capget},
     .back = true, .no_groups = true, STEP(READ_CAPS)},
    /* The first of two calls: it raises for a way that would be free. */
    {"capabilities cannot be read once, back, no groups", WITH(capget),
     .call = 1, .err = EPERM, .back = true, .no_groups = true, STEP(NONE)},
    {"capabilities cannot be read then, back, no groups", WITH(capget),
     .call = 2, .err = EPERM, .back = true, .no_groups = true, STEP(READ_CAPS)},
};

/* What holds after any failure: nobody has more of httpd than before. */
static void assert_closed(const char *name, bool raised)
{
    struct status status = my_status();

    ck_assert_msg(status.effective == (raised ? SWITCHING : 0),
                  "%s: CapEff %llx", name, status.effective);
    ck_assert_msg(status.permitted == SWITCHING && status.inheritable == 0
                      && status.ambient == 0,
                  "%s: CapPrm %llx, CapInh %llx, CapAmb %llx", name,
                  status.permitted, status.inheritable, status.ambient);
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(status.uid[i] == SERVER && status.gid[i] == SERVER,
                      "%s: it is %u:%u", name, status.uid[i], status.gid[i]);
    }
    ck_assert_msg(ps_kernel.prctl(PR_GET_DUMPABLE, 0) == 0,
                  "%s: the process is left dumpable", name);
}

static struct ps_outcome change(const struct ps_kernel *k,
                                const struct ps_identity *who, bool back)
{
    return back ? ps_fs_give_back(k, who) : ps_fs_take(k, who);
}

static void change_well(const char *name, const struct ps_identity *who,
                        bool back)
{
    struct ps_outcome outcome = change(&ps_kernel, who, back);
    struct status status = my_status();

    ck_assert_msg(outcome.step == PS_STEP_NONE, "%s: %s: %s", name,
                  ps_step_name(outcome.step), strerror(outcome.err));
    assert_reaches_as(name, &status, who);
}

START_TEST(take)
{
    const struct fault *row = &rows[_i];
    const struct ps_identity tenant = {TENANT, TENANT, row->no_groups ? 0 : 2,
                                       row->no_groups ? NULL : two_groups};
    const struct ps_identity own = {SERVER, SERVER, row->further ? 3 : 0,
                                    server_groups};
    const struct ps_identity *who = row->back ? &own : &tenant;
    struct ps_kernel k = kernel_with(row);
    struct status status;

    become_server_of(row->further ? 3 : 1, server_groups);
    ck_assert_int_eq(ps_narrow(&ps_kernel).step, PS_STEP_NONE);
    if (row->back) {
        change_well("the tenant, at first", &tenant, false);
    }
    errno = EBADF; /* of no call that is made here */
    assert_outcome(row, change(&k, who, row->back));
    assert_closed(row->name, row->raised);
    if (row->step == PS_STEP_NONE) {
        status = my_status();
        assert_reaches_as(row->name, &status, who);
    }
    /*
     * Nothing is broken for good, what was not lowered included: a second
     * attempt does all of it, and it can be the server's again.
     */
    change_well(row->name, who, row->back);
    change_well(row->name, &own, true);
}
END_TEST

/* ---- what the real kernel refuses ---- */

static const struct refused_row
{
    const char *name;
    unsigned permitted;
    struct ps_identity who;
    enum ps_step step;
    int err;
    bool back; /* from a tenant without groups */
} refused_rows[] = {
    {"no capabilities",
     0,
     {TENANT, TENANT, 0, NULL},
     .step = PS_STEP_RAISE,
     .err = EPERM},
    {"CAP_SETUID alone",
     1U << CAP_SETUID,
     {TENANT, TENANT, 0, NULL},
     .step = PS_STEP_RAISE,
     .err = EPERM},
    {"CAP_SETGID alone",
     1U << CAP_SETGID,
     {TENANT, TENANT, 0, NULL},
     .step = PS_STEP_RAISE,
     .err = EPERM},
    {"uid -1, which is none",
     SWITCHING,
     {(uid_t)-1, TENANT, 0, NULL},
     .step = PS_STEP_READ_IDS,
     .err = 0},
    {"gid -1, which is none",
     SWITCHING,
     {TENANT, (gid_t)-1, 0, NULL},
     .step = PS_STEP_READ_IDS,
     .err = 0},
    {"more groups than the kernel takes",
     SWITCHING,
     {TENANT, TENANT, 65537, two_groups},
     .step = PS_STEP_GROUPS,
     .err = EINVAL},
    {"groups that cannot be read",
     SWITCHING,
     {TENANT, TENANT, 2, NULL},
     .step = PS_STEP_GROUPS,
     .err = EFAULT},
    {"groups not ascending",
     SWITCHING,
     {TENANT, TENANT, 2, descending},
     .step = PS_STEP_READ_GROUPS,
     .err = 0},

    /* The way back raises none where the groups are the same. */
    {"back, no capabilities",
     0,
     {SERVER, SERVER, 0, NULL},
     .step = PS_STEP_NONE,
     .err = 0,
     .back = true},
    {"back to other groups, no capabilities",
     0,
     {SERVER, SERVER, 2, two_groups},
     .step = PS_STEP_RAISE,
     .err = EPERM,
     .back = true},
    {"back to a uid that is not its own",
     SWITCHING,
     {STRANGER, SERVER, 0, NULL},
     .step = PS_STEP_READ_IDS,
     .err = 0,
     .back = true},
    {"back to a gid that is not its own",
     SWITCHING,
     {SERVER, STRANGER, 0, NULL},
     .step = PS_STEP_READ_IDS,
     .err = 0,
     .back = true},
};

START_TEST(refused)
{
    const struct refused_row *row = &refused_rows[_i];
    const struct ps_identity tenant = {TENANT, TENANT, 0, NULL};
    struct ps_outcome outcome;

    become_narrow_server();
    if (row->back) {
        change_well("the tenant, at first", &tenant, false);
    }
    ck_assert_int_eq(change_caps(row->permitted, 0, 0), 0);
    outcome = change(&ps_kernel, &row->who, row->back);
    ck_assert_msg(outcome.step == row->step, "%s: %s", row->name,
                  ps_step_name(outcome.step));
    ck_assert_msg(outcome.err == row->err, "%s: %s", row->name,
                  strerror(outcome.err));
    ck_assert_msg(my_status().effective == 0, "%s: capabilities", row->name);
}
END_TEST

/* ---- how many groups, and a list that cannot be read ---- */

static const struct many_row
{
    const char *name;
    size_t ngroups;
    enum ps_step step;
} many_rows[] = {
    {"as many as a tenant may have", PS_GROUPS_MAX, PS_STEP_NONE},
    {"one too many", PS_GROUPS_MAX + 1, PS_STEP_READ_GROUPS},
};

START_TEST(many)
{
    const struct many_row *row = &many_rows[_i];
    static gid_t groups[PS_GROUPS_MAX + 1];
    const struct ps_identity who = {TENANT, TENANT, row->ngroups, groups};
    struct ps_fs_identity was;
    bool well = row->step == PS_STEP_NONE;

    for (size_t i = 0; i < ROWS(groups); i++) {
        groups[i] = (gid_t)(GROUP_A + i);
    }
    become_narrow_server();
    ck_assert_msg(ps_fs_take(&ps_kernel, &who).step == row->step, "%s",
                  row->name);
    ck_assert_msg(ps_fs_is(&ps_kernel, &who) == well, "%s: denied", row->name);
    ck_assert_msg(ps_fs_read(&ps_kernel, &was) == well, "%s: read", row->name);
    if (well) {
        ck_assert_uint_eq(was.who.ngroups, row->ngroups);
        ck_assert_mem_eq(was.list, groups, sizeof(was.list));
    }
    change_well("the server", &server, true);
}
END_TEST

Suite *fs_faults_suite(void)
{
    Suite *suite = suite_create("file-system identity: faults");
    TCase *tc = tcase_create("fs_faults");

    add_as_root(tc, take, ROWS(rows));
    add_as_root(tc, refused, ROWS(refused_rows));
    add_as_root(tc, many, ROWS(many_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
