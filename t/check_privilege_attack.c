/*
 * Checks privilege and tenant_thread against what a tenant could try: from a
 * process of its own, to reach into httpd through the thread that has its
 * uid. The kernel refuses, as long as httpd is not dumpable.
 */
#include "privilege.h"
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char secret[] = "of httpd";

/* Each returns 0 where it works, or an errno. */
static int open_memory(pid_t tid)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 ? 0 : errno;
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
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? 0 : errno;
}

static const struct row
{
    const char *name;
    int (*attack)(pid_t tid);
    int err;
} rows[] = {
    {"open its memory", open_memory, EACCES},
    {"read its memory", read_memory, EPERM},
    {"write its memory", write_memory, EPERM},
    {"trace it", trace, EPERM},
    {"list its descriptors", list_descriptors, EACCES},
    {"read its map", read_maps, EACCES},
};

/* A process that the tenant's thread starts: the attacker. */
struct attack
{
    const struct row *row;
    int status; /* as waitpid(2) has it */
};

static void attack_myself(void *data)
{
    struct attack *attack = data;
    pid_t victim = gettid();
    pid_t attacker = fork();

    if (attacker == 0) {
        _exit(attack->row->attack(victim));
    }
    if (attacker < 0 || waitpid(attacker, &attack->status, 0) != attacker) {
        attack->status = -1;
    }
}

START_TEST(refused)
{
    struct ps_identity who = {TENANT, TENANT, 0, NULL};
    struct attack attack = {.row = &rows[_i], .status = -1};
    const char *name = attack.row->name;

    become_narrow_server();
    ck_assert(ps_run_as(&who, attack_myself, &attack).done);
    ck_assert_msg(WIFEXITED(attack.status), "%s: status %d", name,
                  attack.status);
    ck_assert_msg(WEXITSTATUS(attack.status) == attack.row->err, "%s: %s", name,
                  WEXITSTATUS(attack.status) == 0
                      ? "it works"
                      : strerror(WEXITSTATUS(attack.status)));
}
END_TEST

Suite *privilege_attack_suite(void)
{
    Suite *suite = suite_create("privilege: attacks");
    TCase *tc = tcase_create("attacks");

    add_as_root(tc, refused, ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
