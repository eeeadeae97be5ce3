/*
 * Checks spawn on the running kernel, as root: what cannot be started is not,
 * the step and the reason are told, and nothing is left of it. Beside each the
 * one that is started.
 */
#include "privilege.h"
#include "report.h"
#include "spawning.h"
#include "suites.h"
#include "support.h"
#include "target.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const gid_t descending[] = {GROUP_B, GROUP_A};
static const struct ps_identity tenant = {TENANT, TENANT, 2, two_groups};

/* One start that is to come to this; what the program is of has been set. */
static void check_start(const char *name, struct start *start,
                        enum ps_step step, int err)
{
    static struct snapshot before, after;

    take_snapshot(&before);
    start->outcome = ps_spawn(&start->program, &start->pid);
    finish(start);
    take_snapshot(&after);
    after.descriptors += 6; /* its pipes */
    assert_start(name, start, step, err);
    assert_same(name, &before, &after);
}

/* ---- where it is, and whether it is the one ---- */

static const struct path_row
{
    const char *name;
    const char *path; /* "{}" is the root of the tree */
    const char *dir;
    const char *file; /* what was decided on; NULL: nothing */
    enum ps_step step;
    int err;
} path_rows[] = {
    {"anybody's", "{}/report", "/", NULL, PS_STEP_NONE, 0},
    {"in a folder of the tenant's", "{}/home/report", "/", NULL, PS_STEP_NONE,
     0},
    {"in a folder of its group's", "{}/shared/report", "/", NULL, PS_STEP_NONE,
     0},
    {"in a folder of the server's", "{}/servers/report", "/", NULL,
     PS_STEP_EXEC, EACCES},
    {"the tenant's alone", "{}/tenants-own", "/", NULL, PS_STEP_NONE, 0},
    {"the server's alone", "{}/servers-own", "/", NULL, PS_STEP_EXEC, EACCES},
    {"not there", "{}/none", "/", NULL, PS_STEP_EXEC, ENOENT},
    {"no path", "", "/", NULL, PS_STEP_EXEC, ENOENT},
    {"below a file", "{}/plain/none", "/", NULL, PS_STEP_EXEC, ENOTDIR},
    {"a symlink to itself", "{}/loop", "/", NULL, PS_STEP_EXEC, ELOOP},
    {"a folder", "{}/home", "/", NULL, PS_STEP_EXEC, EACCES},
    {"not executable", "{}/plain", "/", NULL, PS_STEP_EXEC, EACCES},

    {"a script", "{}/script", "/", NULL, PS_STEP_NONE, 0},
    {"a script without #!", "{}/no-line", "/", NULL, PS_STEP_EXEC, ENOEXEC},
    {"an empty file", "{}/empty", "/", NULL, PS_STEP_EXEC, ENOEXEC},
    {"no interpreter", "{}/no-interpreter", "/", NULL, PS_STEP_EXEC, ENOENT},
    {"an interpreter that is not executable", "{}/bad-interpreter", "/", NULL,
     PS_STEP_EXEC, EACCES},

    {"a folder of the tenant's", "{}/report", "{}/home", NULL, PS_STEP_NONE, 0},
    {"a folder of its group's", "{}/report", "{}/shared", NULL, PS_STEP_NONE,
     0},
    {"from its folder", "./report", "{}/home", NULL, PS_STEP_NONE, 0},
    {"a folder of the server's", "{}/report", "{}/servers", NULL, PS_STEP_CHDIR,
     EACCES},
    {"no folder", "{}/report", "{}/none", NULL, PS_STEP_CHDIR, ENOENT},
    {"a folder that is a file", "{}/report", "{}/plain", NULL, PS_STEP_CHDIR,
     ENOTDIR},
    {"neither folder nor file", "{}/none", "{}/none", "{}/report",
     PS_STEP_CHDIR, ENOENT},

    {"the file", "{}/report", "/", "{}/report", PS_STEP_NONE, 0},
    {"the file, of the tenant's", "{}/home/report", "/", "{}/home/report",
     PS_STEP_NONE, 0},
    {"another file", "{}/report", "/", "{}/home/report", PS_STEP_CHANGED, 0},
    {"a file of another file system", "{}/report", "/", "/proc/self/status",
     PS_STEP_CHANGED, 0},
    {"another file, and not executable", "{}/plain", "/", "{}/report",
     PS_STEP_CHANGED, 0},
    {"the file is gone", "{}/none", "/", "{}/report", PS_STEP_FILE, ENOENT},
    {"the file cannot be reached", "{}/servers/report", "/",
     "{}/servers/report", PS_STEP_FILE, EACCES},
};

