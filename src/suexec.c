/*
 * suexec - whom SuexecUserGroup and mod_userdir name
 *
 * The hook takes the first answer that is somebody, so that none can say
 * "nobody" for the others: this part takes their place in httpd's list, and
 * asks them itself.
 */
#include "suexec.h"

#include "lookup.h"
#include "module.h"
#include "tenant_thread.h"

#include <apr_strings.h>

/* The others' answers: of httpd's own list, copied; constant in a child. */
static const apr_array_header_t *others;

static ap_unix_identity_t *answer(const request_rec *r)
{
    if (ps_in_tenant_thread()) {
        return NULL;
    }
    for (int i = 0; i < others->nelts; i++) {
        ap_unix_identity_t *id =
            APR_ARRAY_IDX(others, i, ap_LINK_get_suexec_identity_t).pFunc(r);

        if (id) {
            return id;
        }
    }
    return NULL;
}

void ps_suexec_take_over(apr_pool_t *pconf)
{
    apr_array_header_t *hooks = ap_hook_get_get_suexec_identity();

    if (hooks && hooks->nelts > 0) {
        others = apr_array_copy(pconf, hooks);
        hooks->nelts = 1;
        APR_ARRAY_IDX(hooks, 0, ap_LINK_get_suexec_identity_t).pFunc = answer;
    }
}

const ap_unix_identity_t *ps_suexec_identity(request_rec *r)
{
    return ap_run_get_suexec_identity(r);
}

/* mod_suexec's own answer, which needs no more of a request than this. */
static const ap_unix_identity_t *ask_suexec(apr_pool_t *p, server_rec *s)
{
    const apr_array_header_t *hooks = ap_hook_get_get_suexec_identity();
    const request_rec r = {
        .pool = p,
        .server = s,
        .per_dir_config = s->lookup_defaults,
    };

    for (int i = 0; hooks && i < hooks->nelts; i++) {
        const ap_LINK_get_suexec_identity_t *hook =
            &APR_ARRAY_IDX(hooks, i, ap_LINK_get_suexec_identity_t);

        if (strcmp(hook->szName, "mod_suexec.c") == 0) {
            return hook->pFunc(&r);
        }
    }
    return NULL;
}

const char *ps_suexec_name(apr_pool_t *p, server_rec *s,
                           struct ps_host_settings *host)
{
    const ap_unix_identity_t *id = ask_suexec(p, s);

    host->named = id != NULL;
    if (!host->named) {
        return NULL;
    }
    host->user = apr_psprintf(p, "#%u", id->uid);
    host->group = apr_psprintf(p, "#%u", id->gid);
    return ps_find_tenant(p, host->user, host->group, !ps_is_rehearsal(),
                          &host->tenant);
}
