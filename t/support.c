/*
 * support - what several suites need: ids, what the kernel says of a thread,
 * and checks that only root can run
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static size_t skipped;

static const char *after(const char *line, const char *key)
{
    size_t n = strlen(key);

    return strncmp(line, key, n) == 0 && line[n] == ':' ? line + n + 1 : NULL;
}

static bool read_four(const char *text, unsigned ids[4])
{
    return sscanf(text, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4;
}

static bool read_groups(const char *text, struct status *out)
{
    char *end;

    for (out->ngroups = 0; out->ngroups < ROWS(out->groups); out->ngroups++) {
        unsigned long id = strtoul(text, &end, 10);

        if (end == text) {
            return true;
        }
        out->groups[out->ngroups] = (unsigned)id;
        text = end;
    }
    return false;
}

/* How many of the nine lines below this one is: 1, or 0. */
static int read_line(const char *line, struct status *out)
{
    const struct
    {
        const char *key;
        unsigned long long *value;
    } sets[] = {{"CapInh", &out->inheritable},
                {"CapPrm", &out->permitted},
                {"CapEff", &out->effective},
                {"CapAmb", &out->ambient},
                {"SigBlk", &out->blocked}};
    const char *text;

    if ((text = after(line, "Uid"))) {
        return read_four(text, out->uid);
    }
    if ((text = after(line, "Gid"))) {
        return read_four(text, out->gid);
    }
    if ((text = after(line, "Groups"))) {
        return read_groups(text, out);
    }
    if ((text = after(line, "VmRSS"))) {
        return sscanf(text, "%lu", &out->rss_kb) == 1;
    }
    for (size_t i = 0; i < ROWS(sets); i++) {
        if ((text = after(line, sets[i].key))) {
            return sscanf(text, "%llx", sets[i].value) == 1;
        }
    }
    return 0;
}

bool read_status(const char *path, struct status *out)
{
    char line[512];
    int found = 0;
    FILE *f = fopen(path, "re");

    if (!f) {
        return false;
    }
    while (fgets(line, sizeof(line), f)) {
        found += read_line(line, out);
    }
    fclose(f);
    return found == 9;
}

struct status my_status(void)
{
    struct status status;

    ck_assert_msg(read_status("/proc/thread-self/status", &status),
                  "/proc/thread-self/status is not to be read");
    return status;
}

bool status_is(const struct status *status, unsigned uid, unsigned gid,
               size_t ngroups, const unsigned *groups)
{
    for (int i = 0; i < 4; i++) {
        if (status->uid[i] != uid || status->gid[i] != gid) {
            return false;
        }
    }
    return status->ngroups == ngroups
           && (ngroups == 0
               || memcmp(status->groups, groups, ngroups * sizeof(*groups))
                      == 0);
}

const struct ps_identity server = {SERVER, SERVER, 0, NULL};

static bool ids_are(const unsigned ids[4], unsigned own, unsigned fs)
{
    return ids[0] == own && ids[1] == own && ids[2] == own && ids[3] == fs;
}

void assert_reaches_as(const char *name, const struct status *status,
                       const struct ps_identity *who)
{
    const unsigned *uid = status->uid;
    const unsigned *gid = status->gid;

    ck_assert_msg(ids_are(uid, SERVER, who->uid), "%s: uids %u %u %u %u", name,
                  uid[0], uid[1], uid[2], uid[3]);
    ck_assert_msg(ids_are(gid, SERVER, who->gid), "%s: gids %u %u %u %u", name,
                  gid[0], gid[1], gid[2], gid[3]);
    ck_assert_msg(status->ngroups == who->ngroups, "%s: %zu groups", name,
                  status->ngroups);
    for (size_t i = 0; i < who->ngroups; i++) {
        ck_assert_msg(status->groups[i] == who->groups[i], "%s: group %u", name,
                      status->groups[i]);
    }
    ck_assert_msg(status->permitted == SWITCHING, "%s: CapPrm %llx", name,
                  status->permitted);
    ck_assert_msg(status->effective == 0 && status->inheritable == 0
                      && status->ambient == 0,
                  "%s: CapEff %llx, CapInh %llx, CapAmb %llx", name,
                  status->effective, status->inheritable, status->ambient);
}

static void *stand_by(void *data)
{
    struct bystander *b = data;

    b->tid = gettid();
    sem_post(&b->started);
    sem_wait(&b->end);
    read_status("/proc/thread-self/status", &b->last);
    return NULL;
}

void start_bystander(struct bystander *b)
{
    sem_init(&b->started, 0, 0);
    sem_init(&b->end, 0, 0);
    ck_assert_int_eq(pthread_create(&b->thread, NULL, stand_by, b), 0);
    sem_wait(&b->started);
}

void end_bystander(struct bystander *b)
{
    sem_post(&b->end);
    ck_assert_int_eq(pthread_join(b->thread, NULL), 0);
}

void status_file(char out[64], pid_t tid)
{
    snprintf(out, 64, "/proc/self/task/%d/status", (int)tid);
}

size_t count_entries(const char *folder)
{
    size_t n = 0;
    struct dirent *entry;
    DIR *d = opendir(folder);

    if (!d) {
        return 0;
    }
    while ((entry = readdir(d))) {
        n += entry->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

size_t count_descriptors(void)
{
    return count_entries("/proc/self/fd");
}

size_t threads_left(void)
{
    size_t n = 0;

    for (int i = 0; i < 1000; i++) {
        n = count_entries("/proc/self/task");
        if (n == 1) {
            break;
        }
        usleep(1000);
    }
    return n;
}

bool is_able(void)
{
    struct status status;

    return geteuid() == 0 && read_status("/proc/self/status", &status)
           && (status.effective & SWITCHING) == SWITCHING;
}

/* Raw, as in privilege.c: a test's other threads are to stay what they are. */
int change_uid(uid_t uid)
{
    return syscall(SYS_setresuid, uid, uid, uid) == 0 ? 0 : errno;
}

int change_caps(unsigned permitted, unsigned effective, unsigned inheritable)
{
    struct __user_cap_header_struct hdr = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {effective, permitted, inheritable}};

    return (int)syscall(SYS_capset, &hdr, data);
}

void become_server_of(size_t ngroups, const gid_t *groups)
{
    ck_assert_msg(is_able(), "this check needs root, CAP_SETUID and "
                             "CAP_SETGID");
    ck_assert_int_eq(ps_keep_capabilities(&ps_kernel).step, PS_STEP_NONE);
    ck_assert_int_eq(syscall(SYS_setgroups, ngroups, groups), 0);
    ck_assert_int_eq(syscall(SYS_setresgid, SERVER, SERVER, SERVER), 0);
    ck_assert_int_eq(change_uid(SERVER), 0);
}

void become_server(void)
{
    gid_t group = SERVER;

    become_server_of(1, &group);
}

void become_narrow_server(void)
{
    become_server();
    ck_assert_int_eq(ps_narrow(&ps_kernel).step, PS_STEP_NONE);
}

void add_as_root(TCase *tc, const TTest *test, size_t rows)
{
    const char *must = getenv("PS_MUST_RUN");

    if (is_able() || (must && strcmp(must, "1") == 0)) {
        tcase_add_loop_test(tc, test, 0, (int)rows);
    }
    else {
        skipped += rows;
    }
}

void report_skipped(void)
{
    if (skipped > 0) {
        printf("%zu checks skipped: they need root, CAP_SETUID and "
               "CAP_SETGID (PS_MUST_RUN=1 makes them fail instead)\n",
               skipped);
    }
}
