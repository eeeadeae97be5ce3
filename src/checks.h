/*
 * checks - what is wrong, or questionable, in a whole configuration
 *
 * Each finding is logged with its tag and its remedy: once for the whole
 * server, however many hosts it holds for. Main thread, when the
 * configuration has been read and merged; any user.
 */
#ifndef PS_CHECKS_H
#define PS_CHECKS_H

#include <httpd.h>

#include <stdbool.h>

/** Log what httpd must not start with; true where there is nothing. */
bool ps_check_errors(apr_pool_t *p, server_rec *first);

/** Log what an operator should know. */
void ps_check_warnings(apr_pool_t *p, server_rec *first);

#endif /* PS_CHECKS_H */
