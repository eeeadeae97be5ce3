/*
 * Checks stack: that what is given away lies in the calling thread's own
 * stack, leaves it what it needs, and can be written; or that nothing is.
 */
#include "stack.h"
#include "suites.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define KIB ((size_t)1024)

/* What a thread was told, and where it stood. */
struct answer
{
    size_t used; /* bytes that the thread uses before it asks */
    int err, err_again;
    struct ps_stack stack, again;
    uintptr_t frame;
};

static void touch(const struct ps_stack *stack)
{
    for (size_t i = 0; i < stack->size; i += 4 * KIB) {
        ((volatile char *)stack->low)[i] = 1;
    }
}

static __attribute__((noinline)) void *ask(void *data)
{
    struct answer *answer = data;
    char used[answer->used + 1];

    __asm__ volatile("" : : "r"(used) : "memory"); /* it stays */
    answer->frame = (uintptr_t)__builtin_frame_address(0);
    answer->err = ps_stack_below(&answer->stack);
    answer->err_again = ps_stack_below(&answer->again);
    if (answer->err == 0) {
        touch(&answer->stack);
    }
    return NULL;
}

static void assert_fits(const char *name, const struct answer *answer,
                        uintptr_t low)
{
    uintptr_t from = (uintptr_t)answer->stack.low;
    uintptr_t to = from + answer->stack.size;

    ck_assert_msg(from >= low, "%s: below the stack", name);
    ck_assert_msg(to <= answer->frame - answer->used - PS_STACK_KEPT,
                  "%s: leaves %zu bytes", name,
                  (size_t)(answer->frame - answer->used - to));
    ck_assert_msg(answer->stack.size >= PS_STACK_LEAST, "%s: only %zu bytes",
                  name, answer->stack.size);
    ck_assert_msg(answer->frame - to < PS_STACK_KEPT + answer->used + 16 * KIB,
                  "%s: keeps too much back", name);
    ck_assert_msg(from % (4 * KIB) == 0 && to % (4 * KIB) == 0,
                  "%s: not in whole pages", name);
    ck_assert_msg(from - low < 16 * KIB, "%s: %zu bytes lie idle", name,
                  (size_t)(from - low));
    ck_assert_msg(answer->err_again == 0
                      && answer->again.low == answer->stack.low
                      && answer->again.size == answer->stack.size,
                  "%s: another answer the second time", name);
}

static const struct row
{
    const char *name;
    size_t size, used;
    int err;
} rows[] = {
    {"8 MiB", 8192 * KIB, 0, 0},
    {"8 MiB, half of it in use", 8192 * KIB, 4096 * KIB, 0},
    {"8 MiB, nearly all in use", 8192 * KIB, 8000 * KIB, ENOMEM},
    {"512 KiB", 512 * KIB, 0, 0},
    {"512 KiB, 200 in use", 512 * KIB, 200 * KIB, 0},
    {"512 KiB, 300 in use", 512 * KIB, 300 * KIB, ENOMEM},
    {"288 KiB: just enough", 288 * KIB, 0, 0},
    {"256 KiB: not quite", 256 * KIB, 0, ENOMEM},
    {"192 KiB", 192 * KIB, 0, ENOMEM},
    {"64 KiB: less than what is kept", 64 * KIB, 0, ENOMEM},
};

/* A thread on memory of our own, so that its bounds are known. */
START_TEST(own_memory)
{
    const struct row *row = &rows[_i];
    struct answer answer = {.used = row->used, .err = -1};
    pthread_attr_t attr;
    pthread_t thread;
    void *low = mmap(NULL, row->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(low, MAP_FAILED);
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setstack(&attr, low, row->size), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, ask, &answer), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(answer.err == row->err, "%s: %s", row->name,
                  strerror(answer.err));
    if (row->err == 0) {
        assert_fits(row->name, &answer, (uintptr_t)low);
    }
}
END_TEST

/* A thread as httpd starts it: the C library's memory, with its guard. */
START_TEST(library_memory)
{
    const struct row *row = &rows[_i];
    struct answer answer = {.used = row->used, .err = -1};
    pthread_attr_t attr;
    pthread_t thread;

    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, row->size), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, ask, &answer), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(answer.err == row->err, "%s: %s", row->name,
                  strerror(answer.err));
    ck_assert_msg(row->err
                      || answer.frame - (uintptr_t)answer.stack.low < row->size,
                  "%s: below the stack", row->name);
}
END_TEST

/* ---- the main thread, whose stack grows up to ulimit -s ---- */

static uintptr_t end_of_main_stack(void)
{
    char line[512];
    unsigned long from;
    unsigned long to = 0;
    FILE *f = fopen("/proc/self/maps", "re");

    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f)) {
        if (strstr(line, "[stack]")) {
            ck_assert_int_eq(sscanf(line, "%lx-%lx", &from, &to), 2);
        }
    }
    fclose(f);
    return to;
}

static const struct row main_rows[] = {
    {"main thread, 8 MiB", 8192 * KIB, 0, 0},
    {"main thread, 8 MiB, half of it in use", 8192 * KIB, 4096 * KIB, 0},
    {"main thread, 512 KiB", 512 * KIB, 0, 0},
    {"main thread, 192 KiB", 192 * KIB, 0, ENOMEM},
};

START_TEST(main_thread)
{
    const struct row *row = &main_rows[_i];
    struct answer answer = {.used = row->used, .err = -1};
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
    limit.rlim_cur = row->size;
    ck_assert_msg(setrlimit(RLIMIT_STACK, &limit) == 0, "%s: ulimit -s",
                  row->name);
    ask(&answer);
    ck_assert_msg(answer.err == row->err, "%s: %s", row->name,
                  strerror(answer.err));
    if (row->err == 0) {
        assert_fits(row->name, &answer, end_of_main_stack() - row->size);
    }
}
END_TEST

/* Each thread has its own answer, whoever asked before. */
START_TEST(two_threads)
{
    struct answer here = {.err = -1};
    struct answer there = {.err = -1};
    pthread_t thread;

    ask(&here);
    ck_assert_int_eq(pthread_create(&thread, NULL, ask, &there), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(here.err, 0);
    ck_assert_int_eq(there.err, 0);
    ck_assert(here.stack.low != there.stack.low);
    ck_assert_uint_lt((uintptr_t)there.stack.low, there.frame);
    ck_assert_uint_lt(there.frame - (uintptr_t)there.stack.low, 8192 * KIB);
}
END_TEST

Suite *stack_suite(void)
{
    Suite *suite = suite_create("stack");
    TCase *tc = tcase_create("stack");

    tcase_add_loop_test(tc, own_memory, 0, (int)ROWS(rows));
    tcase_add_loop_test(tc, library_memory, 0, (int)ROWS(rows));
    tcase_add_loop_test(tc, main_thread, 0, (int)ROWS(main_rows));
    tcase_add_test(tc, two_threads);
    suite_add_tcase(suite, tc);
    return suite;
}
