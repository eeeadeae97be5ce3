/*
 * script - a program that answers a request, and the pipes to it
 */
#include "script.h"

#include "clock.h"
#include "pipes.h"
#include "reaper.h"
#include "refusal.h"
#include "script_body.h"
#include "script_log.h"
#include "spawn.h"
#include "tag.h"
#include "tenant_thread.h"

#include <apr_portable.h>
#include <apr_strings.h>
#include <errno.h>
#include <http_config.h>
#include <http_core.h>
#include <poll.h>
#include <unistd.h>
#include <util_script.h>

/* After so many reads with nothing to wait for, a look at the rest, too. */
#define READS_IN_A_ROW 16

/* How often a body is asked for that no descriptor tells of: HTTP/2's. */
#define ASK_AGAIN apr_time_from_msec(10)

/* ... and whether its stream was reset. */
#define LOOK_AGAIN apr_time_from_sec(1)

struct ps_script
{
    request_rec *r;
    struct ps_child *child;
    struct ps_body body;
    struct ps_script_log *log;
    int out;    /* its output, non-blocking */
    int client; /* the connection's socket; -1: none, or no use */
    apr_interval_time_t timeout;
    apr_time_t since;     /* it took or gave something */
    apr_time_t until;     /* its output is read; 0: to its end */
    unsigned reads;       /* in a row */
    bool asked;           /* the client's socket had something, and yet not */
    bool ended;           /* its output has */
    enum ps_read failure; /* PS_READ_DATA: none */
    int status;
    const char *why; /* it is to end; NULL: it need not */
};

static void limit(struct ps_program *p, int resource,
                  const struct rlimit *value)
{
    if (value) {
        p->limit[p->nlimits++] =
            (struct ps_limit){.resource = resource, .value = *value};
    }
}

static void set_limits(struct ps_program *p, const request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    limit(p, RLIMIT_CPU, core->limit_cpu);
    limit(p, RLIMIT_NPROC, core->limit_nproc);
    limit(p, RLIMIT_AS, core->limit_mem);
}

static apr_status_t let_go(void *data)
{
    struct ps_script *s = data;

    ps_body_close(&s->body);
    if (!s->ended && !s->why) {
        s->why = "its request has ended";
    }
    close(s->out);
    if (s->log) {
        ps_script_log_read(s->log, NULL);
    }
    ps_child_release(s->child, s->why, s->log);
    s->child = NULL;
    return APR_SUCCESS;
}

/* The descriptor that tells of the client; of a HTTP/2 stream there is none. */
static int client_of(const request_rec *r)
{
    apr_socket_t *socket = ap_get_conn_socket(r->connection);
    apr_os_sock_t fd;

    return !r->connection->master && socket
                   && apr_os_sock_get(&fd, socket) == APR_SUCCESS
               ? fd
               : -1;
}

/* From here on it is the request's; nothing may interrupt it (see reaper.c). */
static struct ps_outcome spawn(struct ps_script *s, const struct ps_program *p)
{
    struct ps_outcome outcome = {.step = PS_STEP_CLONE};
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    s->child = ps_child_announce(p->who->uid);
    if (s->child) {
        outcome = ps_spawn(p, ps_child_pid(s->child));
        if (outcome.step == PS_STEP_NONE) {
            ps_child_runs(s->child);
            apr_pool_cleanup_register(s->r->pool, s, let_go,
                                      apr_pool_cleanup_null);
        }
        else {
            ps_child_failed(s->child);
        }
    }
    else {
        outcome.err = errno;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return outcome;
}

static struct ps_script *make(request_rec *r, const struct ps_command *command,
                              const struct ps_pipes *pipes)
{
    struct ps_script *s = apr_pcalloc(r->pool, sizeof(*s));

    s->r = r;
    s->out = pipes->ours[1];
    s->client = client_of(r);
    s->timeout = command->timeout;
    s->since = ps_clock();
    ps_body_open(&s->body, r, pipes->ours[0]);
    return s;
}

int ps_script_start(request_rec *r, const struct ps_command *command,
                    struct ps_script **out)
{
    struct ps_program program = {
        .path = command->path,
        .argv = command->argv,
        .envp = (const char *const *)ap_create_environment(r->pool,
                                                           r->subprocess_env),
        .dir = ap_make_dirstr_parent(r->pool, r->filename),
        .who = command->who,
        .already = ps_in_tenant_thread(),
        .file = command->file,
    };
    struct ps_outcome outcome = {.step = PS_STEP_STDIO};
    struct ps_script *s;
    struct ps_pipes pipes;

