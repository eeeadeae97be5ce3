/*
 * Checks spawn on the running kernel, as root: what a program that is started
 * says of itself, whoever starts it, and that whoever starts it stays what it
 * was.
 */
#include "privilege.h"
#include "report.h"
#include "spawning.h"
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"
#include "tree.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const struct ps_identity tenant = {TENANT, TENANT, 2, two_groups};

/* ---- whoever starts it ---- */

/* One start, in the thread of the row's choice. */
struct call
{
    struct start start;
    struct snapshot before, after;
};

static void act(void *data)
{
    struct call *call = data;

    take_snapshot(&call->before);
    run_program(&call->start);
    take_snapshot(&call->after);
}

static void *act_in_thread(void *data)
{
    act(data);
    return NULL;
}

static void *act_on_files(void *data)
{
    if (ps_fs_take(&ps_kernel, &tenant).step == PS_STEP_NONE) {
        act(data);
    }
    return NULL;
}

static void in_main(struct call *call)
{
    act(call);
}

static void in_worker(struct call *call)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, act_in_thread, call), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* Asserts meanwhile that it is so; the snapshots, that it stays. */
static void in_thread_on_files(struct call *call)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, act_on_files, call), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_ptr_nonnull(strstr(call->before.text, "30001\t30001\t30001"
                                                    "\t30002\n"));
}

static void in_tenant_thread(struct call *call)
{
    call->start.program.already = true;
    ck_assert(ps_run_as(&tenant, act, call).done);
    ck_assert_ptr_nonnull(strstr(call->before.text, "30002\t30002\t30002"
                                                    "\t30002\n"));
}

/* Below it, no stack is mapped yet, and the limit on memory lets none be. */
static __attribute__((noinline)) void deep_in_stack(struct call *call)
{
    volatile size_t size = 2 * MIB;
    volatile char room[size];

    room[size - 1] = 0;
    act(call);
    ck_assert_int_eq(room[size - 1], 0);
}

static void in_large_process(struct call *call)
{
    ck_assert_ptr_ne(mmap(NULL, 4096 * MIB, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
                     MAP_FAILED);
    deep_in_stack(call);
}

/*
 * Raw: of the signals of the C library's own, too. But for SIGCHLD: ignored,
 * it leaves nobody to wait for, and a raw handler cannot return.
 */
static void set_all(void (*handler)(int))
{
    struct
    {
        void (*handler)(int);
        unsigned long rest[7];
    } action = {handler, {0}};

    for (int i = 1; i <= 64; i++) {
        if (i != SIGCHLD && i != SIGKILL && i != SIGSTOP) {
            ck_assert_int_eq(syscall(SYS_rt_sigaction, i, &action, NULL, 8), 0);
        }
    }
}

static void run_nothing(int signal)
{
    (void)signal;
}

static void with_signals(struct call *call)
{
    const uint64_t all = UINT64_MAX;

    ck_assert_ptr_ne(signal(SIGPIPE, SIG_IGN), SIG_ERR);
    ck_assert_ptr_ne(signal(SIGTERM, run_nothing), SIG_ERR);
    ck_assert_ptr_ne(signal(SIGCHLD, run_nothing), SIG_ERR);
    ck_assert_int_eq(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8),
                     0);
    act(call);
    ck_assert_ptr_nonnull(strstr(call->before.text, "fffffffffffbfeff\n"));
}

static void ignoring_all(struct call *call)
{
    set_all(SIG_IGN);
    act(call);
}

static void handling_all(struct call *call)
{
    set_all(run_nothing);
    act(call);
}

static const struct caller
{
    const char *name;
    void (*call)(struct call *call);
} callers[] = {
    {"a narrowed server", in_main},
    {"a worker", in_worker},
    {"a thread that reaches files as the tenant", in_thread_on_files},
    {"a tenant's thread", in_tenant_thread},
    {"a process larger than the limit, deep in its stack", in_large_process},
    {"one ignored, two handled, and all blocked", with_signals},
    {"all signals ignored", ignoring_all},
    {"all signals handled", handling_all},
};

/* What it says, whoever starts it. */
static const struct
{
    const char *key, *want;
} facts[] = {
    {"Uid", "30002 30002 30002 30002"},
    {"Gid", "30002 30002 30002 30002"},
    {"Groups", "30003 30004"},
    {"CapInh", "0000000000000000"},
    {"CapPrm", "0000000000000000"},
    {"CapEff", "0000000000000000"},
    {"CapAmb", "0000000000000000"},
    {"SigPnd", "0000000000000000"},
    {"ShdPnd", "0000000000000000"},
    {"SigBlk", "0000000000000000"},
    {"SigIgn", "0000000000000000"},
    {"SigCgt", "0000000000000000"},
    {"Umask", "0027"},
    {"argv", "[report] [a b] [] [--x=y]"},
    {"envp", "[A=1] [EMPTY=] [B=x y]"},
    {"cpu", "7 9"},
    {"nproc", "1000 2000"},
    {"as", "1073741824 2147483648"},
};

