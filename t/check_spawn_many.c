/*
 * Checks spawn on the running kernel, as root: many starts, one after the
 * other, at once, and amid signals to httpd; and that nothing is left of them.
 */
#include "report.h"
#include "spawning.h"
#include "suites.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct ps_identity tenant = {TENANT, TENANT, 0, NULL};

/* ---- at once ---- */

#define WORKERS 8
#define EACH 25

struct worker
{
    pthread_t thread;
    unsigned number;
    struct start start[EACH];
    struct ps_identity who[EACH];
    char name[EACH][16];
    const char *argv[EACH][3];
};

static struct worker workers[WORKERS];

static void prepare(struct worker *w, size_t i)
{
    struct ps_program *program = &w->start[i].program;
    unsigned id = TENANT + w->number * EACH + (unsigned)i;

    w->who[i] = (struct ps_identity){id, id + 1, 0, NULL};
    snprintf(w->name[i], sizeof(w->name[i]), "%u", id);
    w->argv[i][0] = REPORT;
    w->argv[i][1] = w->name[i];
    w->argv[i][2] = NULL;
    *program = report_program(&w->who[i]);
    program->argv = w->argv[i];
    program->envp = &w->argv[i][1];
}

static void *work(void *data)
{
    struct worker *w = data;

    for (size_t i = 0; i < EACH; i++) {
        prepare(w, i);
        run_program(&w->start[i]);
    }
    return NULL;
}

static void assert_worked(const struct worker *w, size_t i)
{
    const char *name = w->name[i];
    char want[64];

    assert_start(name, &w->start[i], PS_STEP_NONE, 0);
    snprintf(want, sizeof(want), "%s %s %s %s", name, name, name, name);
    assert_said(name, &w->start[i], "Uid", want);
    snprintf(want, sizeof(want), "[report] [%s]", name);
    assert_said(name, &w->start[i], "argv", want);
    snprintf(want, sizeof(want), "[%s]", name);
    assert_said(name, &w->start[i], "envp", want);
}

static void work_all(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].number = i;
        ck_assert_int_eq(
            pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        for (size_t j = 0; j < EACH; j++) {
            assert_worked(&workers[i], j);
        }
    }
    ck_assert_uint_eq(threads_left(), 1);
}

START_TEST(at_once)
{
    static struct snapshot before, after;
    unsigned long rss;
    struct status status;

    become_narrow_server();
    work_all();
    take_snapshot(&before);
    rss = my_status().rss_kb;
    work_all();
    status = my_status();
    take_snapshot(&after);
    assert_same("200 at once", &before, &after);
    assert_no_child("200 at once");
    assert_reaches_as("200 at once", &status, &server);
    ck_assert_msg(status.rss_kb < rss + 1024, "%lu KiB more",
                  status.rss_kb - rss);
}
END_TEST

/* ---- one after the other, and some that fail ---- */

START_TEST(in_turn)
{
    static struct start start;
    static struct snapshot before, after;
    unsigned long rss = 0;

    become_narrow_server();
    take_snapshot(&before);
    for (int i = 0; i < 400; i++) {
        start.program = report_program(&tenant);
        start.program.path = i % 2 ? start.program.path : "/none";
        start.program.dir = i % 4 ? "/" : "/none";
        run_program(&start);
        if (i % 2) {
            assert_start("in turn", &start, PS_STEP_NONE, 0);
        }
        else {
            assert_start("in turn", &start,
                         i % 4 ? PS_STEP_EXEC : PS_STEP_CHDIR, ENOENT);
        }
        rss = i == 50 ? my_status().rss_kb : rss;
    }
    take_snapshot(&after);
    assert_same("in turn", &before, &after);
    assert_no_child("in turn");
    ck_assert_uint_eq(threads_left(), 1);
    ck_assert_msg(my_status().rss_kb < rss + 256, "%lu KiB more",
                  my_status().rss_kb - rss);
}
END_TEST

/* ---- signals to the process group meanwhile ---- */

static pid_t httpd;
static atomic_int handled, handled_elsewhere, over;

static void handle(int signal)
{
    (void)signal;
    if (getpid() == httpd) {
        handled++;
    }
    else {
        handled_elsewhere++; /* in its memory, so that this is seen here */
    }
}

static void *bombard(void *ignored)
{
    while (!over) {
        kill(0, SIGUSR1);
        usleep(10);
    }
    return ignored;
}

/* It dies of them, where they come before its program; but it runs nothing. */
START_TEST(amid_signals)
{
    static struct start start;
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    pthread_t thread;
    int runs = 0;

    httpd = getpid();
    ck_assert_int_eq(getpgrp(), httpd);
    become_narrow_server();
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, bombard, NULL), 0);
    for (int i = 0; i < 300; i++) {
        start.program = report_program(&tenant);
        run_program(&start);
        ck_assert_int_eq(start.outcome.step, PS_STEP_NONE);
        ck_assert_msg(start.status == 0
                          || (WIFSIGNALED(start.status)
                              && WTERMSIG(start.status) == SIGUSR1),
                      "it ended with status %x", (unsigned)start.status);
        runs += start.status == 0;
    }
    over = 1;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(handled_elsewhere, 0);
    ck_assert_int_gt(handled, 0);
    ck_assert_int_gt(runs, 0);
}
END_TEST

Suite *spawn_many_suite(void)
{
    Suite *suite = suite_create("spawn: many");
    TCase *tc = tcase_create("many");

    tcase_set_timeout(tc, 30);
    tcase_add_unchecked_fixture(tc, spawning_begin, spawning_end);
    add_as_root(tc, at_once, 1);
    add_as_root(tc, in_turn, 1);
    add_as_root(tc, amid_signals, 1);
    suite_add_tcase(suite, tc);
    return suite;
}
