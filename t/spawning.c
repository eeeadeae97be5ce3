/*
 * spawning - a program that is started by a check, and what it said
 */
#include "spawning.h"

#include "report.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the tree ---- */

static char program_path[PATH_MAX];

static const struct entry entries[] = {
    {"report", S_IFREG, 0755, 0, 0, NULL},
    {"home", S_IFDIR, 0700, TENANT, TENANT, NULL},
    {"home/report", S_IFREG, 0500, TENANT, TENANT, NULL},
    {"servers", S_IFDIR, 0700, SERVER, SERVER, NULL},
    {"servers/report", S_IFREG, 0755, SERVER, SERVER, NULL},
    {"shared", S_IFDIR, 0710, STRANGER, GROUP_A, NULL},
    {"shared/report", S_IFREG, 0755, STRANGER, STRANGER, NULL},
    {"servers-own", S_IFREG, 0500, SERVER, SERVER, NULL},
    {"tenants-own", S_IFREG, 0500, TENANT, TENANT, NULL},
    {"plain", S_IFREG, 0644, TENANT, TENANT, NULL},
    {"script", S_IFREG, 0755, TENANT, TENANT, NULL},
    {"no-line", S_IFREG, 0755, TENANT, TENANT, NULL},
    {"empty", S_IFREG, 0755, TENANT, TENANT, NULL},
    {"no-interpreter", S_IFREG, 0755, TENANT, TENANT, NULL},
    {"bad-interpreter", S_IFREG, 0755, TENANT, TENANT, NULL},
    {"loop", S_IFLNK, 0, TENANT, TENANT, "{}/loop"},
};

/* What stands in them. "{}" is the root; others have the program, or nothing.
 */
static const struct
{
    const char *name, *text;
} texts[] = {
    {"plain", "#!/bin/sh\necho end: all said\n"},
    {"script", "#!/bin/sh\necho end: all said\n"},
    {"no-line", "echo end: all said\n"},
    {"no-interpreter", "#!{}/none\n"},
    {"bad-interpreter", "#!{}/plain\n"},
};

static void fill(const char *path, const char *text)
{
    char expanded[TREE_PATH_MAX];
    int to = open(path, O_WRONLY | O_CLOEXEC);
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat st;
    size_t n;

    ck_assert_msg(to >= 0 && from >= 0, "%s: %s", path, strerror(errno));
    if (text) {
        tree_path(expanded, text);
        n = strlen(expanded);
        ck_assert_int_eq(write(to, expanded, n), n);
    }
    else {
        ck_assert_int_eq(fstat(from, &st), 0);
        while (sendfile(to, from, NULL, (size_t)st.st_size) > 0) {
        }
        ck_assert_int_eq(lseek(to, 0, SEEK_CUR), st.st_size);
    }
    ck_assert_int_eq(close(to), 0);
    close(from);
}

static bool has_program(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    return strcmp(name, "report") == 0 || strstr(name, "-own");
}

void spawning_begin(void)
{
    char path[TREE_PATH_MAX];

    if (!is_able()) {
        return; /* nothing runs that would need it */
    }
    ck_assert(tree_begin());
    for (size_t i = 0; i < ROWS(entries); i++) {
        ck_assert_msg(tree_add(&entries[i]), "%s: %s", entries[i].path,
                      strerror(errno));
        snprintf(path, sizeof(path), "%s/%s", tree_root(), entries[i].path);
        if (has_program(entries[i].path)) {
            fill(path, NULL);
        }
    }
    for (size_t i = 0; i < ROWS(texts); i++) {
        snprintf(path, sizeof(path), "%s/%s", tree_root(), texts[i].name);
        fill(path, texts[i].text);
    }
    snprintf(program_path, sizeof(program_path), "%s/report", tree_root());
}

void spawning_end(void)
{
    if (is_able()) {
        tree_end();
    }
}

/* ---- a start ---- */

struct ps_program report_program(const struct ps_identity *who)
{
    static const char *const argv[] = {REPORT, NULL};
    static const char *const envp[] = {NULL};

    return (struct ps_program){
        .path = program_path,
        .argv = argv,
        .envp = envp,
        .dir = "/",
        .who = who,
    };
}

void open_pipes(struct start *start)
{
    for (int i = 0; i < 3; i++) {
        int ends[2];

        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        start->theirs[i] = ends[i == 0 ? 0 : 1];
        start->ours[i] = ends[i == 0 ? 1 : 0];
        start->program.fd[i] = start->theirs[i];
        ck_assert_int_gt(start->theirs[i], 2);
    }
    start->status = -1;
    start->said[0] = '\0';
}

static void close_all(int fd[3])
{
    for (int i = 0; i < 3; i++) {
        if (fd[i] >= 0) {
            close(fd[i]);
            fd[i] = -1;
        }
    }
}

void close_theirs(struct start *start)
{
    close_all(start->theirs);
}

