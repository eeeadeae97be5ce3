/*
 * finding - what checks of a whole configuration have in common
 */
#include "finding.h"

#include "tag.h"

#include <apr_strings.h>
#include <http_config.h>
#include <strings.h>

bool ps_is_loaded(const char *name)
{
    return ap_find_linked_module(name) != NULL;
}

const ap_directive_t *ps_find_directive(const ap_directive_t *d,
                                        const char *name)
{
    for (; d; d = d->next) {
        const ap_directive_t *inside = ps_find_directive(d->first_child, name);

        if (inside || strcasecmp(d->directive, name) == 0) {
            return inside ? inside : d;
        }
    }
    return NULL;
}

void ps_found(struct ps_finding *f, server_rec *s, const char *text)
{
    if (f->hosts++ == 0) {
        f->first = s;
        f->text = text;
    }
}

void ps_say(apr_pool_t *p, int level, const struct ps_finding *f)
{
    const char *more =
        f->hosts > 1 ? apr_psprintf(p, " and %u more hosts", f->hosts - 1) : "";

    if (f->text) {
        ap_log_error(APLOG_MARK, level, 0, f->first, "%.8s%s%s: %s", f->text,
                     ps_host_name(p, f->first), more, f->text + 8);
    }
}
