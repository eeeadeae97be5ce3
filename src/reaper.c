/*
 * reaper - what becomes of the programs that this child of httpd has started
 *
 * prefork stops a child in a signal handler, which empties its pools: so
 * nothing here is in a pool, and no handler interrupts a thread that holds the
 * lock.
 */
#include "reaper.h"

#include "children.h"
#include "clock.h"

#include <apr_atomic.h>
#include <apr_ring.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Programs that outlived their request, and whose standard error is read. */
#define LOGS_MAX 64
#define LOGS_OF_ONE 8

#define STACK ((size_t)256 * 1024)

APR_RING_HEAD(ps_children, ps_child);

/* Guards all of it but what is atomic. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ps_children children;
static apr_time_t awake_at;   /* when the reaper looks next */
static apr_uint32_t stopping; /* atomic: those that belong to requests end */
static int wake_fd = -1;      /* constant in a child */

static struct ps_child *or_none(struct ps_child *child)
{
    return child != APR_RING_SENTINEL(&children, ps_child, link) ? child : NULL;
}

static struct ps_child *first_child(void)
{
    return or_none(APR_RING_FIRST(&children));
}

static struct ps_child *next_child(const struct ps_child *child)
{
    return or_none(APR_RING_NEXT(child, link));
}

static void lock(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, before);
    pthread_mutex_lock(&mutex);
}

