/*
 * way_thread - a covered request in a thread that is its tenant
 *
 * The thread runs the whole chain of handlers, sends the end of the response
 * through the request's filters, and ends. Later, when httpd empties the
 * request's pool, a second thread does it: clean-ups run a tenant's code, too
 * (mod_lua closes its interpreters there, which calls their finalizers), and
 * only the tenant may signal a script of its own that has outlived its
 * request.
 */
#include "way.h"

#include "filters.h"
#include "privilege.h"
#include "tag.h"
#include "tenant_thread.h"

#include <apr_strings.h>
#include <fcntl.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <unistd.h>

/* What the pool of a request holds of a tenant's, and whose it is. */
struct remains
{
    struct ps_identity who;
    bool tenants; /* a tenant's thread ran handlers: there may be some */
    apr_pool_t *pool;
    server_rec *server;
};

#define REMAINS_KEY "process_security-remains"

/* A thread may fail to start for a moment; waiting longer helps nobody. */
#define END_TRIES 20
#define END_PAUSE apr_time_from_msec(50)

static void log_failure(const struct ps_errand_result *result,
                        const struct ps_identity *who, request_rec *r)
{
    if (result->start_err != 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, result->start_err, r,
                      PS_TAG_THREAD "%s: not run: no thread for uid %u, gid "
                                    "%u could be started",
                      r->filename, who->uid, who->gid);
        return;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, result->drop.err, r,
                  PS_TAG_DROP "%s: not run: %s failed for uid %u, gid %u",
                  r->filename, ps_step_name(result->drop.step), who->uid,
                  who->gid);
}

static void clear_pool(void *pool)
{
    apr_pool_clear(pool);
}

static void end_process(server_rec *s, const struct ps_identity *who, int err)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT, err, s,
                 PS_TAG_LEFT_OVER
                 "what a request of uid %u, gid %u left "
                 "behind cannot be cleared as that tenant: this process ends",
                 who->uid, who->gid);
    _exit(APEXIT_CHILDSICK);
}

/*
 * Runs first of all when the pool is destroyed, in whatever thread does it.
 * Emptied here, the pool has nothing left that could run in that thread.
 */
static apr_status_t empty_as_tenant(void *data)
{
    struct remains remains = *(struct remains *)data;
    struct ps_errand_result result = {.done = false};

    if (!remains.tenants) {
        return APR_SUCCESS;
    }
    if (ps_in_tenant_thread()) {
        if (!ps_fs_is(&ps_kernel, &remains.who)) {
            end_process(remains.server, &remains.who, 0);
        }
        return APR_SUCCESS;
    }
    for (int i = 0; i < END_TRIES && !result.done; i++) {
        if (i > 0) {
            apr_sleep(END_PAUSE);
        }
        result = ps_run_as(&remains.who, clear_pool, remains.pool);
    }
    if (!result.done) {
        end_process(remains.server, &remains.who, result.start_err);
    }
    return APR_SUCCESS;
}

static struct remains *remains_of(request_rec *r)
{
    void *found = NULL;

    apr_pool_userdata_get(&found, REMAINS_KEY, r->pool);
    return found;
}

/*
 * An internal redirect goes on with the same pool, which could not be cleared
 * as both; nor is a program to run on what another's code has made of a
 * request.
 */
bool ps_was_anothers(request_rec *r, const struct ps_identity *who)
{
    const struct remains *remains = remains_of(r);

    if (!remains || !remains->tenants || ps_same_identity(&remains->who, who)) {
        return false;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  PS_TAG_TWO_TENANTS "%s: refused: the request was another "
                                     "tenant's before it was redirected to uid "
                                     "%u, gid %u",
                  r->filename, who->uid, who->gid);
    return true;
}

/* The request's record of what is left, made where there is none. */
static struct remains *remains_for(request_rec *r,
                                   const struct ps_identity *who)
{
    struct remains *remains = remains_of(r);

    if (!remains) {
        remains = apr_pcalloc(r->pool, sizeof(*remains));
        remains->pool = r->pool;
        remains->server = r->server;
        apr_pool_userdata_setn(remains, REMAINS_KEY, NULL, r->pool);
        apr_pool_pre_cleanup_register(r->pool, remains, empty_as_tenant);
    }
    remains->who = *who;
    return remains;
}

struct job
{
    request_rec *r;
    const struct ps_plan *plan;
    struct remains *remains;
    int status;
};

/*
 * What a handler printed can still wait in a filter (httpd keeps up to 8 KB
 * together), to be looked at when the response ends: by mod_include, say,
 * which runs the commands in it. So it ends here, as the tenant.
 */
static int end_response(request_rec *r, int status)
{
    if (status == SUSPENDED) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      PS_TAG_SUSPENDED "%s: failed: the handler '%s' wants to "
                                       "go on later, but a tenant's thread "
                                       "ends with its request",
                      r->filename, r->handler);
        status = DECLINED;
    }
    if (status == DECLINED) {
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r->main) {
        ap_finalize_sub_req_protocol(r);
    }
    else if (status == OK || status == DONE) {
        ap_finalize_request_protocol(r);
    }
    return status;
}

static void run_handlers(void *data)
{
    struct job *job = data;
    int fd = -1;

    job->remains->tenants = true;
    job->status = ps_check_file(job->r, job->plan);
    if (job->status != OK) {
        return;
    }
    if (job->plan->keep_open) {
        fd = open(job->r->filename, O_PATH | O_CLOEXEC);
    }
    job->status = end_response(job->r, ap_run_handler(job->r));
    if (fd >= 0) {
        close(fd);
    }
}

/*
 * Pipelined: the end of an earlier response can still wait in the connection's
 * filters, and with it the pool of its request, which is to be emptied by this
 * thread, as whose it was, and not by the tenant's that sends the next.
 */
static void send_before(request_rec *r)
{
    conn_rec *c = r->connection;
    apr_bucket_brigade *bb;

    if (r->main || c->master || c->keepalives == 0) {
        return;
    }
    bb = apr_brigade_create(r->pool, c->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    ap_pass_brigade(c->output_filters, bb);
    apr_brigade_cleanup(bb);
}

int ps_way_thread(request_rec *r, const struct ps_plan *plan)
{
    struct job job = {.r = r, .plan = plan, .status = DECLINED};
    struct ps_errand_result result;

    /*
     * No HTTP/2 session, nor another protocol, in this thread: it would
     * outlive the request, and start threads that inherit the tenant's ids.
     */
    apr_table_unset(r->headers_in, "Upgrade");
    if (ps_was_anothers(r, &plan->who)) {
        ps_reset_filters(r);
        return HTTP_FORBIDDEN;
    }
    job.remains = remains_for(r, &plan->who);
    send_before(r);
    result = ps_run_as(&plan->who, run_handlers, &job);
    if (!result.done) {
        log_failure(&result, &plan->who, r);
        job.status = HTTP_INTERNAL_SERVER_ERROR;
    }
    ps_reset_filters(r);
    return job.status;
}
