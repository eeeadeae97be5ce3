/*
 * Checks tenant_thread on the running kernel: where the thread cannot be
 * started, or cannot become the tenant whole, the errand does not run, the
 * reason is told, and nothing is left behind.
 */
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define KIB ((size_t)1024)

static const gid_t descending[] = {GROUP_B, GROUP_A};

static void count_run(void *data)
{
    ++*(int *)data;
}

static bool same_mask(const sigset_t *a, const sigset_t *b)
{
    for (int signal = 1; signal <= SIGRTMAX; signal++) {
        if (sigismember(a, signal) != sigismember(b, signal)) {
            return false;
        }
    }
    return true;
}

static sigset_t my_mask(void)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return mask;
}

static bool as_it_is(void)
{
    return true;
}

static bool without_capabilities(void)
{
    return change_caps(0, 0, 0) == 0;
}

static bool with_setgid_alone(void)
{
    return change_caps(1U << CAP_SETGID, 0, 0) == 0;
}

static bool with_setuid_alone(void)
{
    return change_caps(1U << CAP_SETUID, 0, 0) == 0;
}

static bool without_room_for_threads(void)
{
    struct rlimit limit = {0, 0};

    return setrlimit(RLIMIT_NPROC, &limit) == 0;
}

static bool with_a_small_stack(void)
{
    struct rlimit limit = {192 * KIB, 192 * KIB};

    return setrlimit(RLIMIT_STACK, &limit) == 0;
}

static const struct row
{
    const char *name;
    bool (*prepare)(void);
    struct ps_identity who;
    int start_err;
    enum ps_step step;
    int err;
} rows[] = {
    {"no capabilities",
     without_capabilities,
     {TENANT, TENANT, 0, NULL},
     0,
     PS_STEP_RAISE,
     EPERM},
    {"CAP_SETGID alone",
     with_setgid_alone,
     {TENANT, TENANT, 0, NULL},
     0,
     PS_STEP_RAISE,
     EPERM},
    {"CAP_SETUID alone",
     with_setuid_alone,
     {TENANT, TENANT, 0, NULL},
     0,
     PS_STEP_RAISE,
     EPERM},
    {"no capabilities, and already that user",
     without_capabilities,
     {SERVER, SERVER, 0, NULL},
     0,
     PS_STEP_RAISE,
     EPERM},
    {"uid -1, which is none",
     as_it_is,
     {(uid_t)-1, TENANT, 0, NULL},
     0,
     PS_STEP_RETURN,
     0},
    {"gid -1, which is none",
     as_it_is,
     {TENANT, (gid_t)-1, 0, NULL},
     0,
     PS_STEP_READ_IDS,
     0},
    {"more groups than the kernel takes",
     as_it_is,
     {TENANT, TENANT, 65537, descending},
     0,
     PS_STEP_GROUPS,
     EINVAL},
    {"groups that cannot be read",
     as_it_is,
     {TENANT, TENANT, 2, NULL},
     0,
     PS_STEP_GROUPS,
     EFAULT},
    {"groups not ascending",
     as_it_is,
     {TENANT, TENANT, 2, descending},
     0,
     PS_STEP_READ_GROUPS,
     0},
    {"no room for another thread",
     without_room_for_threads,
     {TENANT, TENANT, 0, NULL},
     EAGAIN,
     PS_STEP_NONE,
     0},
    {"no room on the stack",
     with_a_small_stack,
     {TENANT, TENANT, 0, NULL},
     ENOMEM,
     PS_STEP_NONE,
     0},
};

START_TEST(not_run)
{
    const struct row *row = &rows[_i];
    int runs = 0;
    struct ps_errand_result result;
    sigset_t before = my_mask();
    sigset_t after;

    become_narrow_server();
    ck_assert_msg(row->prepare(), "%s: not prepared", row->name);
    result = ps_run_as(&row->who, count_run, &runs);
    after = my_mask();
    ck_assert_msg(runs == 0, "%s: it ran", row->name);
    ck_assert_msg(!result.done, "%s: done", row->name);
    ck_assert_msg(result.start_err == row->start_err, "%s: start: %s",
                  row->name, strerror(result.start_err));
    ck_assert_msg(result.drop.step == row->step, "%s: %s", row->name,
                  ps_step_name(result.drop.step));
    ck_assert_msg(result.drop.err == row->err, "%s: %s", row->name,
                  strerror(result.drop.err));
    ck_assert_msg(same_mask(&before, &after), "%s: signal mask", row->name);
    ck_assert_msg(!ps_in_tenant_thread(), "%s: in a tenant's", row->name);
    ck_assert_msg(threads_left() == 1, "%s: a thread is left", row->name);
}
END_TEST

Suite *tenant_refused_suite(void)
{
    Suite *suite = suite_create("tenant thread: refused");
    TCase *tc = tcase_create("refused");

    add_as_root(tc, not_run, ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
