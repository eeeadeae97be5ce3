/*
 * checks - what is wrong in a whole configuration
 */
#include "checks.h"

#include "decision.h"
#include "finding.h"
#include "tag.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <util_cfgtree.h>

static const char *tenant_error(apr_pool_t *p,
                                const struct ps_host_settings *host)
{
    const struct ps_identity *t = &host->tenant;
    const struct ps_facts facts = {.pinned = true};
    const struct ps_rules rules = {
        .pinned_uid = t->uid,
        .pinned_gid = t->gid,
        .min_uid = host->min_uid,
        .min_gid = host->min_gid,
        .root_enable = host->root_enable == PS_ON,
    };
    enum ps_reason reason = ps_decide(&facts, &rules).reason;
    const char *wrong = NULL;

    if (reason == PS_REASON_ROOT) {
        wrong = "root; name another user, or PSRootEnable On";
    }
    else if (reason == PS_REASON_MINIMUM) {
        wrong = apr_psprintf(p,
                             "below PSMinUidGid %u %u; name another user, or "
                             "lower the minimum for this host",
                             host->min_uid, host->min_gid);
    }
    /* Ascending, so that gid 0 can only be the first. */
    else if (t->ngroups > 0 && t->groups[0] == 0 && !rules.root_enable) {
        wrong = "in group 0; take the user out of it, or PSRootEnable On";
    }
    return wrong ? apr_psprintf(p,
                                PS_TAG_CONF_TENANT "%s %s %s (uid "
                                                   "%u, gid %u) is %s",
                                host->tenancy == PS_TENANCY_SUEXEC
                                    ? "SuexecUserGroup"
                                    : "PSUserGroup",
                                host->user, host->group, t->uid, t->gid, wrong)
                 : NULL;
}

static const char *host_error(apr_pool_t *p,
                              const struct ps_host_settings *host)
{
    const char *wrong = host->named ? tenant_error(p, host) : NULL;

    if (!wrong && host->default_set && host->root_enable != PS_ON
        && (host->default_tenant.uid == 0 || host->default_tenant.gid == 0)) {
        wrong = PS_TAG_CONF_TENANT "PSDefaultUidGid is root; name another "
                                   "user, or PSRootEnable On";
    }
    return wrong;
}

/*
 * Where this module does not run scripts itself. mod_include's #exec reaches
 * mod_cgid from any covered page, too, whichever handler is covered.
 */
static bool reaches_cgid(const struct ps_survey *host)
{
    return ps_is_loaded("mod_cgid.c") && host->cgi_in_thread
           && (host->reaches_cgi
               || (host->covers && ps_is_loaded("mod_include.c")));
}

/* A LuaScope that keeps an interpreter for longer than a request. */
static const ap_directive_t *lasting_lua_scope(const ap_directive_t *d)
{
    for (; d; d = d->next) {
        const ap_directive_t *inside = lasting_lua_scope(d->first_child);

        if (inside) {
            return inside;
        }
        if (strcasecmp(d->directive, "LuaScope") == 0
            && strncasecmp(d->args, "once", 4) != 0
            && strncasecmp(d->args, "request", 7) != 0) {
            return d;
        }
    }
    return NULL;
}

static bool check_lua(server_rec *s)
{
    const ap_directive_t *d =
        ps_is_loaded("mod_lua.c") ? lasting_lua_scope(ap_conftree) : NULL;

    if (d) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     PS_TAG_CONF_LUA_SCOPE
                     "%s:%d: LuaScope %s keeps a "
                     "tenant's interpreter after its request, to be ended "
                     "(with its finalizers) by the server; use once or request",
                     d->filename, d->line_num, d->args);
    }
    return d == NULL;
}

bool ps_check_errors(apr_pool_t *p, server_rec *first)
{
    struct ps_finding tenant = {NULL};
    struct ps_finding cgid = {NULL};
    bool covers = false;

    for (server_rec *s = first; s; s = s->next) {
        struct ps_host_settings host = ps_host_effective(ps_host_of(s));
        struct ps_survey survey = ps_survey_host(s);
        const char *wrong = host_error(p, &host);

        covers |= survey.covers;
        if (wrong) {
            ps_found(&tenant, s, wrong);
        }
        if (reaches_cgid(&survey)) {
            ps_found(
                &cgid, s,
                PS_TAG_CONF_CGID
                "PSCgiSpawn Off, and mod_cgid is loaded, which runs scripts "
                "as the server's user from a process of its own: covered "
                "requests would reach it; PSCgiSpawn On, or load mod_cgi "
                "instead (Debian: a2dismod cgid, then a2enmod cgi; it works "
                "on every MPM)");
        }
    }
    ps_say(p, APLOG_ERR, &tenant);
    ps_say(p, APLOG_ERR, &cgid);
    return (!covers || check_lua(first)) && !tenant.text && !cgid.text;
}
