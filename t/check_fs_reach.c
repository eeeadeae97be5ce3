/*
 * Checks the file-system identity of privilege by what it is good for, on the
 * running kernel, as root: which files a thread reaches and makes, what the
 * threads and processes get that start from it, and that a tenant cannot
 * reach it.
 */
#include "privilege.h"
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const struct ps_identity tenant = {TENANT, TENANT, 2, two_groups};
static const struct ps_identity stranger = {STRANGER, STRANGER, 0, NULL};

static void act_as(const struct ps_identity *who)
{
    struct ps_outcome outcome = who == &server
                                    ? ps_fs_give_back(&ps_kernel, who)
                                    : ps_fs_take(&ps_kernel, who);

    ck_assert_msg(outcome.step == PS_STEP_NONE, "%s: %s",
                  ps_step_name(outcome.step), strerror(outcome.err));
}

static const char *below_root(char out[TREE_PATH_MAX], const char *name)
{
    snprintf(out, TREE_PATH_MAX, "%s/%s", tree_root(), name);
    return out;
}

/* ---- files there are ---- */

static const struct reach_row
{
    struct entry file; /* its path is the row's name */
    int flags;
    int as_tenant; /* 0, or an errno */
    int as_server;
} reach_rows[] = {
    {{"the tenant's", S_IFREG, 0600, TENANT, TENANT, NULL}, O_RDWR, 0, EACCES},
    {{"the server's", S_IFREG, 0600, SERVER, SERVER, NULL}, O_RDWR, EACCES, 0},
    {{"another's", S_IFREG, 0600, STRANGER, STRANGER, NULL},
     O_RDONLY,
     EACCES,
     EACCES},
    {{"root's", S_IFREG, 0600, 0, 0, NULL}, O_RDONLY, EACCES, EACCES},
    {{"everybody's", S_IFREG, 0444, 0, 0, NULL}, O_RDONLY, 0, 0},
    {{"everybody's, to be written", S_IFREG, 0444, 0, 0, NULL},
     O_WRONLY,
     EACCES,
     EACCES},
    {{"the tenant's own group's", S_IFREG, 0640, 0, TENANT, NULL},
     O_RDONLY,
     0,
     EACCES},
    {{"the tenant's first group's", S_IFREG, 0640, 0, GROUP_A, NULL},
     O_RDONLY,
     0,
     EACCES},
    {{"the tenant's last group's", S_IFREG, 0640, 0, GROUP_B, NULL},
     O_RDONLY,
     0,
     EACCES},
    {{"the server's group's", S_IFREG, 0640, 0, SERVER, NULL},
     O_RDONLY,
     EACCES,
     0},
    {{"all but the tenant's", S_IFREG, 0044, TENANT, 0, NULL},
     O_RDONLY,
     EACCES,
     0},
    {{"the tenant's folder", S_IFDIR, 0700, TENANT, TENANT, NULL},
     O_RDONLY | O_DIRECTORY,
     0,
     EACCES},
    {{"the server's folder", S_IFDIR, 0700, SERVER, SERVER, NULL},
     O_RDONLY | O_DIRECTORY,
     EACCES,
     0},
};

static void assert_opens(const char *when, const struct reach_row *row,
                         int want)
{
    char path[TREE_PATH_MAX];
    int fd = open(below_root(path, row->file.path), row->flags | O_CLOEXEC);
    int err = fd >= 0 ? 0 : errno;

    ck_assert_msg(err == want, "%s, %s: %s", row->file.path, when,
                  strerror(err));
    if (fd >= 0) {
        close(fd);
    }
}

START_TEST(reach)
{
    const struct reach_row *row = &reach_rows[_i];

    ck_assert(tree_add(&row->file));
    become_narrow_server();
    assert_opens("by the server", row, row->as_server);
    act_as(&tenant);
    assert_opens("by the tenant", row, row->as_tenant);
    act_as(&server);
    assert_opens("by the server again", row, row->as_server);
    act_as(&stranger);
    act_as(&tenant);
    assert_opens("by the tenant, after another", row, row->as_tenant);
}
END_TEST

