/*
 * way - the ways to run a covered request
 *
 * The decision is one, the way depends on what would happen; request.c
 * chooses. Each way is a file of its own. Called in the request's own
 * thread, in the handler phase.
 */
#ifndef PS_WAY_H
#define PS_WAY_H

#include "identity.h"

#include <httpd.h>

#include <sys/stat.h>

/** A covered request, decided. */
struct ps_plan
{
    struct ps_identity who;
    bool verify;      /* the file opened must be `file` */
    struct stat file; /* what was decided on, in owner mode */
    bool keep_open;   /* PSKeepOpenFile */
};

/** Answer the request as plan->who. Returns what a handler returns. */
typedef int ps_way(request_rec *r, const struct ps_plan *plan);

/**
 * In a thread of httpd that is the tenant, for any handler. Never DECLINED:
 * no other handler may run in the calling thread.
 */
ps_way ps_way_thread;

/**
 * Whether a thread that was another tenant's than `who` has run handlers for
 * this request, before it was redirected: logged, and to be refused.
 */
bool ps_was_anothers(request_rec *r, const struct ps_identity *who);

/**
 * In the calling thread, with the tenant's file-system identity, for what
 * httpd's default handler only reads. DECLINED: the handlers that follow are to
 * answer.
 */
ps_way ps_way_in_place;

/** A CGI script, in a process that is the tenant's, run by this module. */
ps_way ps_way_spawn;

/** Not covered: as the server. Returns what a handler returns. */
int ps_leave_to_server(request_rec *r);

/** PSKeepOpenFile: the request's file, until its pool goes. */
void ps_keep_open(request_rec *r);

/**
 * Whether what stands at the request's name, for whoever this thread now
 * reaches files as, is what was decided on. OK; or 403 or 404, logged.
 *
 * Between here and the handler's own open only the tenant and root can change
 * it, by the path rule.
 */
int ps_check_file(request_rec *r, const struct ps_plan *plan);

#endif /* PS_WAY_H */
