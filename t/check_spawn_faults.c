/*
 * Checks spawn, as root: system calls of the child's are made to fail, and to
 * claim a success that never was, by a filter (seccomp(2)), as it takes no
 * table of them. Nothing may run then, and nothing be left.
 */
#include "spawning.h"
#include "suites.h"
#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* On 32-bit machines the calls of the plain names take 16-bit ids. */
#ifdef SYS_setresuid32
#define NR(name) SYS_##name##32
#else
#define NR(name) SYS_##name
#endif

static const gid_t two_groups[] = {GROUP_A, GROUP_B};
static const struct ps_identity tenant = {TENANT, TENANT, 2, two_groups};

static const struct row
{
    const char *name;
    unsigned call;
    unsigned result; /* an errno; 0: it does nothing, and returns 0 */
    enum ps_step step;
    int err;
} rows[] = {
    {"a call that it does not make", SYS_reboot, EPERM, PS_STEP_NONE, 0},

    {"clone fails", SYS_clone, EAGAIN, PS_STEP_CLONE, EAGAIN},
    {"close_range fails", SYS_close_range, ENOSYS, PS_STEP_CLOSE, ENOSYS},
    {"setsid fails", SYS_setsid, EPERM, PS_STEP_GROUP, EPERM},
    {"rt_sigaction fails", SYS_rt_sigaction, EINVAL, PS_STEP_SIGNALS, EINVAL},
    {"prlimit fails", SYS_prlimit64, EPERM, PS_STEP_LIMITS, EPERM},
    {"capset fails", SYS_capset, EPERM, PS_STEP_RAISE, EPERM},
    {"setgroups fails", NR(setgroups), ENOMEM, PS_STEP_GROUPS, ENOMEM},
    {"setresgid fails", NR(setresgid), EINVAL, PS_STEP_GID, EINVAL},
    {"setresuid fails", NR(setresuid), EAGAIN, PS_STEP_UID, EAGAIN},
    {"prctl fails", SYS_prctl, EINVAL, PS_STEP_DUMPABLE, EINVAL},
    {"getresuid fails", NR(getresuid), EFAULT, PS_STEP_READ_IDS, 0},
    {"getresgid fails", NR(getresgid), EFAULT, PS_STEP_READ_IDS, 0},
    {"getgroups fails", NR(getgroups), EINVAL, PS_STEP_READ_GROUPS, 0},
    {"capget fails", SYS_capget, EINVAL, PS_STEP_READ_CAPS, 0},
    {"chdir fails", SYS_chdir, EIO, PS_STEP_CHDIR, EIO},
    {"execve fails", SYS_execve, ENOMEM, PS_STEP_EXEC, ENOMEM},

    {"capset lies", SYS_capset, 0, PS_STEP_GROUPS, EPERM},
    {"setgroups lies", NR(setgroups), 0, PS_STEP_READ_GROUPS, 0},
    {"setresgid lies", NR(setresgid), 0, PS_STEP_READ_IDS, 0},
    {"setresuid lies", NR(setresuid), 0, PS_STEP_RETURN, 0},
    {"getgroups lies", NR(getgroups), 0, PS_STEP_READ_GROUPS, 0},
    {"setfsuid lies", NR(setfsuid), 0, PS_STEP_READ_IDS, 0},
    {"setfsgid lies", NR(setfsgid), 0, PS_STEP_READ_IDS, 0},
};

static void filter(unsigned call, unsigned result)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | result),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {ROWS(code), code};

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(spawn_faults)
{
    static struct start start;
    static struct snapshot before, after;
    const struct row *row = &rows[_i];

    become_narrow_server();
    start.program = report_program(&tenant);
    start.program.limit[0] = (struct ps_limit){RLIMIT_CPU, {10, 10}};
    start.program.nlimits = 1;
    filter(row->call, row->result);
    take_snapshot(&before);
    run_program(&start);
    take_snapshot(&after);
    assert_start(row->name, &start, row->step, row->err);
    assert_same(row->name, &before, &after);
    assert_no_child(row->name);
}
END_TEST

Suite *spawn_faults_suite(void)
{
    Suite *suite = suite_create("spawn: faults");
    TCase *tc = tcase_create("faults");

    tcase_add_unchecked_fixture(tc, spawning_begin, spawning_end);
    add_as_root(tc, spawn_faults, ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
