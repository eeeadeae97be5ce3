/*
 * way_spawn - a covered CGI script in a process of its tenant's
 *
 * No thread of httpd is ever the tenant: httpd's own thread reads the script's
 * answer, while it reaches files as the tenant, and passes it through filters
 * that are known to look at bytes and nothing else.
 */
#include "way.h"

#include "cgi.h"
#include "filters.h"
#include "fs_identity.h"

#include <apr_strings.h>

static int run(request_rec *r, const void *data)
{
    const struct ps_plan *plan = data;

    if (plan->keep_open) {
        ps_keep_open(r);
    }
    return ps_cgi_run(r, &plan->who, plan->verify ? &plan->file : NULL);
}

int ps_way_spawn(request_rec *r, const struct ps_plan *plan)
{
    const struct ps_plan *own = apr_pmemdup(r->pool, plan, sizeof(*plan));

    /* A session of another protocol would outlive the request. */
    apr_table_unset(r->headers_in, "Upgrade");
    if (ps_was_anothers(r, &own->who)) {
        ps_reset_filters(r);
        return HTTP_FORBIDDEN;
    }
    if (r->main) {
        return ps_run_acting_as(r, &own->who, run, own);
    }
    if (!ps_act_as(r, &own->who)) {
        ps_reset_filters(r);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return run(r, own);
}