static void unlock(const sigset_t *before)
{
    pthread_mutex_unlock(&mutex);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void wake(void)
{
    const uint64_t one = 1;

    awake_at = 0;
    if (write(wake_fd, &one, sizeof(one)) < 0) {
        return; /* it is full, so the reaper is awake */
    }
}

static void discard(struct ps_child *child)
{
    APR_RING_REMOVE(child, link);
    ps_script_log_close(child->log, NULL);
    free(child);
}

/* What the reaper waits for besides its own descriptor: logs. */
struct logs
{
    struct pollfd fd[LOGS_MAX + 1];
    struct ps_script_log *log[LOGS_MAX + 1];
    nfds_t n;
};

static bool is_read(const struct ps_child *child)
{
    return child->log && ps_script_log_fd(child->log) >= 0;
}

/* Of one tenant's, from this one on. */
static int logs_from(const struct ps_child *first)
{
    int n = 0;

    for (const struct ps_child *c = first; c; c = next_child(c)) {
        n += is_read(c) && c->uid == first->uid;
    }
    return n;
}

/* The oldest ones stand first. No tenant's are closed for a neighbour's, but
 * where there is no place for so many tenants. */
static void close_oldest_logs(void)
{
    struct ps_child *child;
    int open = 0;

    for (child = first_child(); child; child = next_child(child)) {
        if (is_read(child) && logs_from(child) > LOGS_OF_ONE) {
            ps_script_log_close(child->log, NULL);
            child->log = NULL;
        }
        open += is_read(child);
    }
    for (child = first_child(); child && open > LOGS_MAX;
         child = next_child(child)) {
        if (is_read(child)) {
            ps_script_log_close(child->log, NULL);
            child->log = NULL;
            open--;
        }
    }
}

static apr_time_t look_at_all(struct logs *logs)
{
    apr_time_t until;
    struct ps_child *child, *next;
    apr_time_t now = ps_clock();
    sigset_t before;

    lock(&before);
    for (child = first_child(); child; child = next) {
        next = next_child(child);
        if (apr_atomic_read32(&stopping) && !child->released && !child->asked) {
            child->why = child->why ? child->why : "httpd stops";
            child->next = 0;
        }
        if (ps_child_look(child, now)) {
            discard(child);
        }
    }
    close_oldest_logs();
    awake_at = PS_NEVER;
    logs->n = 1;
    for (child = first_child(); child; child = next_child(child)) {
        if (child->next < awake_at) {
            awake_at = child->next;
        }
        if (is_read(child)) {
            logs->fd[logs->n].fd = ps_script_log_fd(child->log);
            logs->fd[logs->n].events = POLLIN;
            logs->log[logs->n++] = child->log;
        }
    }
    until = awake_at;
    unlock(&before);
    return until;
}

static int milliseconds_until(apr_time_t when)
{
    apr_time_t now = ps_clock();

    if (when == PS_NEVER) {
        return -1;
    }
    return when <= now ? 0 : (int)apr_time_as_msec(when - now) + 1;
}

static void *reap(void *ignored)
{
    struct logs logs;

    (void)ignored;
    logs.fd[0].fd = wake_fd;
    logs.fd[0].events = POLLIN;
    for (;;) {
        apr_time_t until = look_at_all(&logs);
        uint64_t count;

        if (poll(logs.fd, logs.n, milliseconds_until(until)) <= 0) {
            continue;
        }
        if ((logs.fd[0].revents & POLLIN)
            && read(wake_fd, &count, sizeof(count)) < 0) {
            continue;
        }
        for (nfds_t i = 1; i < logs.n; i++) {
            if (logs.fd[i].revents) {
                ps_script_log_read(logs.log[i], NULL);
            }
        }
    }
    return NULL;
}

/* Whether any is still to end; its process must not be left without a reaper.
 */
static bool any_ends(void)
{
    struct ps_child *child;
    sigset_t before;
    bool any = false;

    lock(&before);
    for (child = first_child(); child; child = next_child(child)) {
        any |= child->why && !child->over;
    }
    unlock(&before);
    return any;
}

/* When the requests' pools are gone, and all of them are released. */
static apr_status_t wait_for_ends(void *ignored)
{
    apr_time_t until = ps_clock() + PS_GRACE + apr_time_from_sec(1);

    (void)ignored;
    while (any_ends() && ps_clock() < until) {
        apr_sleep(PS_LOOK_FIRST);
    }
    return APR_SUCCESS;
}

static int start_thread(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    int err = pthread_attr_init(&attr);

    if (err != 0) {
        return err;
    }
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK);
    /* httpd's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    err = pthread_create(&thread, &attr, reap, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return err;
}

int ps_reaper_start(apr_pool_t *pchild)
{
    APR_RING_INIT(&children, ps_child, link);
    awake_at = PS_NEVER;
    apr_atomic_set32(&stopping, 0);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) {
        return errno;
    }
    apr_pool_cleanup_register(pchild, NULL, wait_for_ends,
                              apr_pool_cleanup_null);
    return start_thread();
}

/*
 * A start takes less than a millisecond, but a tenant can hold one up (by a
 * signal, or a file system of her own), and with it a thread of httpd. So no
 * more than so many of hers at once; others wait, for so long.
 */
#define STARTS_OF_ONE 4
#define START_WAIT apr_time_from_msec(500)
#define START_PAUSE apr_time_from_msec(1)

static bool too_many_start(uid_t uid)
{
    int starts = 0;

    for (struct ps_child *c = first_child(); c; c = next_child(c)) {
        starts += c->uid == uid && !apr_atomic_read32(&c->runs);
    }
    return starts >= STARTS_OF_ONE;
}

/* With the lock held, where true. */
static bool gets_its_turn(uid_t uid, sigset_t *before)
{
    apr_time_t until = ps_clock() + START_WAIT;

    lock(before);
    while (too_many_start(uid)) {
        unlock(before);
        if (ps_clock() >= until) {
            return false;
        }
        apr_sleep(START_PAUSE);
        lock(before);
    }
    return true;
}

struct ps_child *ps_child_announce(uid_t uid)
{
    struct ps_child *child = calloc(1, sizeof(*child));
    sigset_t before;

    if (!child) {
        errno = ENOMEM;
        return NULL;
    }
    if (!gets_its_turn(uid, &before)) {
        free(child);
        errno = EAGAIN;
        return NULL;
    }
    child->uid = uid;
    child->deadline = ps_clock() + PS_START_MOST;
    child->next = child->deadline;
    APR_RING_INSERT_TAIL(&children, child, ps_child, link);
    if (child->next < awake_at) {
        wake();
    }
    unlock(&before);
    return child;
}

pid_t *ps_child_pid(struct ps_child *child)
{
    return &child->pid;
}

void ps_child_runs(struct ps_child *child)
{
    sigset_t before;

    apr_atomic_set32(&child->runs, 1);
    if (apr_atomic_read32(&stopping)) {
        lock(&before);
        wake();
        unlock(&before);
    }
}

void ps_child_failed(struct ps_child *child)
{
    sigset_t before;

    lock(&before);
    discard(child);
    unlock(&before);
}

void ps_child_release(struct ps_child *child, const char *why,
                      struct ps_script_log *log)
{
    sigset_t before;

    lock(&before);
    child->released = true;
    child->log = log;
    if (!child->why) {
        child->why = why;
    }
    /* One that is to end stays until then: its id names its process group. */
    if (!child->why) {
        ps_child_look_for_end(child);
    }
    if (child->over
        || (!child->why && child->gone
            && (!log || ps_script_log_fd(log) < 0))) {
        discard(child);
    }
    else {
        child->wait = PS_LOOK_FIRST;
        child->next = ps_clock() + (why ? 0 : child->wait);
        if (child->next < awake_at) {
            wake();
        }
    }
    unlock(&before);
}

void ps_reaper_child_stopping(apr_pool_t *pchild, int graceful)
{
    sigset_t before;

    (void)pchild;
    if (wake_fd < 0 || graceful) {
        return;
    }
    lock(&before);
    apr_atomic_set32(&stopping, 1);
    wake();
    unlock(&before);
}
