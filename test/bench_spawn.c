/*
 * bench_spawn SECONDS PROGRAM - how often two loops at once, of posix_spawn()
 * and waitpid(), run PROGRAM in a second: what the kernel takes for it alone
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOPS 2

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Runs per second, or less than 0 after one that did not end well. */
static double loop(double seconds, char *program)
{
    char *argv[] = {program, NULL};
    char *envp[] = {"PATH=/usr/bin:/bin", NULL};
    double start = now(), ran;
    long runs = 0;
    int status;
    pid_t pid;

    do {
        if (posix_spawn(&pid, program, NULL, NULL, argv, envp) != 0
            || waitpid(pid, &status, 0) != pid || status != 0) {
            return -1;
        }
        runs++;
        ran = now() - start;
    } while (ran < seconds);
    return (double)runs / ran;
}

/* One loop in a process of its own, whose programs write to /dev/null. */
static void start_loop(double seconds, char *program, int to)
{
    double rate;
    int null;

    if (fork() != 0) {
        return;
    }
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0) {
        _exit(1);
    }
    rate = loop(seconds, program);
    _exit(write(to, &rate, sizeof rate) != sizeof rate);
}

int main(int argc, char **argv)
{
    double sum = 0, rate;
    int ends[2];

    if (argc != 3 || pipe2(ends, O_CLOEXEC) != 0) {
        return 2;
    }
    for (int n = 0; n < LOOPS; n++) {
        start_loop(atof(argv[1]), argv[2], ends[1]);
    }
    close(ends[1]);
    for (int n = 0; n < LOOPS; n++) {
        if (read(ends[0], &rate, sizeof rate) != sizeof rate || rate < 0) {
            return 1;
        }
        sum += rate;
    }
    while (wait(NULL) > 0) {
    }
    printf("%.2f\n", sum);
    return 0;
}
