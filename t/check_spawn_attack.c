/*
 * Checks spawn against what a tenant could try while a program of its starts:
 * the process is the tenant's already, and still has httpd's memory. It may
 * kill it and stop it, and reaches no more than that process. As root.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct ps_identity tenant = {TENANT, TENANT, 0, NULL};

/* ---- a folder that takes milliseconds to be found ---- */

/* The kernel follows 40, over both of the tries that a look may take. */
#define LINKS 19

static char slow_folder[TREE_PATH_MAX];

static void begin(void)
{
    static char target[4096];
    char path[TREE_PATH_MAX];

    spawning_begin();
    for (int i = 0; is_able() && i < LINKS; i++) {
        size_t n = (size_t)snprintf(target, sizeof(target), "%s/", tree_root());

        while (n < sizeof(target) - 16) {
            n += (size_t)snprintf(target + n, 3, "./");
        }
        snprintf(target + n, sizeof(target) - n, "slow-%d", i + 1);
        snprintf(path, sizeof(path), "%s/slow-%d", tree_root(), i);
        ck_assert_msg(symlink(i + 1 < LINKS ? target : "/", path) == 0,
                      "%s: %s", path, strerror(errno));
    }
    tree_path(slow_folder, "{}/slow-0");
}

/* ---- a process of the tenant's that attacks as soon as it can ---- */

static struct shared
{
    pid_t pid; /* of the process that starts */
    atomic_int signal;
    atomic_int delay; /* before it is sent; in rounds of a loop */
    atomic_int hits;
    atomic_int over;
} * shared;

static pid_t pid_now(void)
{
    return *(volatile pid_t *)&shared->pid;
}

/* Once for each process: it gets EPERM until that is the tenant's. */
static void attack_forever(void)
{
    pid_t done = 0;

    while (!shared->over) {
        pid_t pid = pid_now();

        if (pid > 0 && pid != done) {
            for (int i = 0; i < shared->delay && pid_now() == pid; i++) {
            }
            if (kill(pid, shared->signal) == 0) {
                shared->hits++;
                done = pid;
            }
        }
        sched_yield();
    }
}

static pid_t start_attacker(int signal)
{
    pid_t attacker;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    shared->signal = signal;
    attacker = fork_as(TENANT);
    if (attacker == 0) {
        attack_forever();
        _exit(EXIT_SUCCESS);
    }
    ck_assert_int_gt(attacker, 0);
    return attacker;
}

static void end_attacker(pid_t attacker)
{
    shared->over = 1;
    ck_assert_int_eq(waitpid(attacker, NULL, 0), attacker);
}

/* ---- it kills ---- */

static const struct kill_row
{
    const char *name;
    int signal;
    bool slow;
    int spread; /* of delays */
    int times;
} kill_rows[] = {
    {"KILL, at once", SIGKILL, true, 0, 50},
    {"KILL, at some time", SIGKILL, true, 20000, 100},
    {"KILL, at some time of a quick start", SIGKILL, false, 2000, 200},
    {"QUIT, which makes a core of memory", SIGQUIT, true, 0, 50},
    {"SEGV, which does, too", SIGSEGV, true, 20000, 50},
};

/* httpd's heap, of which the killed process had the use. */
static char *blocks[256];

static void fill_heap(void)
{
    for (size_t i = 0; i < ROWS(blocks); i++) {
        blocks[i] = malloc(16 * i + 1);
        ck_assert_ptr_nonnull(blocks[i]);
        memset(blocks[i], (int)i, 16 * i + 1);
    }
}

static void check_heap(const char *name)
{
    for (size_t i = 0; i < ROWS(blocks); i++) {
        for (size_t j = 0; j < 16 * i + 1; j++) {
            ck_assert_msg(blocks[i][j] == (char)i, "%s: the heap", name);
        }
        free(blocks[i]);
    }
}

/* True: it was killed before it could be called a start. */
static bool start_amid(const struct kill_row *row, struct start *start)
{
    shared->pid = 0;
    start->program = report_program(&tenant);
    start->program.dir = row->slow ? slow_folder : "/";
    open_pipes(start);
    start->outcome = ps_spawn(&start->program, &shared->pid);
    start->pid = pid_now();
    finish(start);
    if (start->outcome.step != PS_STEP_NONE) {
        assert_start(row->name, start, PS_STEP_KILLED, 0);
        return true;
    }
    ck_assert_msg(start->status == 0 || is_end_by(row->signal, start->status),
                  "%s: status %x", row->name, (unsigned)start->status);
    return false;
}