static void ask(struct ps_program *program, const char *dir)
{
    static const char *const argv[] = {REPORT, "a b", "", "--x=y", NULL};
    static const char *const envp[] = {"A=1", "EMPTY=", "B=x y", NULL};

    *program = report_program(&tenant);
    program->argv = argv;
    program->envp = envp;
    program->dir = dir;
    program->limit[0] = (struct ps_limit){RLIMIT_CPU, {7, 9}};
    program->limit[1] = (struct ps_limit){RLIMIT_NPROC, {1000, 2000}};
    program->limit[2] = (struct ps_limit){RLIMIT_AS, {1024 * MIB, 2048 * MIB}};
    program->nlimits = 3;
}

static void assert_number(const char *name, const struct start *start,
                          const char *key, int want)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", want);
    assert_said(name, start, key, text);
}

START_TEST(as_asked)
{
    static struct call call;
    const struct caller *row = &callers[_i];
    const struct start *start = &call.start;
    struct bystander bystander;
    struct status after;
    char dir[TREE_PATH_MAX];

    become_narrow_server();
    start_bystander(&bystander);
    umask(027);
    tree_path(dir, "{}/home");
    ask(&call.start.program, dir);
    row->call(&call);
    assert_start(row->name, start, PS_STEP_NONE, 0);
    for (size_t i = 0; i < ROWS(facts); i++) {
        assert_said(row->name, start, facts[i].key, facts[i].want);
    }
    assert_said(row->name, start, "cwd", dir);
    assert_number(row->name, start, "pid", start->pid);
    assert_number(row->name, start, "pgrp", start->pid);
    assert_number(row->name, start, "ppid", getpid());
    assert_same(row->name, &call.before, &call.after);
    assert_no_child(row->name);
    end_bystander(&bystander);
    after = my_status();
    assert_reaches_as("the main thread", &after, &server);
    assert_reaches_as("the thread beside it", &bystander.last, &server);
}
END_TEST

/* ---- its descriptors ---- */

START_TEST(descriptors)
{
    static struct start start;
    char want[128] = "";
    int further = dup(STDERR_FILENO); /* without close-on-exec */

    become_narrow_server();
    ck_assert_int_gt(dup2(further, 500), 0);
    start.program = report_program(&tenant);
    open_pipes(&start);
    for (int i = 0; i < 3; i++) {
        struct stat st;
        size_t n = strlen(want);

        ck_assert_int_eq(fstat(start.theirs[i], &st), 0);
        snprintf(want + n, sizeof(want) - n, "%s%d=%llu", i ? " " : "", i,
                 (unsigned long long)st.st_ino);
    }
    start.outcome = ps_spawn(&start.program, &start.pid);
    finish(&start);
    assert_start("three pipes", &start, PS_STEP_NONE, 0);
    assert_said("three pipes", &start, "fd", want);
}
END_TEST

/* ---- as whom ---- */

static gid_t many_groups[PS_GROUPS_MAX];

static const struct who_row
{
    const char *name;
    struct ps_identity who;
    const char *uid, *gid, *groups; /* NULL: all of many_groups */
} who_rows[] = {
    {"a tenant without groups",
     {TENANT, TENANT, 0, NULL},
     "30002 30002 30002 30002",
     "30002 30002 30002 30002",
     ""},
    {"a tenant with another group",
     {TENANT, STRANGER, 1, two_groups},
     "30002 30002 30002 30002",
     "30005 30005 30005 30005",
     "30003"},
    {"a tenant with as many groups as can be",
     {TENANT, TENANT, PS_GROUPS_MAX, many_groups},
     "30002 30002 30002 30002",
     "30002 30002 30002 30002",
     NULL},
    {"the server's own user",
     {SERVER, SERVER, 0, NULL},
     "30001 30001 30001 30001",
     "30001 30001 30001 30001",
     ""},
    {"the highest ids",
     {4294967294U, 4294967294U, 0, NULL},
     "4294967294 4294967294 4294967294 4294967294",
     "4294967294 4294967294 4294967294 4294967294",
     ""},
    {"root, by the operator's word", {0, 0, 0, NULL}, "0 0 0 0", "0 0 0 0", ""},
};

START_TEST(as_whom)
{
    static struct start start;
    static char groups[12 * PS_GROUPS_MAX];
    const struct who_row *row = &who_rows[_i];

    for (size_t i = 0; i < PS_GROUPS_MAX; i++) {
        size_t n = strlen(groups);

        many_groups[i] = 100000 + (gid_t)i;
        snprintf(groups + n, sizeof(groups) - n, "%s%u", i ? " " : "",
                 many_groups[i]);
    }
    become_narrow_server();
    start.program = report_program(&row->who);
    run_program(&start);
    assert_start(row->name, &start, PS_STEP_NONE, 0);
    assert_said(row->name, &start, "Uid", row->uid);
    assert_said(row->name, &start, "Gid", row->gid);
    assert_said(row->name, &start, "Groups",
                row->groups ? row->groups : groups);
}
END_TEST

Suite *spawn_suite(void)
{
    Suite *suite = suite_create("spawn");
    TCase *tc = tcase_create("spawn");

    tcase_add_unchecked_fixture(tc, spawning_begin, spawning_end);
    add_as_root(tc, as_asked, ROWS(callers));
    add_as_root(tc, descriptors, 1);
    add_as_root(tc, as_whom, ROWS(who_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
