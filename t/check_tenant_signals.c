/*
 * Checks tenant_thread and signals, on the running kernel: what is sent to
 * the process while an errand runs interrupts the errand, not the thread that
 * waits; what the waiting thread had blocked stays blocked.
 */
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct ps_identity tenant = {TENANT, TENANT, 0, NULL};
static const struct ps_identity nobody = {(uid_t)-1, TENANT, 0, NULL};

/* Who ran the handler last, and how often it ran. */
static volatile sig_atomic_t handled_by;
static volatile sig_atomic_t handled;
static volatile sig_atomic_t handled_in_tenant_thread;

static void handle(int signal)
{
    (void)signal;
    handled_by = gettid();
    handled_in_tenant_thread = ps_in_tenant_thread();
    handled++;
}

static void set_handler(int signal)
{
    struct sigaction action = {.sa_handler = handle};

    ck_assert_int_eq(sigaction(signal, &action, NULL), 0);
}

/* ---- masks ---- */

static const struct mask_row
{
    const char *name;
    int blocked[4]; /* ends with 0 */
} mask_rows[] = {
    {"none", {0}},
    {"SIGUSR1", {SIGUSR1, 0}},
    {"SIGTERM and SIGHUP", {SIGTERM, SIGHUP, 0}},
    {"SIGSEGV", {SIGSEGV, 0}},
    {"a real-time signal", {40, 0}},
};

static void read_mask(void *mask)
{
    pthread_sigmask(SIG_SETMASK, NULL, mask);
}

static void assert_mask(const char *name, const char *whose,
                        const sigset_t *got, const sigset_t *want)
{
    for (int signal = 1; signal <= SIGRTMAX; signal++) {
        ck_assert_msg(sigismember(got, signal) == sigismember(want, signal),
                      "%s: %s mask: signal %d", name, whose, signal);
    }
}

START_TEST(masks)
{
    const struct mask_row *row = &mask_rows[_i];
    sigset_t want;
    sigset_t got;

    become_narrow_server();
    sigemptyset(&want);
    for (size_t i = 0; row->blocked[i]; i++) {
        sigaddset(&want, row->blocked[i]);
    }
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &want, NULL), 0);
    ck_assert(ps_run_as(&tenant, read_mask, &got).done);
    assert_mask(row->name, "the tenant's", &got, &want);
    read_mask(&got);
    assert_mask(row->name, "the waiting thread's", &got, &want);
    ck_assert(!ps_run_as(&nobody, read_mask, &got).done);
    read_mask(&got);
    assert_mask(row->name, "after a failure, the waiting thread's", &got,
                &want);
}
END_TEST

/* ---- signals to the process ---- */

static const struct signal_row
{
    const char *name;
    int signal;
    bool blocked; /* by the waiting thread */
} signal_rows[] = {
    {"SIGUSR1", SIGUSR1, false},         {"SIGTERM", SIGTERM, false},
    {"SIGHUP", SIGHUP, false},           {"SIGWINCH", SIGWINCH, false},
    {"SIGALRM", SIGALRM, false},         {"SIGPROF", SIGPROF, false},
    {"SIGUSR1, blocked", SIGUSR1, true}, {"SIGTERM, blocked", SIGTERM, true},
};

struct sent
{
    int signal;
    int result;
    pid_t tid;
    int handled; /* when the errand went on */
};

static void send_to_process(void *data)
{
    struct sent *sent = data;

    sent->tid = gettid();
    sent->result = kill(getpid(), sent->signal);
    sent->handled = handled;
}

START_TEST(to_the_process)
{
    const struct signal_row *row = &signal_rows[_i];
    struct sent sent = {.signal = row->signal, .result = -1};
    sigset_t one;

    become_narrow_server();
    set_handler(row->signal);
    sigemptyset(&one);
    sigaddset(&one, row->signal);
    if (row->blocked) {
        ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &one, NULL), 0);
    }
    ck_assert(ps_run_as(&tenant, send_to_process, &sent).done);
    ck_assert_int_eq(sent.result, 0);
    ck_assert_msg(sent.handled == !row->blocked, "%s: handled %d times",
                  row->name, sent.handled);
    if (row->blocked) {
        ck_assert_msg(handled == 0, "%s: handled early", row->name);
        ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &one, NULL), 0);
    }
    ck_assert_msg(handled == 1, "%s: handled %d times", row->name,
                  (int)handled);
    ck_assert_msg(handled_by == (row->blocked ? gettid() : sent.tid),
                  "%s: handled by the wrong thread", row->name);
    ck_assert_msg(handled_in_tenant_thread == !row->blocked,
                  "%s: who handles it does not know where it is", row->name);
}
END_TEST

/* Sent while nothing runs, it is the waiting thread's, as ever. */
START_TEST(afterwards)
{
    sigset_t mask;

    become_narrow_server();
    set_handler(SIGUSR1);
    ck_assert(ps_run_as(&tenant, read_mask, &mask).done);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    ck_assert_int_eq(handled, 1);
    ck_assert_int_eq(handled_by, gettid());
}
END_TEST

/* ---- the waiting thread's mask, meanwhile ---- */

static const struct meanwhile_row
{
    const char *name;
    int signal;
    bool blocked;
} meanwhile_rows[] = {
    {"SIGUSR1", SIGUSR1, true},  {"SIGTERM", SIGTERM, true},
    {"SIGCHLD", SIGCHLD, true},  {"SIGPROF", SIGPROF, true},
    {"SIGSEGV", SIGSEGV, false}, {"SIGBUS", SIGBUS, false},
    {"SIGFPE", SIGFPE, false},   {"SIGILL", SIGILL, false},
    {"SIGABRT", SIGABRT, false}, {"SIGSYS", SIGSYS, false},
};

struct other
{
    const struct meanwhile_row *row;
    char file[64];
    bool as_wanted;
};

/* The C library blocks all signals while it starts a thread: not for long. */
static void look_at_other(void *data)
{
    struct other *other = data;
    struct status status;

    for (int i = 0; i < 1000 && !other->as_wanted; i++) {
        usleep(i > 0 ? 1000 : 0);
        other->as_wanted = read_status(other->file, &status)
                           && (status.blocked >> (other->row->signal - 1) & 1)
                                  == other->row->blocked;
    }
}

/* What comes from outside is blocked; a fault stays with whoever makes it. */
START_TEST(meanwhile)
{
    struct other other = {.row = &meanwhile_rows[_i], .as_wanted = false};

    become_narrow_server();
    snprintf(other.file, sizeof(other.file), "/proc/self/task/%d/status",
             (int)gettid());
    ck_assert(ps_run_as(&tenant, look_at_other, &other).done);
    ck_assert_msg(other.as_wanted, "%s: %s", other.row->name,
                  other.row->blocked ? "not blocked" : "blocked");
}
END_TEST

Suite *tenant_signals_suite(void)
{
    Suite *suite = suite_create("tenant thread: signals");
    TCase *tc = tcase_create("signals");

    add_as_root(tc, masks, ROWS(mask_rows));
    add_as_root(tc, to_the_process, ROWS(signal_rows));
    add_as_root(tc, afterwards, 1);
    add_as_root(tc, meanwhile, ROWS(meanwhile_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
