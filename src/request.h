/*
 * request - a request's way through the module
 *
 * The hooks of mod_process_security.c, in the order in which a request meets
 * them. Each returns what httpd expects of its hook.
 */
#ifndef PS_REQUEST_H
#define PS_REQUEST_H

#include <httpd.h>

/** post_read_request: the virtual host is known. */
int ps_take_request(request_rec *r);

/**
 * insert_error_filter, after all others: an error page, which the server's
 * thread sends, passes no filter of a tenant's. httpd takes off those of the
 * resource, but a .htaccess can declare one as PROTOCOL with mod_filter.
 */
void ps_filter_error(request_rec *r);

/** handler, before all others: decide, and run what is covered. */
int ps_handle_request(request_rec *r);

/**
 * handler, just before httpd's default handler: a file that was to be handed
 * to another process, but that no handler wanted (any .htaccess can say
 * SetHandler proxy-server), is a file like any other.
 */
int ps_handle_unwanted(request_rec *r);

#endif /* PS_REQUEST_H */
