/*
 * dav_locks - lock databases of mod_dav that a tenant cannot open
 *
 * mod_dav opens DavLockDB when it serves, and so as the tenant. For the
 * warnings of configtest only: a start must not wait for a tenant's files.
 */
#ifndef PS_DAV_LOCKS_H
#define PS_DAV_LOCKS_H

#include <httpd.h>

/**
 * Log each host with Dav On whose one tenant could not open its DavLockDB,
 * once for all hosts. Looks as the tenant, which takes root: nothing
 * otherwise.
 */
void ps_check_dav_locks(apr_pool_t *p, server_rec *first);

#endif /* PS_DAV_LOCKS_H */
