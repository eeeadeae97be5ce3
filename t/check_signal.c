/*
 * Checks ps_signal_as() on the running kernel, as root: whom it reaches, that
 * the thread is as before, and that the tenant does not reach the thread while
 * that has the tenant's effective uid.
 */
#include "attacks.h"
#include "privilege.h"
#include "spawning.h"
#include "suites.h"
#include "support.h"
#include "target.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- whom it reaches ---- */

static struct target nobody(bool group)
{
    struct target target = {.fd = -1};
    pid_t pid = fork();

    if (pid == 0) {
        _exit(EXIT_SUCCESS);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    target.pid = group ? -pid : pid;
    return target;
}

static const struct reach_row
{
    const char *name;
    bool none; /* there is no such process */
    uid_t of;  /* whose it is */
    bool group;
    int signal;
    int err;
} reach_rows[] = {
    {"its process", false, TENANT, false, SIGTERM, 0},
    {"its process, killed", false, TENANT, false, SIGKILL, 0},
    {"its process, asked for", false, TENANT, false, 0, 0},
    {"its process group", false, TENANT, true, SIGTERM, 0},
    {"its process group, asked for", false, TENANT, true, 0, 0},
    {"another's process", false, STRANGER, false, SIGTERM, EPERM},
    {"another's process, killed", false, STRANGER, false, SIGKILL, EPERM},
    {"another's process, asked for", false, STRANGER, false, 0, EPERM},
    {"another's process group", false, STRANGER, true, SIGTERM, EPERM},
    {"root's process", false, 0, false, SIGTERM, EPERM},
    {"no process", true, 0, false, SIGTERM, ESRCH},
    {"no process group", true, 0, true, SIGTERM, ESRCH},
    {"no process group, asked for", true, 0, true, 0, ESRCH},
};

static void assert_ended(const char *name, const struct target *target,
                         int signal)
{
    int status;
    pid_t pid = target->pid < 0 ? -target->pid : target->pid;
    char byte;

    ck_assert_msg(recv(target->fd, &byte, 1, 0) == 0, "%s: it goes on", name);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signal,
                  "%s: it ended with status %x", name, (unsigned)status);
}

static void assert_goes_on(const char *name, const struct target *target)
{
    char byte;

    usleep(10000);
    ck_assert_msg(recv(target->fd, &byte, 1, MSG_DONTWAIT) == -1
                      && errno == EAGAIN,
                  "%s: it has ended", name);
}

START_TEST(reaches)
{
    static struct snapshot before, after;
    const struct reach_row *row = &reach_rows[_i];
    struct target target =
        row->none ? nobody(row->group) : start_target(row->of, row->group);
    struct bystander bystander;
    struct ps_outcome outcome;
    struct status status;
    int err = -1;

    become_narrow_server();
    start_bystander(&bystander);
    ck_assert_msg(
        row->none || (kill(target.pid, row->signal) == -1 && errno == EPERM),
        "%s: the server reaches it without", row->name);
    take_snapshot(&before);
    outcome = ps_signal_as(&ps_kernel, TENANT, target.pid, row->signal, &err);
    take_snapshot(&after);
    ck_assert_msg(outcome.step == PS_STEP_NONE, "%s: %s: %s", row->name,
                  ps_step_name(outcome.step), strerror(outcome.err));
    ck_assert_msg(err == row->err, "%s: %s, not %s", row->name, strerror(err),
                  strerror(row->err));
    if (!row->none && row->err == 0 && row->signal != 0) {
        assert_ended(row->name, &target, row->signal);
    }
    else if (!row->none) {
        assert_goes_on(row->name, &target);
    }
    assert_same(row->name, &before, &after);
    end_bystander(&bystander);
    status = my_status();
    assert_reaches_as(row->name, &status, &server);
    assert_reaches_as("the thread beside it", &bystander.last, &server);
}
END_TEST