START_TEST(paths)
{
    static struct start start;
    static char path[TREE_PATH_MAX], dir[TREE_PATH_MAX], file[TREE_PATH_MAX];
    const struct path_row *row = &path_rows[_i];
    struct stat decided;

    start.program = report_program(&tenant);
    start.program.path = tree_path(path, row->path);
    start.program.dir = tree_path(dir, row->dir);
    if (row->file) {
        ck_assert_int_eq(stat(tree_path(file, row->file), &decided), 0);
        start.program.file = &decided;
    }
    become_narrow_server();
    open_pipes(&start);
    check_start(row->name, &start, row->step, row->err);
    assert_no_child(row->name);
}
END_TEST

/* What of the file must be the same. */
static void same(struct stat *st)
{
    (void)st;
}

static void other_device(struct stat *st)
{
    st->st_dev++;
}

static void other_inode(struct stat *st)
{
    st->st_ino++;
}

static void other_owner(struct stat *st)
{
    st->st_uid++;
}

static void other_time(struct stat *st)
{
    st->st_mtim.tv_sec++;
    st->st_size++;
}

static const struct decided_row
{
    const char *name;
    void (*change)(struct stat *st);
    enum ps_step step;
} decided_rows[] = {
    {"nothing", same, PS_STEP_NONE},
    {"its device", other_device, PS_STEP_CHANGED},
    {"its inode", other_inode, PS_STEP_CHANGED},
    {"its owner", other_owner, PS_STEP_CHANGED},
    {"what it contains", other_time, PS_STEP_NONE},
};

START_TEST(decided_on)
{
    static struct start start;
    const struct decided_row *row = &decided_rows[_i];
    struct stat decided;

    become_narrow_server();
    start.program = report_program(&tenant);
    ck_assert_int_eq(stat(start.program.path, &decided), 0);
    row->change(&decided);
    start.program.file = &decided;
    open_pipes(&start);
    check_start(row->name, &start, row->step, 0);
}
END_TEST

/* ---- all else that a start takes ---- */

static void nothing(struct start *start)
{
    (void)start;
}

static void no_input(struct start *start)
{
    start->program.fd[0] = 999;
}

static void no_output(struct start *start)
{
    start->program.fd[1] = 999;
}

static void no_error(struct start *start)
{
    start->program.fd[2] = 999;
}

static void argument(struct start *start, size_t length)
{
    static char text[200 * 1024];
    static const char *const argv[] = {REPORT, "-", text, NULL};

    memset(text, 'x', length);
    start->program.argv = argv;
}

static void long_argument(struct start *start)
{
    argument(start, 100);
}

static void too_long_argument(struct start *start)
{
    argument(start, 150 * 1024); /* MAX_ARG_STRLEN is 128 KiB */
}

/* The hard limit is 20 for whoever starts it. */
static void limit(struct start *start, int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit own = {20, 20};

    ck_assert_int_eq(setrlimit(RLIMIT_CPU, &own), 0);
    start->program.limit[0] =
        (struct ps_limit){RLIMIT_AS, {1U << 30, 1U << 30}};
    start->program.limit[1] = (struct ps_limit){resource, {soft, hard}};
    start->program.nlimits = 2;
}

static void same_limit(struct start *start)
{
    limit(start, RLIMIT_CPU, 20, 20);
}

static void lower_limit(struct start *start)
{
    limit(start, RLIMIT_CPU, 5, 10);
}

static void higher_limit(struct start *start)
{
    limit(start, RLIMIT_CPU, 20, 21);
}

static void soft_above_hard(struct start *start)
{
    limit(start, RLIMIT_CPU, 11, 10);
}

static void no_limit(struct start *start)
{
    limit(start, RLIM_NLIMITS, 1, 1);
}

static void without_capabilities(struct start *start)
{
    (void)start;
    ck_assert_int_eq(change_caps(0, 0, 0), 0);
}

static void with_one_capability(struct start *start)
{
    (void)start;
    ck_assert_int_eq(change_caps(1U << CAP_SETUID, 0, 0), 0);
}