    set_limits(&program, r);
    if (!ps_pipes_open(&pipes, command->feeds)) {
        outcome.err = errno;
        return ps_refuse_start(r, command->path, command->who, outcome);
    }
    memcpy(program.fd, pipes.theirs, sizeof(program.fd));
    s = make(r, command, &pipes);
    outcome = spawn(s, &program);
    ps_pipes_close_theirs(&pipes);
    if (outcome.step != PS_STEP_NONE) {
        ps_pipes_close(&pipes);
        return ps_refuse_start(r, command->path, command->who, outcome);
    }
    s->since = s->body.since = ps_clock(); /* the start is not its silence */
    s->log = ps_script_log_open(r, pipes.ours[2]);
    ps_body_ask(&s->body);
    *out = s;
    return OK;
}

static enum ps_read fail(struct ps_script *s, enum ps_read failure, int status,
                         const char *why)
{
    s->failure = failure;
    s->status = status;
    ps_script_end(s, why);
    return failure;
}

static enum ps_read time_out(struct ps_script *s, bool clients)
{
    if (clients) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, APR_TIMEUP, s->r,
                      PS_TAG_BODY "%s: the request's body does not come",
                      s->r->filename);
        return fail(s, PS_READ_BODY, HTTP_REQUEST_TIME_OUT,
                    "the request's body does not come");
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, s->r,
                  PS_TAG_SLOW "%s: no output for %" APR_TIME_T_FMT " s",
                  s->r->filename, apr_time_sec(s->timeout));
    return fail(s, PS_READ_TIMEOUT, HTTP_GATEWAY_TIME_OUT, "it is too slow");
}

static enum ps_read body_failed(struct ps_script *s)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, s->r,
                  PS_TAG_BODY "%s: the request's body could not be read",
                  s->r->filename);
    return fail(s, PS_READ_BODY, s->body.status,
                "its request's body could not be read");
}

static enum ps_read gone(struct ps_script *s)
{
    s->r->connection->aborted = 1;
    return fail(s, PS_READ_GONE, OK, "the client is gone");
}

enum
{
    OUT,
    ERR,
    IN,
    CLIENT,
    FDS
};

static void expect(struct pollfd *p, int fd, short events)
{
    p->fd = fd;
    p->events = events;
    p->revents = 0;
}

/* What to wait for, and for how long at most. */
static int wait_for(struct ps_script *s, struct pollfd p[FDS],
                    enum ps_feed state, apr_interval_time_t most)
{
    bool asks = state == PS_FEED_CLIENT;
    bool blind = asks && (s->client < 0 || s->asked);

    expect(&p[OUT], s->out, POLLIN);
    expect(&p[ERR], s->log ? ps_script_log_fd(s->log) : -1, POLLIN);
    expect(&p[IN], state == PS_FEED_SCRIPT ? s->body.fd : -1, POLLOUT);
    expect(&p[CLIENT], blind ? -1 : s->client, asks ? POLLIN : 0);
    if (most > (blind ? ASK_AGAIN : LOOK_AGAIN)) {
        most = blind ? ASK_AGAIN : LOOK_AGAIN;
    }
    s->asked = false;
    return poll(p, FDS, most < 0 ? 0 : (int)((most + 999) / 1000));
}

