/*
 * spawn - a program started straight into its tenant
 */
#include "spawn.h"

#include "privilege.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child needs: ps_drop_for_exec() reads a list of groups, 4 KB. */
#define STACK (12 * 1024)

/* As the kernel counts them, the C library's own two included. */
#define SIGNALS 64
#define MASK_BYTES (SIGNALS / 8)
_Static_assert(_NSIG - 1 == SIGNALS, "as many signals as the kernel has here");

struct order
{
    const struct ps_program *program;
    struct ps_outcome outcome;
};

static struct ps_outcome failed(enum ps_step step, int err)
{
    return (struct ps_outcome){.step = step, .err = err};
}

/*
 * All of them, in the calling thread. Raw, as the C library keeps two for
 * itself out of its functions' reach, and any can come from the tenant.
 */
static void set_mask(const uint64_t *mask, uint64_t *before)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, before, MASK_BYTES);
}

/* Signals that dump core, and can come from the tenant. */
static const int dumping[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                              SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};

static void end_at_once(int sig)
{
    (void)sig;
    _exit(127);
}

/*
 * httpd's handlers would run on httpd's memory. A process has its own table of
 * them, so that this is nobody else's. A dump of core would end all that share
 * the memory (before Linux 5.16), so that there is none until the program runs;
 * execve(2) makes these, too, default.
 */
static bool reset_signals(void)
{
    /* struct sigaction as the kernel has it, on every machine shorter. */
    static const unsigned long by_default[8];
    static const struct sigaction ending = {.sa_handler = end_at_once};

    for (int sig = 1; sig <= SIGNALS; sig++) {
        if (sig != SIGKILL && sig != SIGSTOP
            && syscall(SYS_rt_sigaction, sig, by_default, NULL, MASK_BYTES)
                   != 0) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(dumping) / sizeof(dumping[0]); i++) {
        if (sigaction(dumping[i], &ending, NULL) != 0) {
            return false;
        }
    }
    return true;
}

static struct ps_outcome set_up(const struct ps_program *p)
{
    for (int i = 0; i < 3; i++) {
        if (dup2(p->fd[i], i) < 0) {
            return failed(PS_STEP_STDIO, errno);
        }
    }
    if (syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
        return failed(PS_STEP_CLOSE, errno);
    }
    /* No controlling terminal, and no process group of another's to join. */
    if (setsid() < 0) {
        return failed(PS_STEP_GROUP, errno);
    }
    if (!reset_signals()) {
        return failed(PS_STEP_SIGNALS, errno);
    }
    /* Before the ids change: the kernel then counts the tenant's processes. */
    for (size_t i = 0; i < p->nlimits; i++) {
        if (setrlimit(p->limit[i].resource, &p->limit[i].value) != 0) {
            return failed(PS_STEP_LIMITS, errno);
        }
    }
    return failed(PS_STEP_NONE, 0);
}

/* As the tenant. */
static struct ps_outcome reach(const struct ps_program *p)
{
    struct stat now;

    if (chdir(p->dir) != 0) {
        return failed(PS_STEP_CHDIR, errno);
    }
    if (p->file) {
        if (stat(p->path, &now) != 0) {
            return failed(PS_STEP_FILE, errno);
        }
        if (now.st_dev != p->file->st_dev || now.st_ino != p->file->st_ino
            || now.st_uid != p->file->st_uid) {
            return failed(PS_STEP_CHANGED, 0);
        }
    }
    return failed(PS_STEP_NONE, 0);
}

/* The child, on its own stack in the memory of the thread that waits. */
static int run(void *arg)
{
    static const uint64_t none;
    struct order *order = arg;
    const struct ps_program *p = order->program;
    struct ps_outcome outcome = set_up(p);

    if (outcome.step == PS_STEP_NONE) {
        outcome = ps_drop_for_exec(&ps_kernel, p->who, p->already);
    }
    if (outcome.step == PS_STEP_NONE) {
        outcome = reach(p);
    }
    order->outcome = outcome;
    if (outcome.step == PS_STEP_NONE) {
        set_mask(&none, NULL);
        execve(p->path, (char *const *)p->argv, (char *const *)p->envp);
        order->outcome = failed(PS_STEP_EXEC, errno);
    }
    _exit(127);
}

/* A child that has ended, or is about to; its id is nobody's from here on. */
static void bury(pid_t *its)
{
    pid_t pid = *its;

    *its = 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

struct ps_outcome ps_spawn(const struct ps_program *program, pid_t *pid)
{
    _Alignas(16) char stack[STACK];
    static const uint64_t all = UINT64_MAX;
    uint64_t before = 0;
    struct order order = {
        .program = program,
        .outcome = {.step = PS_STEP_KILLED},
    };

    /* None of httpd's handlers may run in a child that has its memory. */
    set_mask(&all, &before);
    *pid = 0;
    if (clone(run, stack + sizeof(stack),
              CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD, &order,
              pid)
        < 0) {
        order.outcome = failed(PS_STEP_CLONE, errno);
        *pid = 0;
    }
    if (order.outcome.step != PS_STEP_NONE && *pid > 0) {
        bury(pid);
    }
    set_mask(&before, NULL);
    return order.outcome;
}
