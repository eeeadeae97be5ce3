/*
 * record - what the module remembers of a request
 *
 * Lives in the request's own configuration vector. An internal redirect is a
 * request of its own, with the same pool; a subrequest, too.
 */
#ifndef PS_RECORD_H
#define PS_RECORD_H

#include "identity.h"

#include <httpd.h>

struct ps_hold; /* fs_identity.c's */

/** How far the handler phase is, where it runs once more inside of itself. */
enum ps_stage
{
    PS_STAGE_NEW,
    PS_STAGE_LEFT,   /* left to the server */
    PS_STAGE_DECIDED /* as somebody */
};

struct ps_record
{
    const struct ps_identity *tenant; /* that the whole request belongs to;
                                         NULL: none, so that its walk is the
                                         server's (owner mode) */
    int refused;                 /* OK, or what the request is answered with */
    apr_array_header_t *lookups; /* folders (char *) whose .htaccess took
                                    effect in subrequests; NULL: none */
    const char *docroot;         /* that the tenant was found by */
    enum ps_stage stage;
    struct ps_hold *hold; /* as whom the pool's clean-ups run */
};

/** The request's own record, made where there is none. Its own thread. */
struct ps_record *ps_record_of(request_rec *r);

/** The request that `r` is a subrequest of, and so on; or r. */
request_rec *ps_outermost(request_rec *r);

/**
 * The tenant that `r` belongs to, or NULL. A subrequest is its main
 * request's, whatever it is about.
 */
const struct ps_identity *ps_tenant_of(request_rec *r);

#endif /* PS_RECORD_H */
