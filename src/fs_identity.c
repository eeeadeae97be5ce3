/*
 * fs_identity - as whom the threads of an httpd child reach files
 */
#include "fs_identity.h"

#include "privilege.h"
#include "record.h"
#include "tag.h"
#include "tenant_thread.h"

#include <apr_atomic.h>
#include <mpm_common.h>
#include <unistd.h>

/* Written once, before a child has a second thread. */
static struct ps_fs_identity server;

/* Set for ever where a thread is stuck with an identity: atomic. */
static apr_uint32_t doomed;

/*
 * Which thread this is, and how often this part has changed its identity: for
 * the clean-ups that follow in the same thread, with nothing between.
 */
static apr_uint32_t threads;
static _Thread_local apr_uint32_t thread_number;
static _Thread_local unsigned changes;

static apr_uint32_t this_thread(void)
{
    if (thread_number == 0) {
        thread_number = apr_atomic_inc32(&threads) + 1;
    }
    return thread_number;
}

/* As whom the clean-ups of a request's pool run. */
struct ps_hold
{
    const struct ps_identity *who;
    apr_uint32_t thread; /* that took it last, ... */
    unsigned changes;    /* ... and its count then */
    server_rec *server;
    apr_pool_t *pool;
    struct ps_fs_identity *before; /* of the thread that runs them, if other */
};

bool ps_fs_remember_server(uid_t uid, gid_t gid)
{
    return ps_fs_read(&ps_kernel, &server) && server.who.uid == uid
           && server.who.gid == gid;
}

static struct ps_outcome become(const struct ps_identity *who)
{
    changes++;
    return who ? ps_fs_take(&ps_kernel, who)
               : ps_fs_give_back(&ps_kernel, &server.who);
}

bool ps_acts_as(const struct ps_identity *who)
{
    return ps_fs_is(&ps_kernel, who ? who : &server.who);
}

/* Back to what was read before. */
static struct ps_outcome restore(const struct ps_fs_identity *before)
{
    const struct ps_identity *who = &before->who;

    if (who->uid == server.who.uid && who->gid == server.who.gid
        && who->ngroups == server.who.ngroups) {
        return become(NULL);
    }
    return become(who);
}

static void log_stuck(server_rec *s, struct ps_outcome outcome)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT, outcome.err, s,
                 PS_TAG_IDENTITY "%s failed: a thread cannot return to the "
                                 "server's identity: this process ends",
                 ps_step_name(outcome.step));
}

static apr_status_t end_process(void *ignored)
{
    (void)ignored;
    _exit(APEXIT_CHILDSICK);
}

/* Where the pool goes, which is when what was sent has gone out. */
static void end_process_with(apr_pool_t *pool, conn_rec *c)
{
    c->keepalive = AP_CONN_CLOSE;
    apr_atomic_set32(&doomed, 1);
    apr_pool_pre_cleanup_register(pool, NULL, end_process);
}

/* The server's identity, or the process ends with this request. */
static bool give_back(request_rec *r)
{
    struct ps_outcome outcome = become(NULL);

    if (outcome.step == PS_STEP_NONE) {
        return true;
    }
    log_stuck(r->server, outcome);
    end_process_with(ps_outermost(r)->pool, r->connection);
    return false;
}

static bool take(request_rec *r, const struct ps_identity *who)
{
    struct ps_outcome outcome;

    if (apr_atomic_read32(&doomed)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      PS_TAG_IDENTITY "%s: not served: the process is ending",
                      r->uri);
        end_process_with(ps_outermost(r)->pool, r->connection);
        return false;
    }
    if (!who) {
        return give_back(r);
    }
    outcome = become(who);
    if (outcome.step == PS_STEP_NONE) {
        return true;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, outcome.err, r,
                  PS_TAG_TAKE "%s: not served: %s failed for the file-system "
                              "identity of uid %u, gid %u",
                  r->uri, ps_step_name(outcome.step), who->uid, who->gid);
    give_back(r);
    return false;
}

