/*
 * way_in_place - a covered request in httpd's own thread
 *
 * For files that httpd's default handler only reads, byte by byte: the thread
 * reaches them as the tenant, and no code of a tenant's takes part. (mod_dav is
 * httpd's, too, but reads databases that the tenant can have written, with a
 * library that crashes on what it does not expect: it gets a thread.) The
 * handlers that follow this module's answer, as in any httpd.
 */
#include "way.h"

#include "filters.h"
#include "fs_identity.h"
#include "opened.h"
#include "record.h"
#include "tag.h"

#include <apr_strings.h>
#include <http_config.h>

/* Whoever opens a FIFO waits for its other end, and that can be for ever. */
static bool is_file(request_rec *r)
{
    switch (r->finfo.filetype) {
    case APR_NOFILE:
    case APR_REG:
    case APR_DIR:
        return true;
    default:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      PS_TAG_NO_FILE "%s: refused: neither a file nor a folder",
                      r->filename);
        return false;
    }
}

/*
 * As the tenant already: OK, or what the request is answered with. `plan` is
 * the request's own.
 */
static int prepare(request_rec *r, const struct ps_plan *plan)
{
    if (!is_file(r)) {
        ps_reset_filters(r);
        return HTTP_FORBIDDEN;
    }
    ps_look_when_opened(r, plan);
    if (plan->keep_open) {
        ps_keep_open(r);
    }
    return OK;
}

static int prepare_and_run(request_rec *r, const void *plan)
{
    int status = plan ? prepare(r, plan) : OK;

    if (status == OK) {
        status = ap_run_handler(r);
    }
    /* None wants it; those outside are not to be asked as somebody else. */
    return status == DECLINED ? HTTP_INTERNAL_SERVER_ERROR : status;
}

/* A subrequest: inside of its parent's handler, which goes on as it was. */
static int run_inside(request_rec *r, enum ps_stage stage,
                      const struct ps_identity *who, const struct ps_plan *plan)
{
    struct ps_record *record = ps_record_of(r);
    enum ps_stage before = record->stage;
    int status;

    record->stage = stage;
    status = ps_run_acting_as(r, who, prepare_and_run, plan);
    record->stage = before;
    return status;
}

int ps_way_in_place(request_rec *r, const struct ps_plan *plan)
{
    const struct ps_plan *own = apr_pmemdup(r->pool, plan, sizeof(*plan));
    int status;

    /* A session of another protocol would outlive the request. */
    apr_table_unset(r->headers_in, "Upgrade");
    if (r->main && !ps_acts_as(&plan->who)) {
        return run_inside(r, PS_STAGE_DECIDED, &own->who, own);
    }
    if (!r->main && !ps_act_as(r, &own->who)) {
        ps_reset_filters(r);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    status = prepare(r, own);
    return status == OK ? DECLINED : status;
}

int ps_leave_to_server(request_rec *r)
{
    if (r->main) {
        return ps_acts_as(NULL) ? DECLINED
                                : run_inside(r, PS_STAGE_LEFT, NULL, NULL);
    }
    return ps_act_as(r, NULL) ? DECLINED : HTTP_INTERNAL_SERVER_ERROR;
}
