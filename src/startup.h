/*
 * startup - the configuration checked whole, and children made ready
 *
 * Hooks of mod_process_security.c. Main thread of the parent, or of a fresh
 * child.
 */
#ifndef PS_STARTUP_H
#define PS_STARTUP_H

#include <httpd.h>

#include <stdbool.h>

/**
 * check_config: for errors, and, in `apachectl configtest`, warnings too.
 * Runs as any user; a real start is refused here, so that the reason is on
 * the console.
 */
int ps_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                    server_rec *s);

/** post_config: warnings, to the error log; decides ps_is_active(). */
int ps_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                   server_rec *s);

/** drop_privileges, before mod_unixd's: keep capabilities. */
int ps_before_unixd(apr_pool_t *pchild, server_rec *s);

/** drop_privileges, after mod_unixd's: keep only the two, non-dumpable. */
int ps_after_unixd(apr_pool_t *pchild, server_rec *s);

/**
 * Whether anything is covered. Where not, the module leaves httpd as it is,
 * and its children keep no capability. Any thread; constant in a child.
 */
bool ps_is_active(void);

/** child_init: the thread that waits for scripts (reaper.h). */
void ps_child_init(apr_pool_t *pchild, server_rec *s);

#endif /* PS_STARTUP_H */
