/*
 * docroot - the document root of a request, before it is mapped to a file
 */
#include "docroot.h"

#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

/* mod_vhost_alias's hook; constant in a child. NULL where not loaded. */
static ap_HOOK_translate_name_t *vhost_alias;

void ps_docroot_learn(void)
{
    const apr_array_header_t *hooks = ap_hook_get_translate_name();

    vhost_alias = NULL;
    for (int i = 0; hooks && i < hooks->nelts; i++) {
        const ap_LINK_translate_name_t *hook =
            &APR_ARRAY_IDX(hooks, i, ap_LINK_translate_name_t);

        if (strcmp(hook->szName, "mod_vhost_alias.c") == 0) {
            vhost_alias = hook->pFunc;
        }
    }
}

static const char *said_for(const request_rec *r)
{
    const core_request_config *core =
        ap_get_core_module_config(r->request_config);

    return core ? core->document_root : NULL;
}

/*
 * Asks mod_vhost_alias about a copy of the request, as it notes what it
 * finds, and only if nothing before it maps the URL. It looks at names only,
 * at no file.
 */
static const char *virtual_root(const request_rec *r)
{
    request_rec copy = *r;

    copy.request_config = ap_create_request_config(r->pool);
    ap_set_core_module_config(
        copy.request_config, apr_pcalloc(r->pool, sizeof(core_request_config)));
    copy.uri = "/";
    return vhost_alias(&copy) == OK ? said_for(&copy) : NULL;
}

const char *ps_docroot_of(request_rec *r)
{
    const char *root = said_for(r);

    if (!root && vhost_alias) {
        root = virtual_root(r);
    }
    return root ? root : ap_document_root(r);
}
