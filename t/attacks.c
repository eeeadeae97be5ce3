/*
 * attacks - what a process of a tenant's could try against a thread of
 * httpd's, or a process that shares httpd's memory
 */
#include "attacks.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char secret[] = "of httpd";

/* ---- on memory and descriptors ---- */

static int open_file(pid_t tid, const char *name, int flags)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
    fd = open(path, flags | O_CLOEXEC);
    return fd >= 0 ? 0 : errno;
}

static int open_memory(pid_t tid)
{
    return open_file(tid, "mem", O_RDWR);
}

static int read_memory(pid_t tid)
{
    char copy[sizeof(secret)];
    struct iovec to = {copy, sizeof(copy)};
    struct iovec from = {secret, sizeof(secret)};

    return process_vm_readv(tid, &to, 1, &from, 1, 0) >= 0 ? 0 : errno;
}

static int write_memory(pid_t tid)
{
    struct iovec word = {secret, sizeof(secret)};

    return process_vm_writev(tid, &word, 1, &word, 1, 0) >= 0 ? 0 : errno;
}

static int trace(pid_t tid)
{
    return ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0 ? 0 : errno;
}

static int list_descriptors(pid_t tid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)tid);
    return count_entries(path) > 0 ? 0 : EACCES;
}

static int read_maps(pid_t tid)
{
    return open_file(tid, "maps", O_RDONLY);
}

const struct attack memory_attacks[MEMORY_ATTACKS] = {
    {"open its memory", open_memory, EACCES},
    {"read its memory", read_memory, EPERM},
    {"write its memory", write_memory, EPERM},
    {"trace it", trace, EPERM},
    {"list its descriptors", list_descriptors, EACCES},
    {"read its map", read_maps, EACCES},
};

/*
 * ---- with signals and limits ----
 *
 * A signal that nobody minds. (SIGCONT would be: any process of the session
 * may send it.)
 */

static int signal_it(pid_t tid)
{
    return kill(tid, SIGWINCH) == 0 ? 0 : errno;
}

static pid_t process_of(pid_t tid)
{
    char path[64], line[256];
    int pid = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)
           && sscanf(line, "Tgid: %d", &pid) != 1) {
    }
    if (f) {
        fclose(f);
    }
    return pid;
}

static int signal_thread(pid_t tid)
{
    return syscall(SYS_tgkill, process_of(tid), tid, SIGWINCH) == 0 ? 0 : errno;
}

static int signal_process(pid_t tid)
{
    return kill(process_of(tid), SIGWINCH) == 0 ? 0 : errno;
}

static int queue_signal(pid_t tid)
{
    return sigqueue(tid, SIGWINCH, (union sigval){0}) == 0 ? 0 : errno;
}

static int read_limit(pid_t tid)
{
    struct rlimit limit;

    return prlimit(tid, RLIMIT_CPU, NULL, &limit) == 0 ? 0 : errno;
}

static int set_limit(pid_t tid)
{
    struct rlimit limit; /* the same: a higher one would be refused, too */

    getrlimit(RLIMIT_CPU, &limit);
    return prlimit(tid, RLIMIT_CPU, &limit, NULL) == 0 ? 0 : errno;
}

const struct attack signal_attacks[SIGNAL_ATTACKS] = {
    {"signal it", signal_it, EPERM},
    {"signal the thread", signal_thread, EPERM},
    {"signal its process", signal_process, EPERM},
    {"queue a signal", queue_signal, EPERM},
    {"read a limit", read_limit, EPERM},
    {"set a limit", set_limit, EPERM},
};

/* ---- on how it is scheduled ---- */

static int lower_priority(pid_t tid)
{
    return setpriority(PRIO_PROCESS, (id_t)tid, 19) == 0 ? 0 : errno;
}

static int make_idle(pid_t tid)
{
    struct sched_param none = {0};

    return sched_setscheduler(tid, SCHED_IDLE, &none) == 0 ? 0 : errno;
}

/* To those that it runs on already. */
static int bind_to_processors(pid_t tid)
{
    cpu_set_t own;

    return sched_getaffinity(0, sizeof(own), &own) == 0
                   && sched_setaffinity(tid, sizeof(own), &own) == 0
               ? 0
               : errno;
}

const struct attack priority_attacks[PRIORITY_ATTACKS] = {
    {"lower its priority", lower_priority, EPERM},
    {"make it idle", make_idle, EPERM},
    {"bind it to processors", bind_to_processors, EPERM},
};

const struct attack *attack_at(int i)
{
    if (i < MEMORY_ATTACKS) {
        return &memory_attacks[i];
    }
    i -= MEMORY_ATTACKS;
    return i < SIGNAL_ATTACKS ? &signal_attacks[i]
                              : &priority_attacks[i - SIGNAL_ATTACKS];
}

/* ---- processes ---- */

pid_t fork_as(uid_t uid)
{
    pid_t pid = fork();

    if (pid != 0) {
        return pid;
    }
    if (syscall(SYS_setgroups, 0, NULL) != 0
        || syscall(SYS_setresgid, uid, uid, uid) != 0 || change_uid(uid) != 0
        || change_caps(0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0
        || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        _exit(EXIT_FAILURE);
    }
    return 0;
}

static int result_of(pid_t attacker)
{
    int status;

    return attacker > 0 && waitpid(attacker, &status, 0) == attacker
                   && WIFEXITED(status)
               ? WEXITSTATUS(status)
               : -1;
}

int attack_as(uid_t uid, const struct attack *attack, pid_t tid)
{
    pid_t attacker = fork_as(uid);

    if (attacker == 0) {
        _exit(attack->try(tid));
    }
    return result_of(attacker);
}

int attack_own(uid_t uid, const struct attack *attack)
{
    pid_t attacker = fork_as(uid);

    if (attacker == 0) {
        pid_t victim = fork();
        int result;

        if (victim == 0) {
            pause();
            _exit(EXIT_SUCCESS);
        }
        result = attack->try(victim);
        kill(victim, SIGKILL);
        _exit(result);
    }
    return result_of(attacker);
}