/* Not where nothing may be raised: and nothing is. */
START_TEST(without_capabilities)
{
    struct target target = start_target(TENANT, false);
    struct status status;
    int err = 0;

    become_narrow_server();
    ck_assert_int_eq(change_caps(0, 0, 0), 0);
    ck_assert_int_eq(
        ps_signal_as(&ps_kernel, TENANT, target.pid, SIGTERM, &err).step,
        PS_STEP_LOWER);
    ck_assert_int_eq(err, EPERM);
    assert_goes_on("without capabilities", &target);
    status = my_status();
    ck_assert(status_is(&status, SERVER, SERVER, 0, NULL));
}
END_TEST

/* ---- meanwhile ---- */

/* What happens in place of kill(2). */
static struct
{
    const struct attack *attack;
    struct status status;
    int dumpable;
    int err;
} meanwhile;

static int be_attacked(pid_t pid, int sig)
{
    (void)pid;
    (void)sig;
    meanwhile.status = my_status();
    meanwhile.dumpable = prctl(PR_GET_DUMPABLE);
    meanwhile.err = attack_as(TENANT, meanwhile.attack, gettid());
    return 0;
}

static void *signal_attacked(void *outcome)
{
    struct ps_kernel k = ps_kernel;
    int err;

    k.kill = be_attacked;
    *(struct ps_outcome *)outcome = ps_signal_as(&k, TENANT, 1, SIGTERM, &err);
    return NULL;
}

/* In a thread beside the main one, as in httpd, and in that one. */
static void signal_in_thread(bool beside, struct ps_outcome *outcome)
{
    pthread_t thread;

    if (beside) {
        ck_assert_int_eq(
            pthread_create(&thread, NULL, signal_attacked, outcome), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    else {
        signal_attacked(outcome);
    }
}

START_TEST(not_reached)
{
    const struct status *status = &meanwhile.status;
    const struct attack *attack = attack_at(_i % ATTACKS);
    struct ps_outcome outcome = {.step = PS_STEP_KILLED};

    become_narrow_server();
    meanwhile.attack = attack;
    signal_in_thread(_i >= ATTACKS, &outcome);
    ck_assert_int_eq(outcome.step, PS_STEP_NONE);
    ck_assert_msg(status->uid[0] == SERVER && status->uid[1] == TENANT
                      && status->uid[2] == SERVER && status->uid[3] == TENANT,
                  "%s: uids %u %u %u %u", attack->name, status->uid[0],
                  status->uid[1], status->uid[2], status->uid[3]);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(status->gid[i], SERVER);
    }
    ck_assert_uint_eq(status->ngroups, 0);
    ck_assert_uint_eq(status->permitted, SWITCHING);
    ck_assert_int_ne(meanwhile.dumpable, 1);
    ck_assert_msg(meanwhile.err == attack->err, "%s: %s", attack->name,
                  meanwhile.err == 0 ? "it works" : strerror(meanwhile.err));
}
END_TEST

/* The twin: with the tenant's real uid, which it would be with ps_drop(). */
START_TEST(reached_with_real_uid)
{
    const struct attack *attack = &signal_attacks[_i];
    int err;

    become_server();
    ck_assert_int_eq(change_caps(SWITCHING, SWITCHING, 0), 0);
    ck_assert_int_eq(ps_kernel.setresgid(TENANT, TENANT, TENANT), 0);
    ck_assert_int_eq(ps_kernel.setresuid(TENANT, TENANT, SERVER), 0);
    err = attack_as(TENANT, attack, gettid());
    /* prlimit(2) looks at all three of them, kill(2) at any of the two. */
    if (attack->err == EPERM && strstr(attack->name, "limit")) {
        ck_assert_int_eq(err, EPERM);
        ck_assert_int_eq(ps_kernel.setresuid(TENANT, TENANT, TENANT), 0);
        err = attack_as(TENANT, attack, gettid());
    }
    ck_assert_msg(err == 0, "%s: %s", attack->name, strerror(err));
}
END_TEST

Suite *signal_suite(void)
{
    Suite *suite = suite_create("signal");
    TCase *tc = tcase_create("signal");

    add_as_root(tc, reaches, ROWS(reach_rows));
    add_as_root(tc, without_capabilities, 1);
    add_as_root(tc, not_reached, 2 * ATTACKS);
    add_as_root(tc, reached_with_real_uid, SIGNAL_ATTACKS);
    suite_add_tcase(suite, tc);
    return suite;
}