/* ---- files that are made ---- */

static int make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    return fd >= 0 ? close(fd) : -1;
}

static int make_folder(const char *path)
{
    return mkdir(path, 0700);
}

static int make_link(const char *path)
{
    return symlink("anywhere", path);
}

static const struct make_row
{
    const char *name;
    int (*make)(const char *path);
    const struct ps_identity *who;
} make_rows[] = {
    {"a file of the tenant's", make_file, &tenant},
    {"a folder of the tenant's", make_folder, &tenant},
    {"a symlink of the tenant's", make_link, &tenant},
    {"a file of the server's", make_file, &server},
    {"a folder of the server's", make_folder, &server},
};

START_TEST(makes)
{
    const struct make_row *row = &make_rows[_i];
    char path[TREE_PATH_MAX];
    struct stat st;

    ck_assert_int_eq(chmod(tree_root(), 0777), 0);
    become_narrow_server();
    act_as(row->who == &server ? &tenant : &stranger);
    act_as(row->who);
    ck_assert_msg(row->make(below_root(path, row->name)) == 0, "%s: %s",
                  row->name, strerror(errno));
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_msg(st.st_uid == row->who->uid && st.st_gid == row->who->gid,
                  "%s: it belongs to %u:%u", row->name, st.st_uid, st.st_gid);
}
END_TEST

/* ---- what starts from such a thread ---- */

struct child
{
    struct status first, then;
    struct ps_outcome outcome;
};

static void *give_back(void *data)
{
    struct child *child = data;

    read_status("/proc/thread-self/status", &child->first);
    child->outcome = ps_fs_give_back(&ps_kernel, &server);
    read_status("/proc/thread-self/status", &child->then);
    return NULL;
}

/* Workers that mod_http2 starts in the middle of a request are such. */
START_TEST(new_thread)
{
    struct child child = {.outcome = {.step = PS_STEP_RETURN}};
    pthread_t thread;
    struct status mine;

    become_narrow_server();
    act_as(&tenant);
    ck_assert_int_eq(pthread_create(&thread, NULL, give_back, &child), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    assert_reaches_as("the new thread, at first", &child.first, &tenant);
    ck_assert_int_eq(child.outcome.step, PS_STEP_NONE);
    assert_reaches_as("the new thread, given back", &child.then, &server);
    mine = my_status();
    assert_reaches_as("who started it", &mine, &tenant);
}
END_TEST

/* Why no program may start from it: the server's uid, the tenant's groups. */
START_TEST(not_over_exec)
{
    struct status status;
    char path[TREE_PATH_MAX];
    pid_t pid;
    int end;

    ck_assert_int_eq(chmod(tree_root(), 0777), 0);
    become_narrow_server();
    act_as(&tenant);
    below_root(path, "status");
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execl("/bin/cp", "cp", "/proc/self/status", path, NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &end, 0), pid);
    ck_assert_int_eq(end, 0);
    act_as(&server);
    ck_assert(read_status(path, &status));
    ck_assert(status_is(&status, SERVER, SERVER, 2, two_groups));
    ck_assert_uint_eq(status.permitted, 0);
}
END_TEST

/* ---- what a tenant can do to it ---- */

static int kill_process(pid_t victim)
{
    return kill(victim, 0);
}

static int kill_thread(pid_t victim)
{
    return (int)syscall(SYS_tgkill, victim, victim, 0);
}

static int limit(pid_t victim)
{
    struct rlimit old;

    return prlimit(victim, RLIMIT_CPU, NULL, &old);
}

static int trace(pid_t victim)
{
    return (int)ptrace(PTRACE_SEIZE, victim, NULL, NULL);
}

