/*
 * Checks ps_signal_as(): every system call that it takes is made to fail, and
 * made to claim a success that never was. A thread that is not again what it
 * was must not be taken for one that is. The rest of the kernel is the real
 * one, so these checks need root.
 */
#include "faults.h"
#include "suites.h"
#include "support.h"
#include "target.h"

#include <string.h>

/* Of the calls of a name, the first goes, the second returns. */
static const struct row
{
    struct fault fault;
    int err;      /* why no process got the signal */
    bool nothing; /* no signal was sent, and nothing was changed */
} rows[] = {
    {{"all is well", STEP(NONE)}, 0, false},
    {{"kill fails", WITH(kill), .err = ESRCH, STEP(NONE)}, ESRCH, false},

    {{"getresuid fails at first", WITH(getresuid), .call = 1, FAILS(EFAULT),
      STEP(READ_IDS)},
     EPERM,
     true},
    {{"raise fails", WITH(capset), .call = 1, .err = EPERM, STEP(NONE)},
     EPERM,
     true},
    {{"raise lies", WITH(capset), .call = 1, STEP(NONE)}, EPERM, true},
    {{"setresuid fails", WITH(setresuid), .call = 1, .err = EAGAIN, STEP(NONE)},
     EAGAIN,
     true},
    {{"setresuid lies: it is the server that sends it", WITH(setresuid),
      .call = 1, STEP(NONE)},
     EPERM,
     false},

    {{"return fails", WITH(setresuid), .call = 2, .err = EPERM, STEP(READ_IDS)},
     0,
     false},
    {{"return lies", WITH(setresuid), .call = 2, STEP(READ_IDS)}, 0, false},
    {{"lower fails", WITH(capset), .call = 2, FAILS(EPERM), STEP(LOWER)},
     0,
     false},
    {{"lower lies", WITH(capset), .call = 2, STEP(READ_CAPS)}, 0, false},
    {{"raise and lower fail", WITH(capset), FAILS(EPERM), STEP(LOWER)},
     EPERM,
     true},

    {{"the process has become dumpable",
      .wrong = {.setresuid = opening_setresuid}, STEP(NONE)},
     0,
     false},
    {{"the process is said to be dumpable, once", WITH(prctl), .call = 1,
      .option = PR_GET_DUMPABLE, .value = 1, STEP(NONE)},
     0,
     false},
    {{"the process is said to be dumpable", WITH(prctl),
      .option = PR_GET_DUMPABLE, .value = 1, STEP(DUMPABLE)},
     0,
     false},
    {{"the process is dumpable for root alone", WITH(prctl),
      .option = PR_GET_DUMPABLE, .value = 2, STEP(NONE)},
     0,
     false},
    {{"nobody knows whether it is dumpable", WITH(prctl),
      .option = PR_GET_DUMPABLE, FAILS(EINVAL), STEP(DUMPABLE)},
     0,
     false},

    {{"getresuid fails", WITH(getresuid), .call = 2, .err = EFAULT,
      STEP(READ_IDS)},
     0,
     false},
    {{"another real uid", WITH(getresuid), .call = 2, .which = 0,
      .value = TENANT, STEP(READ_IDS)},
     0,
     false},
    {{"another effective uid", WITH(getresuid), .call = 2, .which = 1,
      .value = TENANT, STEP(READ_IDS)},
     0,
     false},
    {{"another saved uid", WITH(getresuid), .call = 2, .which = 2,
      .value = TENANT, STEP(READ_IDS)},
     0,
     false},
    {{"another file-system uid", WITH(setfsuid), .value = TENANT,
      STEP(READ_IDS)},
     0,
     false},

    {{"no capabilities to be read", WITH(capget), .err = EINVAL,
      STEP(READ_CAPS)},
     0,
     false},
    {{"one is effective", .wrong = {.capget = other_capget}, .which = 0,
      STEP(READ_CAPS)},
     0,
     false},
    {{"a high one is effective", .wrong = {.capget = other_capget}, .which = 1,
      STEP(READ_CAPS)},
     0,
     false},
};

static struct ps_kernel k;
static int sent;
static int (*next_kill)(pid_t pid, int sig);

static int count_kill(pid_t pid, int sig)
{
    sent++;
    return next_kill(pid, sig);
}

/* Whether it is done as it should be, whatever else is told. */
START_TEST(signal_faults)
{
    const struct row *row = &rows[_i];
    const char *name = row->fault.name;
    struct target target = start_target(TENANT, false);
    struct ps_outcome outcome;
    struct status status;
    int err = -1;

    k = kernel_with(&row->fault);
    next_kill = k.kill;
    k.kill = count_kill;
    become_narrow_server();
    errno = EBADF; /* of no call of it */
    outcome = ps_signal_as(&k, TENANT, target.pid, 0, &err);
    assert_outcome(&row->fault, outcome);
    ck_assert_msg(err == row->err, "%s: %s, not %s", name, strerror(err),
                  strerror(row->err));
    ck_assert_msg(sent == !row->nothing, "%s: %d signals", name, sent);
    if (outcome.step == PS_STEP_NONE || row->nothing) {
        status = my_status();
        assert_reaches_as(name, &status, &server);
    }
    ck_assert_msg(ps_kernel.prctl(PR_GET_DUMPABLE, 0) == 0,
                  "%s: the process is left dumpable", name);
}
END_TEST

Suite *signal_faults_suite(void)
{
    Suite *suite = suite_create("signal: faults");
    TCase *tc = tcase_create("faults");

    add_as_root(tc, signal_faults, ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
