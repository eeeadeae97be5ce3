/*
 * content - what a request is about, as far as coverage depends on it
 *
 * Looks at the request record, changes nothing. The request's thread, in the
 * handler phase.
 */
#ifndef PS_CONTENT_H
#define PS_CONTENT_H

#include "settings.h"

#include <httpd.h>

/**
 * Whether `handler` hands requests to another process. That process sees
 * nothing of a thread's identity, and its socket belongs to the server.
 */
bool ps_hands_over(const char *handler);

/** Whether the handler is mod_cgi's or mod_cgid's. */
bool ps_is_cgi(const char *handler);

/**
 * Whether the request maps to no file, or is handed to another process, and
 * so is never covered.
 */
bool ps_never_covered(const request_rec *r);

/** Whether there is a file or directory behind the request. */
bool ps_exists(const request_rec *r);

/**
 * Whether the request would be answered by httpd's default handler, and
 * passes no filter that could start a program: it only reads a file.
 *
 * `operators`: nothing of this request's configuration can be a tenant's, so
 * that only mod_include counts as such a filter.
 */
bool ps_reads_only(const request_rec *r, bool operators);

/**
 * Describe the request for ps_covers(); without `with_filters`, reads_only
 * is not asked for, and false.
 */
struct ps_content ps_content_of(const request_rec *r, bool with_filters);

#endif /* PS_CONTENT_H */
