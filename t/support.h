/*
 * support - what several suites need: ids, what the kernel says of a thread,
 * and checks that only root can run
 */
#ifndef PS_SUPPORT_H
#define PS_SUPPORT_H

#include "privilege.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/** Ids that no machine's user database is expected to have. */
enum
{
    SERVER = 30001,
    TENANT = 30002,
    GROUP_A = 30003,
    GROUP_B = 30004,
    STRANGER = 30005
};

/** Bits of CAP_SETGID and CAP_SETUID, as /proc shows them. */
#define SWITCHING 0xc0ULL

/** A thread, as its /proc/.../status shows it. */
struct status
{
    unsigned uid[4]; /* real, effective, saved, file-system */
    unsigned gid[4];
    size_t ngroups;
    unsigned groups[16];
    unsigned long long inheritable, permitted, effective, ambient;
    unsigned long long blocked; /* signals: bit 0 is signal 1 */
    unsigned long rss_kb;
};

/** Read a status file. False where a line is missing or not understood. */
bool read_status(const char *path, struct status *out);

/** Assert that the calling thread's status can be read, and return it. */
struct status my_status(void);

/** Whether all four ids and the groups are those of one identity. */
bool status_is(const struct status *status, unsigned uid, unsigned gid,
               size_t ngroups, const unsigned *groups);

/** The server as it reaches files after ps_narrow(): no groups. */
extern const struct ps_identity server;

/**
 * Assert that a thread is the server's, narrowed, and reaches files as `who`:
 * ids real, effective and saved are the server's, file-system ids and groups
 * are those of `who`, SWITCHING is permitted, and nothing else is held.
 */
void assert_reaches_as(const char *name, const struct status *status,
                       const struct ps_identity *who);

/** A thread that was there before, and is to stay what it is. */
struct bystander
{
    pthread_t thread;
    pid_t tid;
    sem_t started, end;
    struct status last; /* what it saw of itself before it ended */
};

void start_bystander(struct bystander *b);
void end_bystander(struct bystander *b);

/** Write the path of another thread's status file. */
void status_file(char out[64], pid_t tid);

/** How many entries a folder has, "." and ".." left out; 0 on failure. */
size_t count_entries(const char *folder);

/**
 * Threads of this process. Waits for those that are joined already, as the
 * kernel takes them off its list a moment later.
 */
size_t threads_left(void);

/** Descriptors that this process has open. */
size_t count_descriptors(void);

/** Whether checks that need root can run: root, with what it takes. */
bool is_able(void);

/**
 * What an httpd child does as root: keep capabilities, then take the ids of
 * the server, {SERVER} as groups included. Raw calls, and asserted.
 */
void become_server(void);

/** The same, with these groups. */
void become_server_of(size_t ngroups, const gid_t *groups);

/** become_server() and ps_narrow(): where a child stands when it serves. */
void become_narrow_server(void);

/** Raw setresuid(2) for the calling thread; 0, or the errno. */
int change_uid(uid_t uid);

/** Raw capset(2) for the calling thread, of bits up to 31; 0, or -1. */
int change_caps(unsigned permitted, unsigned effective, unsigned inheritable);

/**
 * Add a check of so many rows that needs root. Without root it is skipped,
 * or, with PS_MUST_RUN=1, added all the same, and fails.
 */
void add_as_root(TCase *tc, const TTest *test, size_t rows);

/** Say how many checks were skipped, and why; nothing where none was. */
void report_skipped(void);

#endif /* PS_SUPPORT_H */
