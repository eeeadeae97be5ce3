/*
 * survey - what a whole configuration covers, for checks and the dump
 */
#include "survey.h"

#include "content.h"
#include "module.h"

#include <apr_strings.h>
#include <http_core.h>

static bool has_cgi_handler(const apr_array_header_t *handlers)
{
    for (int i = 0; handlers && i < handlers->nelts; i++) {
        if (ps_is_cgi(APR_ARRAY_IDX(handlers, i, char *))) {
            return true;
        }
    }
    return false;
}

static void survey_settings(struct ps_survey *out,
                            const struct ps_dir_settings *said)
{
    struct ps_dir_settings dir = ps_dir_effective(said);

    out->covers |= ps_dir_covers(&dir);
    out->covers_all |= dir.all == PS_ON;
    out->covers_some |= dir.cgi == PS_ON || dir.extensions || dir.handlers;
    out->reaches_cgi |= dir.all == PS_ON || dir.cgi == PS_ON || dir.extensions
                        || has_cgi_handler(dir.handlers);
    out->checks_suexec |= dir.check_suexec == PS_ON;
}

static void survey_core(struct ps_survey *out, const core_dir_config *core)
{
    int allowed = core->override & OR_ALL;

    if (core->override & OR_UNSET) {
        allowed = 0;
    }
    out->htaccess |= allowed != 0 || core->override_list;
    out->htaccess_handler |= (allowed & OR_FILEINFO) || core->override_list;
}

static void survey_place(struct ps_survey *out, const ap_conf_vector_t *place);

static void survey_all(struct ps_survey *out, const apr_array_header_t *places)
{
    for (int i = 0; places && i < places->nelts; i++) {
        const struct ps_dir_settings *said;
        const ap_conf_vector_t *place =
            APR_ARRAY_IDX(places, i, ap_conf_vector_t *);

        survey_place(out, place);
        said = ps_dir_of(place);
        if (said && (said->all != PS_UNSET || ps_dir_covers(said))) {
            out->sections++;
        }
    }
}

/* A section, and those inside of it. */
static void survey_place(struct ps_survey *out, const ap_conf_vector_t *place)
{
    const struct ps_dir_settings *said = ps_dir_of(place);
    const core_dir_config *core = ap_get_core_module_config(place);

    if (said) {
        survey_settings(out, said);
    }
    if (core) {
        survey_core(out, core);
        survey_all(out, core->sec_file);
        survey_all(out, core->sec_if);
    }
}

struct ps_survey ps_survey_host(server_rec *s)
{
    struct ps_survey out = {.covers = false};
    const core_server_config *core =
        ap_get_core_module_config(s->module_config);

    survey_place(&out, s->lookup_defaults);
    survey_all(&out, core->sec_dir);
    survey_all(&out, core->sec_url);
    return out;
}

bool ps_survey_any_covers(server_rec *first)
{
    for (server_rec *s = first; s; s = s->next) {
        if (ps_survey_host(s).covers) {
            return true;
        }
    }
    return false;
}

const char *ps_host_name(apr_pool_t *p, const server_rec *s)
{
    const char *name = s->server_hostname ? s->server_hostname : "(no name)";

    if (!s->is_virtual) {
        return apr_pstrcat(p, "main server ", name, NULL);
    }
    if (s->addrs && s->addrs->host_port) {
        return apr_psprintf(p, "%s:%u", name, s->addrs->host_port);
    }
    return name;
}
