/*
 * neighbours - modules that reach the server's own files amid a request
 *
 * mod_cache's quick handler looks into the server's store before the request
 * is mapped to a file; a module that logs may open a file for it. For them the
 * thread is the server's again.
 */
#ifndef PS_NEIGHBOURS_H
#define PS_NEIGHBOURS_H

#include <httpd.h>

/** Look who is there. post_config, when all hooks are sorted. */
void ps_neighbours_learn(void);

/** quick_handler, before and after all others. */
int ps_before_quick_handlers(request_rec *r, int lookup);
int ps_after_quick_handlers(request_rec *r, int lookup);

/** log_transaction, before all others. */
int ps_before_logs(request_rec *r);

#endif /* PS_NEIGHBOURS_H */
