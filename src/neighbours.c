/*
 * neighbours - modules that reach the server's own files amid a request
 */
#include "neighbours.h"

#include "fs_identity.h"
#include "record.h"
#include "startup.h"
#include "tenant_thread.h"

#include <apr_optional.h>
#include <http_config.h>
#include <http_protocol.h>
#include <stdbool.h>

/* mod_ssl's, whose header need not be installed. */
APR_DECLARE_OPTIONAL_FN(int, ssl_is_https, (conn_rec *));

/* Constant in a child. */
static APR_OPTIONAL_FN_TYPE(ssl_is_https) * is_https;
static bool caches;
static bool logs;

/* Those that write to what the server has opened at its start. */
static bool logs_to_open_files(const char *name)
{
    static const char *const names[] = {"mod_log_config.c", "mod_log_debug.c",
                                        "mod_log_forensic.c", "mod_logio.c",
                                        "mod_process_security.c"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

void ps_neighbours_learn(void)
{
    const apr_array_header_t *hooks = ap_hook_get_log_transaction();

    is_https = APR_RETRIEVE_OPTIONAL_FN(ssl_is_https);
    caches = ap_find_linked_module("mod_cache.c") != NULL;
    logs = false;
    for (int i = 0; hooks && i < hooks->nelts; i++) {
        logs |= !logs_to_open_files(
            APR_ARRAY_IDX(hooks, i, ap_LINK_log_transaction_t).szName);
    }
}

bool ps_is_tls(conn_rec *c)
{
    return is_https && is_https(c);
}

/* For a subrequest they are asked, too, but its parent goes on. */
static bool is_for_cache(const request_rec *r)
{
    return caches && !r->main && ps_is_active() && !ps_in_tenant_thread();
}

int ps_before_quick_handlers(request_rec *r, int lookup)
{
    (void)lookup;
    return !is_for_cache(r) || ps_act_as(r, NULL) ? DECLINED
                                                  : HTTP_INTERNAL_SERVER_ERROR;
}

int ps_after_quick_handlers(request_rec *r, int lookup)
{
    (void)lookup;
    return !is_for_cache(r) || ps_act_as(r, ps_tenant_of(r))
               ? DECLINED
               : HTTP_INTERNAL_SERVER_ERROR;
}

int ps_before_logs(request_rec *r)
{
    if (logs && ps_is_active() && !ps_in_tenant_thread()) {
        ps_act_as_server(r->connection);
    }
    return DECLINED;
}