static void with_no_process(struct start *start)
{
    struct rlimit none = {0, 0};

    (void)start;
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
}

static void as(struct start *start, uid_t uid, gid_t gid, const gid_t *groups)
{
    static struct ps_identity who;

    who = (struct ps_identity){uid, gid, 2, groups};
    start->program.who = &who;
}

static void as_no_uid(struct start *start)
{
    as(start, (uid_t)-1, TENANT, two_groups);
}

static void as_no_gid(struct start *start)
{
    as(start, TENANT, (gid_t)-1, two_groups);
}

static void in_no_order(struct start *start)
{
    as(start, TENANT, TENANT, descending);
}

static const struct other_row
{
    const char *name;
    void (*change)(struct start *start);
    enum ps_step step;
    int err;
} other_rows[] = {
    {"all is well", nothing, PS_STEP_NONE, 0},
    {"no standard input", no_input, PS_STEP_STDIO, EBADF},
    {"no standard output", no_output, PS_STEP_STDIO, EBADF},
    {"no standard error", no_error, PS_STEP_STDIO, EBADF},
    {"a long argument", long_argument, PS_STEP_NONE, 0},
    {"too long an argument", too_long_argument, PS_STEP_EXEC, E2BIG},
    {"the same limit", same_limit, PS_STEP_NONE, 0},
    {"a lower limit", lower_limit, PS_STEP_NONE, 0},
    {"a higher limit", higher_limit, PS_STEP_LIMITS, EPERM},
    {"a limit above its own", soft_above_hard, PS_STEP_LIMITS, EINVAL},
    {"a limit of nothing", no_limit, PS_STEP_LIMITS, EINVAL},
    {"without capabilities", without_capabilities, PS_STEP_RAISE, EPERM},
    {"with CAP_SETUID alone", with_one_capability, PS_STEP_RAISE, EPERM},
    {"no room for a process", with_no_process, PS_STEP_CLONE, EAGAIN},
    {"uid -1, which is none", as_no_uid, PS_STEP_RETURN, 0},
    {"gid -1, which is none", as_no_gid, PS_STEP_READ_IDS, 0},
    {"groups not ascending", in_no_order, PS_STEP_READ_GROUPS, 0},
};

START_TEST(others)
{
    static struct start start;
    const struct other_row *row = &other_rows[_i];

    become_narrow_server();
    start.program = report_program(&tenant);
    start.pid = getpid(); /* not its */
    open_pipes(&start);
    row->change(&start);
    check_start(row->name, &start, row->step, row->err);
    assert_no_child(row->name);
}
END_TEST

/* ---- as many processes as the tenant may have ---- */

/* Kernels differ by one: since 5.16 there may be one more than the limit. */
static const struct nproc_row
{
    const char *name;
    int others; /* of the tenant's that run */
    rlim_t limit;
    enum ps_step step;
    int err;
} nproc_rows[] = {
    {"the first of one", 0, 1, PS_STEP_NONE, 0},
    {"the second of two", 1, 2, PS_STEP_NONE, 0},
    {"the second of none", 1, 0, PS_STEP_EXEC, EAGAIN},
    {"the third of three", 2, 3, PS_STEP_NONE, 0},
    {"the third of one", 2, 1, PS_STEP_EXEC, EAGAIN},
};

START_TEST(processes)
{
    static struct start start;
    const struct nproc_row *row = &nproc_rows[_i];
    const struct ps_identity who = {STRANGER + 1 + (uid_t)_i, TENANT, 0, NULL};

    if (row->others > 0) {
        start_target(who.uid, row->others == 2);
    }
    become_narrow_server();
    start.program = report_program(&who);
    start.program.limit[0] =
        (struct ps_limit){RLIMIT_NPROC, {row->limit, row->limit}};
    start.program.nlimits = 1;
    open_pipes(&start);
    check_start(row->name, &start, row->step, row->err);
}
END_TEST

Suite *spawn_refused_suite(void)
{
    Suite *suite = suite_create("spawn: refused");
    TCase *tc = tcase_create("refused");

    tcase_add_unchecked_fixture(tc, spawning_begin, spawning_end);
    add_as_root(tc, paths, ROWS(path_rows));
    add_as_root(tc, decided_on, ROWS(decided_rows));
    add_as_root(tc, others, ROWS(other_rows));
    add_as_root(tc, processes, ROWS(nproc_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
