/*
 * way - the ways to run a covered request
 *
 * The decision is one, the way depends on what would happen; request.c
 * chooses. Each way is a file of its own. Called in the request's own
 * thread, in the handler phase, once per request.
 */
#ifndef PS_WAY_H
#define PS_WAY_H

#include "privilege.h"

#include <httpd.h>

#include <sys/stat.h>

/** A covered request, decided. */
struct ps_plan
{
    struct ps_identity who;
    bool verify;      /* the file opened must be `file` */
    struct stat file; /* what was decided on, in owner mode */
    bool keep_open;   /* PSKeepOpenFile */
    bool reads_only;  /* no code but httpd's own takes part */
};

/**
 * Answer the request as plan->who. Returns what a handler returns, but never
 * DECLINED: no other handler may run in this thread.
 */
typedef int ps_way(request_rec *r, const struct ps_plan *plan);

/** In a thread of httpd that is the tenant, for any handler. */
ps_way ps_way_thread;

#endif /* PS_WAY_H */
