/*
 * survey - what a whole configuration covers, for checks and the dump
 */
#include "survey.h"

#include "module.h"

#include <apr_strings.h>
#include <http_core.h>
#include <strings.h>

static bool has_cgi_handler(const apr_array_header_t *handlers)
{
    for (int i = 0; handlers && i < handlers->nelts; i++) {
        const char *handler = APR_ARRAY_IDX(handlers, i, char *);

        /* In any case, as PSHandlers matches handlers in any. */
        if (strcasecmp(handler, "cgi-script") == 0
            || strcasecmp(handler, CGI_MAGIC_TYPE) == 0) {
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
    out->reaches_cgi |= dir.all == PS_ON || dir.cgi == PS_ON || dir.extensions
                        || has_cgi_handler(dir.handlers);
    out->cgi_in_thread |= dir.cgi_spawn == PS_OFF;
    out->checks_suexec |= dir.check_suexec == PS_ON;
}

/* A host's survey, and what holds for it outside of its sections. */
struct tour
{
    struct ps_survey *out;
    bool all;     /* the host covers all */
    bool scripts; /* a .htaccess somewhere may say AddHandler */
    bool off;     /* a section says PSExAll Off, and nothing of .htaccess */
};

/* What a .htaccess in this place may say; `all`: everything is covered. */
static void survey_core(struct tour *t, const core_dir_config *core, bool all)
{
    struct ps_survey *out = t->out;
    bool unset = (core->override & OR_UNSET) != 0;
    int allowed = unset ? 0 : core->override & OR_ALL;
    bool listed =
        core->override_list && !apr_is_empty_table(core->override_list);

    out->htaccess |= allowed != 0 || listed;
    out->htaccess_auth |= (allowed & OR_AUTHCFG) || listed;
    t->scripts |= (allowed & OR_FILEINFO) || listed;
    out->uncovered_scripts |= ((allowed & OR_FILEINFO) || listed) && !all;
    t->off |= unset && !all;
}

static void survey_place(struct tour *t, const ap_conf_vector_t *place);

static void survey_all(struct tour *t, const apr_array_header_t *places)
{
    for (int i = 0; places && i < places->nelts; i++) {
        const ap_conf_vector_t *place =
            APR_ARRAY_IDX(places, i, ap_conf_vector_t *);
        const struct ps_dir_settings *said = ps_dir_of(place);

        survey_place(t, place);
        if (said && (said->all != PS_UNSET || ps_dir_covers(said))) {
            t->out->sections++;
        }
    }
}

/* A section, and those inside of it. */
static void survey_place(struct tour *t, const ap_conf_vector_t *place)
{
    const struct ps_dir_settings *said = ps_dir_of(place);
    const core_dir_config *core = ap_get_core_module_config(place);
    bool all = t->all;

    if (said) {
        survey_settings(t->out, said);
        if (said->all != PS_UNSET) {
            all = said->all == PS_ON;
        }
    }
    if (core) {
        survey_core(t, core, all);
        survey_all(t, core->sec_file);
        survey_all(t, core->sec_if);
    }
}

struct ps_survey ps_survey_host(server_rec *s)
{
    struct ps_survey out = {.covers = false};
    const core_server_config *core =
        ap_get_core_module_config(s->module_config);
    struct ps_dir_settings dir =
        ps_dir_effective(ps_dir_of(s->lookup_defaults));
    struct tour tour = {.out = &out, .all = dir.all == PS_ON};

    survey_place(&tour, s->lookup_defaults);
    survey_all(&tour, core->sec_dir);
    survey_all(&tour, core->sec_url);
    /* Which of its sections' AllowOverride holds there, nobody can tell. */
    out.uncovered_scripts |= tour.off && tour.scripts && tour.all;
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