static const struct attack_row
{
    const char *name;
    int (*attack)(pid_t victim);
    struct ps_identity attacker;
    int err;
} attack_rows[] = {
    {"kill(2)", kill_process, {TENANT, TENANT, 2, two_groups}, EPERM},
    {"tgkill(2)", kill_thread, {TENANT, TENANT, 2, two_groups}, EPERM},
    {"prlimit(2)", limit, {TENANT, TENANT, 2, two_groups}, EPERM},
    {"ptrace(2)", trace, {TENANT, TENANT, 2, two_groups}, EPERM},
    /* The allowed twins: by the server itself. */
    {"kill(2), by the server", kill_process, {SERVER, SERVER, 0, NULL}, 0},
    {"tgkill(2), by the server", kill_thread, {SERVER, SERVER, 0, NULL}, 0},
    {"prlimit(2), by the server", limit, {SERVER, SERVER, 0, NULL}, 0},
};

START_TEST(attacks)
{
    const struct attack_row *row = &attack_rows[_i];
    pid_t victim = getpid();
    pid_t attacker;
    int end;

    become_narrow_server();
    act_as(&tenant);
    attacker = fork();
    ck_assert_int_ge(attacker, 0);
    if (attacker == 0) {
        if (ps_drop(&ps_kernel, &row->attacker).step != PS_STEP_NONE) {
            _exit(255);
        }
        _exit(row->attack(victim) == 0 ? 0 : errno);
    }
    ck_assert_int_eq(waitpid(attacker, &end, 0), attacker);
    ck_assert_msg(WIFEXITED(end) && WEXITSTATUS(end) == row->err, "%s: %s",
                  row->name, strerror(WEXITSTATUS(end)));
}
END_TEST

/* ---- from there, the drop ---- */

static const struct drop_row
{
    const char *name;
    struct ps_identity who;
} drop_rows[] = {
    {"another tenant", {TENANT, TENANT, 0, NULL}},
    {"another tenant with groups", {TENANT, TENANT, 2, two_groups}},
    {"the tenant that it reaches files as", {STRANGER, STRANGER, 0, NULL}},
    {"the server's own user", {SERVER, SERVER, 0, NULL}},
};

static void look(void *data)
{
    read_status("/proc/thread-self/status", data);
}

static void assert_tenant(const char *name, const struct status *status,
                          const struct ps_identity *who)
{
    ck_assert_msg(
        status_is(status, who->uid, who->gid, who->ngroups, who->groups),
        "%s: uids %u %u %u %u, %zu groups", name, status->uid[0],
        status->uid[1], status->uid[2], status->uid[3], status->ngroups);
    ck_assert_msg(status->permitted == 0 && status->effective == 0,
                  "%s: capabilities", name);
}

START_TEST(drop)
{
    const struct drop_row *row = &drop_rows[_i];
    struct status status = {.ngroups = 0};

    become_narrow_server();
    act_as(&stranger);
    ck_assert_msg(ps_run_as(&row->who, look, &status).done, "%s: not done",
                  row->name);
    assert_tenant(row->name, &status, &row->who);
    status = my_status();
    assert_reaches_as("the waiting thread", &status, &stranger);
    ck_assert_int_eq(ps_drop(&ps_kernel, &row->who).step, PS_STEP_NONE);
    status = my_status();
    assert_tenant(row->name, &status, &row->who);
}
END_TEST

static void begin(void)
{
    ck_assert(tree_begin());
}

Suite *fs_reach_suite(void)
{
    Suite *suite = suite_create("file-system identity: reach");
    TCase *tc = tcase_create("fs_reach");

    tcase_add_unchecked_fixture(tc, begin, tree_end);
    add_as_root(tc, reach, ROWS(reach_rows));
    add_as_root(tc, makes, ROWS(make_rows));
    add_as_root(tc, new_thread, 1);
    add_as_root(tc, not_over_exec, 1);
    add_as_root(tc, attacks, ROWS(attack_rows));
    add_as_root(tc, drop, ROWS(drop_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
