/*
 * cgi - a script answers a request, by the rules of CGI/1.1 (RFC 3875)
 *
 * What mod_cgi does, with httpd's own functions where there are some; the
 * manual lists what is different. The request's own thread, in the handler
 * phase, or its tenant's thread.
 */
#ifndef PS_CGI_H
#define PS_CGI_H

#include "identity.h"

#include <httpd.h>

#include <stdbool.h>
#include <sys/stat.h>

/** Whether the module runs the programs of this place itself (PSCgiSpawn). */
bool ps_cgi_spawns(const request_rec *r);

/** Whether the module runs the request's script itself. */
bool ps_cgi_is_ours(const request_rec *r);

/** How long a program may be silent (PSCgiTimeout, or Timeout). */
apr_interval_time_t ps_cgi_timeout(const request_rec *r);

/**
 * Run it as `who`, whom a tenant's thread already is, and send its answer.
 * `file`: that it must be; NULL: any. Returns what a handler returns.
 */
int ps_cgi_run(request_rec *r, const struct ps_identity *who,
               const struct stat *file);

#endif /* PS_CGI_H */
