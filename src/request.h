/*
 * request - a request's way through the module
 *
 * The hooks of mod_process_security.c, in the order in which a request meets
 * them. Each returns what httpd expects of its hook.
 */
#ifndef PS_REQUEST_H
#define PS_REQUEST_H

#include <httpd.h>

/** pre_connection: in whatever thread, it begins as the server's. */
int ps_begin_connection(conn_rec *c, void *csd);

/**
 * process_connection: called again when a connection comes back to a thread
 * of event or to another, in the midst of its TLS handshake, say.
 */
int ps_resume_connection(conn_rec *c);

/**
 * pre_read_request: between two requests of a TLS connection the library may
 * look into the server's store of sessions.
 */
void ps_before_reading(request_rec *r, conn_rec *c);

/**
 * pre_close_connection: it ends as the server's, TLS's farewell included. Free
 * of cost: the next connection's start would do it otherwise.
 */
int ps_end_connection(conn_rec *c);

/**
 * post_read_request: the virtual host is known, and with it, unless it is in
 * owner mode, whose request it is. The thread acts as that tenant from here
 * on; as the server, where there is none.
 */
int ps_take_request(request_rec *r);

/** translate_name: a request that is refused goes no further. */
int ps_refuse_request(request_rec *r);

/** map_to_storage, before the walk: the URL can have named another tenant. */
int ps_take_request_again(request_rec *r);

/**
 * insert_error_filter, after all others: an error page, which the server's
 * thread sends, passes no filter of a tenant's. httpd takes off those of the
 * resource, but a .htaccess can declare one as PROTOCOL with mod_filter.
 */
void ps_filter_error(request_rec *r);

/** fixups, after all others: what a subrequest was configured by. */
int ps_look_at_subrequest(request_rec *r);

/** handler, before all others: decide, and run what is covered. */
int ps_handle_request(request_rec *r);

/**
 * handler, just before httpd's default handler: a file that was to be handed
 * to another process, but that no handler wanted (any .htaccess can say
 * SetHandler proxy-server), is a file like any other.
 */
int ps_handle_unwanted(request_rec *r);

#endif /* PS_REQUEST_H */