/*
 * Wait until something can be read, for at most `most`. PS_READ_DATA: try it;
 * PS_READ_NOTHING: nothing yet.
 */
static enum ps_read wait_and_serve(struct ps_script *s,
                                   apr_interval_time_t most)
{
    enum ps_feed state = ps_body_feed(&s->body);
    bool asks = state == PS_FEED_CLIENT;
    apr_time_t since = asks                       ? s->body.since
                       : s->body.since > s->since ? s->body.since
                                                  : s->since;
    apr_interval_time_t left =
        since + (asks ? s->r->server->timeout : s->timeout) - ps_clock();
    struct pollfd p[FDS];

    if (s->r->connection->aborted) {
        return gone(s);
    }
    if (state == PS_FEED_FAILED) {
        return body_failed(s);
    }
    if (left <= 0) {
        return time_out(s, asks);
    }
    if (wait_for(s, p, state, most < left ? most : left) <= 0) {
        return PS_READ_NOTHING;
    }
    if (p[ERR].revents) {
        ps_script_log_read(s->log, s->r);
    }
    if (p[OUT].revents) {
        return PS_READ_DATA;
    }
    if (p[CLIENT].revents & (POLLERR | POLLHUP | POLLNVAL)) {
        return gone(s);
    }
    s->asked = asks && (p[CLIENT].revents & POLLIN);
    return PS_READ_NOTHING;
}

/* PS_READ_NOTHING: there is none now. */
static enum ps_read read_out(struct ps_script *s, char *data, size_t *n)
{
    ssize_t got;

    do {
        got = read(s->out, data, *n);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) {
        s->reads = 0;
        return PS_READ_NOTHING;
    }
    s->since = ps_clock();
    if (got <= 0) {
        s->ended = true;
        if (s->log) {
            ps_script_log_read(s->log, s->r);
        }
        return PS_READ_END;
    }
    *n = (size_t)got;
    return PS_READ_DATA;
}

enum ps_read ps_script_read(struct ps_script *s, char *data, size_t *n,
                            apr_interval_time_t wait)
{
    apr_time_t until = wait < 0 ? APR_INT64_MAX : ps_clock() + wait;

    if (s->failure != PS_READ_DATA) {
        return s->failure;
    }
    if (s->until != 0 && ps_clock() >= s->until) {
        s->ended = true;
        return PS_READ_END;
    }
    if (++s->reads > READS_IN_A_ROW) {
        enum ps_read found = wait_and_serve(s, 0);

        s->reads = 0;
        if (found != PS_READ_DATA && found != PS_READ_NOTHING) {
            return found;
        }
    }
    for (;;) {
        enum ps_read found = read_out(s, data, n);
        apr_interval_time_t most = until - ps_clock();

        if (found != PS_READ_NOTHING || most <= 0) {
            return found;
        }
        found = wait_and_serve(s, most);
        if (found != PS_READ_DATA && found != PS_READ_NOTHING) {
            return found;
        }
    }
}

int ps_script_status(const struct ps_script *s)
{
    return s->status;
}

void ps_script_limit(struct ps_script *s)
{
    if (s->until == 0) {
        s->until = ps_clock() + s->timeout;
    }
}

void ps_script_soak(struct ps_script *s)
{
    char data[4096];
    size_t n;

    ps_script_limit(s);
    do {
        n = sizeof(data);
    } while (ps_script_read(s, data, &n, -1) == PS_READ_DATA);
}

void ps_script_end(struct ps_script *s, const char *why)
{
    if (!s->why) {
        s->why = why;
    }
}

void ps_script_close(struct ps_script *s)
{
    if (!s->child) {
        return; /* a second time */
    }
    if (s->log) {
        ps_script_log_read(s->log, s->r);
    }
    apr_pool_cleanup_run(s->r->pool, s, let_go);
}