START_TEST(killed)
{
    static struct start start;
    static struct snapshot before, after;
    const struct kill_row *row = &kill_rows[_i];
    pid_t attacker = start_attacker(row->signal);
    int hits = 0;

    become_narrow_server();
    fill_heap();
    take_snapshot(&before);
    for (int i = 0; i < row->times; i++) {
        shared->delay = row->spread * (i % 20) / 20;
        hits += start_amid(row, &start);
    }
    take_snapshot(&after);
    check_heap(row->name);
    assert_same(row->name, &before, &after);
    ck_assert_msg(shared->hits > 0, "%s: it never did", row->name);
    ck_assert_msg(hits > 0 || row->signal != SIGKILL || !row->slow,
                  "%s: never before the program ran", row->name);
    end_attacker(attacker);
    assert_no_child(row->name);
}
END_TEST

/* ---- it stops it: another thread ends it, as the reaper does ---- */

struct watch
{
    const struct attack *attack;
    atomic_int over;
    int stops;
    int err; /* of the attack */
    struct ps_outcome outcome;
    int signal_err;
};

static char state_of(pid_t pid)
{
    char path[64], line[256], state = '?';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (f && fgets(line, sizeof(line), f)) {
        sscanf(line, "%*d (%*[^)]) %c", &state);
    }
    if (f) {
        fclose(f);
    }
    return state;
}

static void *watch(void *data)
{
    struct watch *watch = data;

    while (!watch->over) {
        pid_t pid = pid_now();

        if (pid > 0 && state_of(pid) == 'T') {
            watch->stops++;
            if (watch->attack) {
                change_caps(SWITCHING, SWITCHING, 0);
                watch->err = attack_as(TENANT, watch->attack, pid);
                change_caps(SWITCHING, 0, 0);
            }
            watch->outcome = ps_signal_as(&ps_kernel, TENANT, pid, SIGKILL,
                                          &watch->signal_err);
            while (!watch->over && state_of(pid) == 'T') {
                usleep(100);
            }
        }
        usleep(100);
    }
    return NULL;
}

static bool is_over(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - start->tv_sec >= 10;
}

/* Until a stop has hit before the program ran. */
static bool start_until_stopped(const char *name, struct start *start)
{
    const struct kill_row row = {name, SIGKILL, true, 0, 0};
    struct timespec begin_at;

    clock_gettime(CLOCK_MONOTONIC, &begin_at);
    for (int i = 0; i < 500 && !is_over(&begin_at); i++) {
        if (start_amid(&row, start)) {
            return true;
        }
    }
    return false;
}

/* And each attack on it, while it stands there with httpd's memory. */
START_TEST(stopped)
{
    static struct start start;
    static struct snapshot before, after;
    struct watch w = {.attack = _i > 0 ? &memory_attacks[_i - 1] : NULL};
    const char *name = w.attack ? w.attack->name : "stopped";
    pid_t attacker = start_attacker(SIGSTOP);
    struct bystander bystander;
    pthread_t thread;

    become_narrow_server();
    start_bystander(&bystander);
    take_snapshot(&before);
    ck_assert_int_eq(pthread_create(&thread, NULL, watch, &w), 0);
    ck_assert_msg(start_until_stopped(name, &start), "%s: never hit", name);
    w.over = 1;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    take_snapshot(&after);
    assert_same(name, &before, &after);
    ck_assert_int_gt(w.stops, 0);
    ck_assert_int_eq(w.outcome.step, PS_STEP_NONE);
    ck_assert_int_eq(w.signal_err, 0);
    ck_assert_msg(!w.attack || w.err == w.attack->err, "%s: %s", name,
                  w.err == 0 ? "it works" : strerror(w.err));
    end_bystander(&bystander);
    assert_reaches_as("the thread beside it", &bystander.last, &server);
    end_attacker(attacker);
    assert_no_child(name);
}
END_TEST

Suite *spawn_attack_suite(void)
{
    Suite *suite = suite_create("spawn: attacks");
    TCase *tc = tcase_create("attacks");

    tcase_set_timeout(tc, 30);
    tcase_add_unchecked_fixture(tc, begin, spawning_end);
    add_as_root(tc, killed, ROWS(kill_rows));
    add_as_root(tc, stopped, 1 + MEMORY_ATTACKS);
    suite_add_tcase(suite, tc);
    return suite;
}
