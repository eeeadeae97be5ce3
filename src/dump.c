/*
 * dump - apachectl -t -D DUMP_PROCESS_SECURITY
 *
 * The format is one line a host, of words "key=value" after the name, so
 * that grep, cut and awk can read it, too.
 */
#include "dump.h"

#include "module.h"
#include "survey.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>

static const char *list_text(apr_pool_t *p, const apr_array_header_t *list)
{
    return apr_array_pstrcat(p, list, ',');
}

static const char *coverage_text(apr_pool_t *p,
                                 const struct ps_dir_settings *dir)
{
    const char *text = "";

    if (dir->all == PS_ON) {
        text = dir->ignored
                   ? apr_psprintf(p, ",all-but(%s)", list_text(p, dir->ignored))
                   : ",all";
    }
    if (dir->cgi == PS_ON) {
        text = apr_pstrcat(p, text, ",cgi", NULL);
    }
    if (dir->extensions) {
        text = apr_psprintf(p, "%s,extensions(%s)", text,
                            list_text(p, dir->extensions));
    }
    if (dir->handlers) {
        text = apr_psprintf(p, "%s,handlers(%s)", text,
                            list_text(p, dir->handlers));
    }
    return *text ? text + 1 : "none";
}

static const char *groups_text(apr_pool_t *p, const struct ps_identity *who)
{
    const char *text = apr_psprintf(p, "%u", who->gid);

    for (size_t i = 0; i < who->ngroups; i++) {
        if (who->groups[i] != who->gid) {
            text = apr_psprintf(p, "%s,%u", text, who->groups[i]);
        }
    }
    return text;
}

static const char *tenant_text(apr_pool_t *p,
                               const struct ps_host_settings *host)
{
    if (host->named) {
        return apr_psprintf(p, "%s%s:%s(uid=%u;groups=%s)",
                            host->tenancy == PS_TENANCY_SUEXEC ? "suexec:" : "",
                            host->user, host->group, host->tenant.uid,
                            groups_text(p, &host->tenant));
    }
    if (host->tenancy == PS_TENANCY_DOCROOT) {
        return apr_psprintf(p, "docroot(min=%u:%u)", host->min_uid,
                            host->min_gid);
    }
    if (host->tenancy == PS_TENANCY_SUEXEC) {
        return apr_psprintf(p, "userdir-or-owner(min=%u:%u)", host->min_uid,
                            host->min_gid);
    }
    if (host->default_set) {
        return apr_psprintf(p, "owner(min=%u:%u;default=%u:%u)", host->min_uid,
                            host->min_gid, host->default_tenant.uid,
                            host->default_tenant.gid);
    }
    return apr_psprintf(p, "owner(min=%u:%u)", host->min_uid, host->min_gid);
}

/*
 * How a kind of content runs: `way`; "listed", where some of it does, by
 * name; "server". Sections can say otherwise.
 */
static const char *way_text(const char *way, bool all, bool some)
{
    return all ? way : some ? "listed" : "server";
}

static void dump_host(apr_pool_t *p, apr_file_t *out, server_rec *s)
{
    struct ps_host_settings host = ps_host_effective(ps_host_of(s));
    struct ps_dir_settings dir =
        ps_dir_effective(ps_dir_of(s->lookup_defaults));
    struct ps_survey survey = ps_survey_host(s);
    bool all = dir.all == PS_ON;
    bool listed = dir.extensions != NULL;

    apr_file_printf(out, "%s covers=%s", ps_host_name(p, s),
                    coverage_text(p, &dir));
    if (survey.sections > 0) {
        apr_file_printf(out, "+%u-sections", survey.sections);
    }
    apr_file_printf(out, " as=%s files=%s cgi=%s code=%s\n",
                    survey.covers ? tenant_text(p, &host) : "server",
                    way_text("in-place", all, listed),
                    way_text(dir.cgi_spawn == PS_ON ? "spawn" : "thread",
                             all || dir.cgi == PS_ON, listed || dir.handlers),
                    way_text("thread", all, listed || dir.handlers));
}

void ps_dump_config(apr_pool_t *pconf, server_rec *s)
{
    apr_file_t *out;
    apr_pool_t *p;

    if (!ap_exists_config_define("DUMP_PROCESS_SECURITY")
        || apr_pool_create(&p, pconf) != APR_SUCCESS
        || apr_file_open_stdout(&out, p) != APR_SUCCESS) {
        return;
    }
    apr_file_printf(out, "Process security:\n");
    for (; s; s = s->next) {
        dump_host(p, out, s);
    }
    apr_pool_destroy(p);
}
