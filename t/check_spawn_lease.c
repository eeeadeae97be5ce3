/*
 * Checks spawn where a tenant holds it up as it executes: with a lease
 * (fcntl(2)) on the program, which the tenant owns. It is called a start, as
 * nothing else is to fail; what the tenant does to it is its own affair. As
 * root.
 */
#include "attacks.h"
#include "privilege.h"
#include "spawning.h"
#include "suites.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct ps_identity tenant = {TENANT, TENANT, 0, NULL};

static struct shared
{
    pid_t pid;         /* of the process that starts */
    atomic_int leased; /* 1, or an errno times -1 */
    atomic_int sent;   /* the signal was */
} * shared;

/* The holder of the lease; told when another opens the file. */
static void hold(const char *path, int signal)
{
    const struct timespec most = {20, 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    sigset_t io;

    sigemptyset(&io);
    sigaddset(&io, SIGIO);
    sigprocmask(SIG_BLOCK, &io, NULL);
    shared->leased =
        fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0 ? 1 : -errno;
    if (shared->leased == 1 && sigtimedwait(&io, NULL, &most) == SIGIO) {
        kill(*(volatile pid_t *)&shared->pid, signal);
        shared->sent = 1;
    }
    if (signal == SIGSTOP || signal == 0) {
        /* Another ends it; or it goes on. */
        usleep(signal ? 100000 : 1000);
        fcntl(fd, F_SETLEASE, F_UNLCK);
    }
    else {
        pause();
    }
}

static pid_t start_holder(const char *path, int signal)
{
    pid_t holder;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    holder = fork_as(TENANT);
    if (holder == 0) {
        hold(path, signal);
        _exit(EXIT_SUCCESS);
    }
    while (!shared->leased) {
        usleep(100);
    }
    ck_assert_msg(shared->leased == 1, "a lease: %s",
                  strerror(-shared->leased));
    return holder;
}

/* A stop is ended as the reaper does it. */
static void *end_stopped(void *err)
{
    while (!shared->sent) {
        usleep(100);
    }
    usleep(10000);
    ps_signal_as(&ps_kernel, TENANT, shared->pid, SIGKILL, err);
    return NULL;
}

static const struct row
{
    const char *name;
    int signal; /* that the tenant sends; 0: none */
    int ends;   /* it with this; 0: as it should */
} rows[] = {
    {"it gives the lease back", 0, 0},  {"KILL", SIGKILL, SIGKILL},
    {"TERM", SIGTERM, SIGTERM},         {"PIPE", SIGPIPE, SIGPIPE},
    {"QUIT", SIGQUIT, SIGQUIT},         {"SEGV", SIGSEGV, SIGSEGV},
    {"ABRT", SIGABRT, SIGABRT},         {"a signal of the C library's", 33, 33},
    {"the last real-time one", 64, 64}, {"STOP", SIGSTOP, SIGKILL},
};

START_TEST(held_up)
{
    static struct start start;
    static struct snapshot before, after;
    const struct row *row = &rows[_i];
    static char path[TREE_PATH_MAX];
    pthread_t thread;
    int err = -1;
    pid_t holder = start_holder(tree_path(path, "{}/tenants-own"), row->signal);

    become_narrow_server();
    if (row->signal == SIGSTOP) {
        ck_assert_int_eq(pthread_create(&thread, NULL, end_stopped, &err), 0);
    }
    take_snapshot(&before);
    start.program = report_program(&tenant);
    start.program.path = path;
    open_pipes(&start);
    start.outcome = ps_spawn(&start.program, &shared->pid);
    start.pid = shared->pid;
    finish(&start);
    if (row->signal == SIGSTOP) {
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_int_eq(err, 0);
    }
    take_snapshot(&after);
    ck_assert_msg(start.outcome.step == PS_STEP_NONE, "%s: %s, %s", row->name,
                  ps_step_name(start.outcome.step),
                  strerror(start.outcome.err));
    ck_assert_msg(row->ends == 0 ? start.status == 0
                                 : is_end_by(row->ends, start.status),
                  "%s: status %x", row->name, (unsigned)start.status);
    ck_assert_msg((start.said[0] == '\0') == (row->ends != 0), "%s: it said %s",
                  row->name, start.said);
    assert_same(row->name, &before, &after);
    ck_assert_int_eq(
        ps_signal_as(&ps_kernel, TENANT, holder, SIGKILL, &err).step,
        PS_STEP_NONE);
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
    assert_no_child(row->name);
}
END_TEST

Suite *spawn_lease_suite(void)
{
    Suite *suite = suite_create("spawn: lease");
    TCase *tc = tcase_create("lease");

    tcase_set_timeout(tc, 30);
    tcase_add_unchecked_fixture(tc, spawning_begin, spawning_end);
    add_as_root(tc, held_up, ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
