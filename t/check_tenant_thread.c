/*
 * Checks tenant_thread on the running kernel: an errand runs in a thread of
 * its own, on the waiting thread's stack, and nothing is left behind.
 */
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB ((size_t)1024)

static const struct ps_identity tenant = {TENANT, TENANT, 0, NULL};

/* What an errand sees. */
struct view
{
    int runs;
    pid_t tid;
    bool in_tenant_thread;
    const struct ps_identity *tenant;
    uintptr_t frame;
    struct ps_errand_result nested;
};

static void look(void *data)
{
    struct view *view = data;

    view->runs++;
    view->tid = gettid();
    view->in_tenant_thread = ps_in_tenant_thread();
    view->tenant = ps_thread_tenant();
    view->frame = (uintptr_t)__builtin_frame_address(0);
}

START_TEST(errand_runs)
{
    struct view view = {.runs = 0};
    struct ps_errand_result result;

    become_narrow_server();
    ck_assert(!ps_in_tenant_thread());
    result = ps_run_as(&tenant, look, &view);
    ck_assert(result.done);
    ck_assert_int_eq(result.start_err, 0);
    ck_assert_int_eq(result.drop.step, PS_STEP_NONE);
    ck_assert_int_eq(view.runs, 1);
    ck_assert_int_ne(view.tid, gettid());
    ck_assert(view.in_tenant_thread);
    ck_assert(!ps_in_tenant_thread());
    ck_assert_uint_eq(threads_left(), 1);
}
END_TEST

/* ---- whose it is ---- */

static const struct ps_identity another = {STRANGER, TENANT, 0, NULL};
static const struct ps_identity nobody = {(uid_t)-1, TENANT, 0, NULL};

static const struct whose_row
{
    const char *name;
    const struct ps_identity *who;
    int runs;
} whose_rows[] = {
    {"a tenant's", &tenant, 1},
    {"another tenant's", &another, 1},
    {"the server's own user's", &server, 1},
    {"nobody's, which does not run", &nobody, 0},
};

static void *look_in_thread(void *data)
{
    look(data);
    return NULL;
}

/* It is of the one thread alone, and for as long as that lives. */
START_TEST(whose)
{
    const struct whose_row *row = &whose_rows[_i];
    struct view view = {.runs = 0};
    struct view beside = {.tenant = row->who};
    pthread_t thread;

    become_narrow_server();
    for (int i = 1; i <= 2; i++) {
        ck_assert_msg(!ps_thread_tenant(), "%s: before", row->name);
        ps_run_as(row->who, look, &view);
        ck_assert_int_eq(view.runs, i * row->runs);
        ck_assert_msg(view.tenant == (row->runs ? row->who : NULL),
                      "%s: another's", row->name);
        ck_assert_msg(!ps_thread_tenant(), "%s: afterwards", row->name);
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, look_in_thread, &beside), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(!beside.tenant, "%s: a thread of httpd's is", row->name);
}
END_TEST

/* ---- on the waiting thread's stack ---- */

START_TEST(stack_of_main_thread)
{
    struct view view = {.runs = 0};
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
    limit.rlim_cur = 8192 * KIB;
    ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
    become_narrow_server();
    ck_assert(ps_run_as(&tenant, look, &view).done);
    ck_assert_uint_lt(view.frame, here);
    ck_assert_uint_lt(here - view.frame, 8192 * KIB);
}
END_TEST

static void *wait_for_tenant(void *data)
{
    return (void *)(intptr_t)ps_run_as(&tenant, look, data).start_err;
}

static const struct worker_row
{
    const char *name;
    size_t size;
    int err;
} worker_rows[] = {
    {"a worker of 8 MiB", 8192 * KIB, 0},
    {"a worker of 512 KiB", 512 * KIB, 0},
    {"a worker of 192 KiB", 192 * KIB, ENOMEM},
};

START_TEST(stack_of_worker)
{
    const struct worker_row *row = &worker_rows[_i];
    struct view view = {.runs = 0};
    pthread_attr_t attr;
    pthread_t thread;
    void *err;
    char *low = mmap(NULL, row->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(low, MAP_FAILED);
    become_narrow_server();
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setstack(&attr, low, row->size), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, wait_for_tenant, &view), 0);
    ck_assert_int_eq(pthread_join(thread, &err), 0);
    ck_assert_msg((intptr_t)err == row->err, "%s: %s", row->name,
                  strerror((int)(intptr_t)err));
    ck_assert_msg(view.runs == (row->err == 0), "%s: run %d times", row->name,
                  view.runs);
    ck_assert_msg(row->err
                      || (view.frame >= (uintptr_t)low
                          && view.frame < (uintptr_t)low + row->size),
                  "%s: it ran on another stack", row->name);
    ck_assert_uint_eq(threads_left(), 1);
}
END_TEST

/* ---- a tenant's thread does not become another tenant ---- */

static struct view of_nested;

static void nest(void *data)
{
    struct view *view = data;
    struct ps_identity other = {STRANGER, STRANGER, 0, NULL};

    view->nested = ps_run_as(&other, look, &of_nested);
    look(view); /* it is still the first one's */
}

START_TEST(nested)
{
    struct view view = {.runs = 0};

    become_narrow_server();
    ck_assert(ps_run_as(&tenant, nest, &view).done);
    ck_assert_int_eq(view.runs, 1);
    ck_assert(!view.nested.done);
    ck_assert_int_eq(view.nested.start_err, EDEADLK);
    ck_assert_int_eq(of_nested.runs, 0);
    ck_assert_ptr_eq(view.tenant, &tenant);
}
END_TEST

/* ---- what is left ---- */

static void end_thread(void *data)
{
    look(data);
    pthread_exit(NULL);
}

/* It ran, but did not return: not done. */
START_TEST(errand_ends_thread)
{
    struct view view = {.runs = 0};
    struct ps_errand_result result;

    become_narrow_server();
    result = ps_run_as(&tenant, end_thread, &view);
    ck_assert_int_eq(view.runs, 1);
    ck_assert(!result.done);
    ck_assert_int_eq(result.start_err, 0);
    ck_assert_uint_eq(threads_left(), 1);
}
END_TEST

static void count_run(void *data)
{
    ++*(int *)data;
}

START_TEST(ten_thousand)
{
    int runs = 0;
    size_t descriptors;
    unsigned long before;
    unsigned long after;

    become_narrow_server();
    for (int i = 0; i < 100; i++) {
        ck_assert(ps_run_as(&tenant, count_run, &runs).done);
    }
    descriptors = count_descriptors();
    before = my_status().rss_kb;
    for (int i = 0; i < 10000; i++) {
        ck_assert(ps_run_as(&tenant, count_run, &runs).done);
    }
    after = my_status().rss_kb;
    ck_assert_int_eq(runs, 10100);
    ck_assert_msg(after < before + 256, "%lu KiB more", after - before);
    ck_assert_uint_eq(count_descriptors(), descriptors);
    ck_assert_uint_eq(threads_left(), 1);
}
END_TEST

Suite *tenant_thread_suite(void)
{
    Suite *suite = suite_create("tenant thread");
    TCase *tc = tcase_create("tenant thread");

    tcase_set_timeout(tc, 30);
    add_as_root(tc, errand_runs, 1);
    add_as_root(tc, whose, ROWS(whose_rows));
    add_as_root(tc, stack_of_main_thread, 1);
    add_as_root(tc, stack_of_worker, ROWS(worker_rows));
    add_as_root(tc, nested, 1);
    add_as_root(tc, errand_ends_thread, 1);
    add_as_root(tc, ten_thousand, 1);
    suite_add_tcase(suite, tc);
    return suite;
}