void finish(struct start *start)
{
    size_t n = 0;
    ssize_t got;

    close_theirs(start);
    close(start->ours[0]);
    start->ours[0] = -1;
    while ((got = read(start->ours[1], start->said + n,
                       sizeof(start->said) - 1 - n))
           > 0) {
        n += (size_t)got;
    }
    start->said[n] = '\0';
    close_all(start->ours);
    if (start->outcome.step == PS_STEP_NONE) {
        if (waitpid(start->pid, &start->status, 0) != start->pid) {
            start->status = -1;
        }
    }
}

void run_program(struct start *start)
{
    open_pipes(start);
    start->outcome = ps_spawn(&start->program, &start->pid);
    finish(start);
}

void assert_start(const char *name, const struct start *start,
                  enum ps_step step, int err)
{
    struct ps_outcome got = start->outcome;

    ck_assert_msg(got.step == step && got.err == err, "%s: %s, %s; not %s, %s",
                  name, ps_step_name(got.step), strerror(got.err),
                  ps_step_name(step), strerror(err));
    if (step != PS_STEP_NONE) {
        ck_assert_msg(start->said[0] == '\0', "%s: it ran, and said: %s", name,
                      start->said);
        ck_assert_msg(start->pid == 0
                          || (kill(start->pid, 0) == -1 && errno == ESRCH),
                      "%s: process %d is left", name, (int)start->pid);
        return;
    }
    ck_assert_msg(start->pid > 0, "%s: it is process %d", name,
                  (int)start->pid);
    ck_assert_msg(start->status == 0, "%s: it ended with status %x", name,
                  (unsigned)start->status);
    assert_said(name, start, "end", "all said");
}

bool is_end_by(int signal, int status)
{
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == signal && !WCOREDUMP(status);
    }
    return signal != SIGKILL && WIFEXITED(status) && WEXITSTATUS(status) == 127;
}

void assert_said(const char *name, const struct start *start, const char *key,
                 const char *want)
{
    size_t n = strlen(key);
    const char *line = start->said;

    while (*line && (strncmp(line, key, n) != 0 || line[n] != ':')) {
        line = strchrnul(line, '\n');
        line += *line == '\n';
    }
    ck_assert_msg(*line, "%s: it did not say %s, but: %s", name, key,
                  start->said);
    line += n + 1;
    line += *line == ' ';
    n = strcspn(line, "\n");
    ck_assert_msg(n == strlen(want) && strncmp(line, want, n) == 0,
                  "%s: %s: %.*s, not %s", name, key, (int)n, line, want);
}

/* ---- what is as it was ---- */

static void add(struct snapshot *out, const char *format, ...)
{
    size_t n = strlen(out->text);
    va_list args;

    va_start(args, format);
    vsnprintf(out->text + n, sizeof(out->text) - n, format, args);
    va_end(args);
}

static void add_status(struct snapshot *out)
{
    static const char *const keys[] = {"Umask",  "Uid",    "Gid",
                                       "Groups", "Cap",    "NoN",
                                       "SigBlk", "SigIgn", "SigCgt"};
    char line[512];
    FILE *f = fopen("/proc/thread-self/status", "re");

    while (f && fgets(line, sizeof(line), f)) {
        for (size_t i = 0; i < ROWS(keys); i++) {
            if (strncmp(line, keys[i], strlen(keys[i])) == 0) {
                add(out, "%s", line);
            }
        }
    }
    if (f) {
        fclose(f);
    }
}

void take_snapshot(struct snapshot *out)
{
    char cwd[PATH_MAX];

    out->text[0] = '\0';
    add_status(out);
    add(out, "cwd: %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
    add(out, "dumpable: %d\n", prctl(PR_GET_DUMPABLE));
    add(out, "pgrp: %d\n", (int)getpgrp());
    add(out, "nice: %d\n", getpriority(PRIO_PROCESS, 0));
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limit = {0, 0};

        getrlimit(i, &limit);
        add(out, "limit %d: %llu %llu\n", i, (unsigned long long)limit.rlim_cur,
            (unsigned long long)limit.rlim_max);
    }
    for (int i = 1; i <= 64; i++) {
        struct sigaction action = {.sa_handler = SIG_DFL};

        sigaction(i, NULL, &action);
        out->handlers[i] = action.sa_handler;
    }
    out->descriptors = count_descriptors();
}

void assert_same(const char *name, const struct snapshot *before,
                 const struct snapshot *after)
{
    ck_assert_msg(strcmp(before->text, after->text) == 0,
                  "%s: it was\n%s\nand is\n%s", name, before->text,
                  after->text);
    for (int i = 1; i <= 64; i++) {
        ck_assert_msg(before->handlers[i] == after->handlers[i],
                      "%s: another handler of signal %d", name, i);
    }
    ck_assert_msg(before->descriptors == after->descriptors,
                  "%s: %zu descriptors, and then %zu", name,
                  before->descriptors, after->descriptors);
}

void assert_no_child(const char *name)
{
    pid_t pid = waitpid(-1, NULL, WNOHANG);

    ck_assert_msg(pid == -1 && errno == ECHILD, "%s: a child is left: %d", name,
                  (int)pid);
}
