/*
 * suexec - whom SuexecUserGroup and mod_userdir name
 *
 * httpd asks the same hook before it starts a program, and starts the suexec
 * wrapper where somebody is named. In a tenant's thread that would fail, as
 * the wrapper wants to be called by the server's user, and it is not needed:
 * the program starts as the tenant. So there the hook names nobody.
 */
#ifndef PS_SUEXEC_H
#define PS_SUEXEC_H

#include "settings.h"

#include <httpd.h>

#include <unixd.h>

/**
 * Put this part before all other answers to the hook. post_config, when all
 * hooks are sorted; once per start, as httpd forgets its hooks with each.
 */
void ps_suexec_take_over(apr_pool_t *pconf);

/**
 * PSUserGroup suexec: make the tenant that SuexecUserGroup names for the whole
 * host `s` the one of `host`, with the groups of the user database. When the
 * configuration has been read; nothing where it names none. Returns NULL, or
 * what is wrong.
 */
const char *ps_suexec_name(apr_pool_t *p, server_rec *s,
                           struct ps_host_settings *host);

/** Whom the request's configuration names; NULL: nobody. */
const ap_unix_identity_t *ps_suexec_identity(request_rec *r);

#endif /* PS_SUEXEC_H */
