/*
 * filters - which filters of a request can run code that is not httpd's
 *
 * A tenant's .htaccess puts filters on a request (SetOutputFilter,
 * FilterChain), and a filter runs in whatever thread passes data on: an error
 * page through mod_include, sent by the server's thread, would run a tenant's
 * commands as the server. So the server's thread goes on only with filters
 * that are known to look at bytes and nothing else.
 *
 * The request's own thread, or its tenant's.
 */
#ifndef PS_FILTERS_H
#define PS_FILTERS_H

#include <httpd.h>

#include <stdbool.h>

/** Look up the known ones, when all are registered: post_config. */
void ps_filters_learn(void);

/** Whether all of the request's filters look at bytes and nothing else. */
bool ps_filters_are_harmless(const request_rec *r);

/** Whether mod_include is among the request's filters, by name. */
bool ps_filters_include(const request_rec *r);

/**
 * Take all other filters off the request; those of a subrequest's parent, and
 * those of the connection, stay.
 */
void ps_remove_filters(request_rec *r);

/** The same, and start over with the filters that every response has. */
void ps_reset_filters(request_rec *r);

#endif /* PS_FILTERS_H */
