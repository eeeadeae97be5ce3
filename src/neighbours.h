/*
 * neighbours - modules that reach the server's own files amid a request
 *
 * TLS's sessions can be kept in a file; mod_cache's quick handler looks into
 * the server's store before the request is mapped to a file; a module that logs
 * may open a file for it. For them the thread is the server's again.
 */
#ifndef PS_NEIGHBOURS_H
#define PS_NEIGHBOURS_H

#include <httpd.h>

#include <stdbool.h>

/** Look who is there. post_config, when all hooks are sorted. */
void ps_neighbours_learn(void);

/** Whether the connection is mod_ssl's (or another's that answers for it). */
bool ps_is_tls(conn_rec *c);

/** quick_handler, before and after all others. */
int ps_before_quick_handlers(request_rec *r, int lookup);
int ps_after_quick_handlers(request_rec *r, int lookup);

/** log_transaction, before all others. */
int ps_before_logs(request_rec *r);

#endif /* PS_NEIGHBOURS_H */