static apr_status_t let_go(void *data)
{
    const struct ps_hold *hold = data;
    struct ps_outcome outcome;

    if (!hold->before || ps_in_tenant_thread()) {
        return APR_SUCCESS;
    }
    outcome = restore(hold->before);
    if (outcome.step != PS_STEP_NONE) {
        log_stuck(hold->server, outcome);
        end_process(NULL);
    }
    return APR_SUCCESS;
}

/*
 * First of all when the pool is destroyed: on event that can be any thread,
 * on its way from one tenant's request to another's. Clean-ups may remove
 * files, by names that a tenant has a say in.
 */
static apr_status_t take_hold(void *data)
{
    struct ps_hold *hold = data;
    struct ps_outcome outcome;
    struct ps_fs_identity *before;

    /* Nearly always: the same thread, and nothing between. */
    if (ps_in_tenant_thread()
        || (hold->thread == this_thread() && hold->changes == changes)
        || ps_acts_as(hold->who)) {
        return APR_SUCCESS;
    }
    before = apr_palloc(hold->pool, sizeof(*before));
    if (ps_fs_read(&ps_kernel, before)) {
        hold->before = before;
        outcome = become(hold->who);
        if (outcome.step == PS_STEP_NONE) {
            return APR_SUCCESS;
        }
    }
    else {
        outcome = (struct ps_outcome){.step = PS_STEP_READ_GROUPS};
    }
    log_stuck(hold->server, outcome);
    return end_process(NULL);
}

static void hold_for_cleanups(request_rec *r, const struct ps_identity *who)
{
    struct ps_record *record;
    struct ps_hold *hold;

    r = ps_outermost(r);
    record = ps_record_of(r);
    hold = record->hold;
    if (!hold) {
        hold = apr_pcalloc(r->pool, sizeof(*hold));
        hold->server = r->server;
        hold->pool = r->pool;
        record->hold = hold;
        apr_pool_cleanup_register(r->pool, hold, let_go, apr_pool_cleanup_null);
        apr_pool_pre_cleanup_register(r->pool, hold, take_hold);
    }
    hold->who = who;
    hold->thread = this_thread();
    hold->changes = changes;
}

/*
 * The kernel has been asked in this thread, for this request, and nothing was
 * changed since.
 */
static bool acts_so_already(request_rec *r, const struct ps_identity *who)
{
    const struct ps_hold *hold = ps_record_of(ps_outermost(r))->hold;

    return !apr_atomic_read32(&doomed) && hold && hold->thread == this_thread()
           && hold->changes == changes
           && (hold->who && who ? ps_same_identity(hold->who, who)
                                : hold->who == who);
}

bool ps_act_as(request_rec *r, const struct ps_identity *who)
{
    if (ps_in_tenant_thread() || acts_so_already(r, who)) {
        return true;
    }
    if (!take(r, who)) {
        hold_for_cleanups(r, NULL);
        return false;
    }
    hold_for_cleanups(r, who);
    return true;
}

bool ps_return_to_server(conn_rec *c)
{
    struct ps_outcome outcome;

    if (ps_in_tenant_thread()) {
        return true;
    }
    outcome = become(NULL);
    if (outcome.step == PS_STEP_NONE) {
        return true;
    }
    log_stuck(c->base_server, outcome);
    end_process_with(c->pool, c);
    return false;
}

void ps_act_as_server(conn_rec *c)
{
    if (!ps_return_to_server(c)) {
        end_process(NULL);
    }
}

int ps_run_acting_as(request_rec *r, const struct ps_identity *who,
                     int (*run)(request_rec *, const void *), const void *data)
{
    struct ps_fs_identity before;
    struct ps_outcome outcome;
    int status;

    if (!ps_fs_read(&ps_kernel, &before)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      PS_TAG_TAKE "%s: not served: the kernel does not tell "
                                  "the thread's file-system identity",
                      r->uri);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    status = take(r, who) ? run(r, data) : HTTP_INTERNAL_SERVER_ERROR;
    outcome = restore(&before);
    if (outcome.step != PS_STEP_NONE) {
        log_stuck(r->server, outcome);
        end_process_with(ps_outermost(r)->pool, r->connection);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}
