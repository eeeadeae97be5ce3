/*
 * record - what the module remembers of a request
 */
#include "record.h"

#include "module.h"

struct ps_record *ps_record_of(request_rec *r)
{
    struct ps_record *record =
        ap_get_module_config(r->request_config, &process_security_module);

    if (!record) {
        record = apr_pcalloc(r->pool, sizeof(*record));
        record->refused = OK;
        if (r->prev && r->prev->pool == r->pool) {
            record->hold = ps_record_of(r->prev)->hold;
        }
        ap_set_module_config(r->request_config, &process_security_module,
                             record);
    }
    return record;
}

request_rec *ps_outermost(request_rec *r)
{
    while (r->main) {
        r = r->main;
    }
    return r;
}

const struct ps_identity *ps_tenant_of(request_rec *r)
{
    return ps_record_of(ps_outermost(r))->tenant;
}
