/*
 * checks - what is wrong, or questionable, in a whole configuration
 */
#include "checks.h"

#include "decision.h"
#include "survey.h"
#include "tag.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <mpm_common.h>
#include <unixd.h>
#include <util_cfgtree.h>

#define STACK_COMFORTABLE (512 * 1024)

static bool is_loaded(const char *name)
{
    return ap_find_linked_module(name) != NULL;
}

/* A finding, and how many hosts it holds for. */
struct finding
{
    const char *text; /* with its tag; NULL: not found yet */
    server_rec *first;
    unsigned hosts;
};

static void found(struct finding *f, server_rec *s, const char *text)
{
    if (f->hosts++ == 0) {
        f->first = s;
        f->text = text;
    }
}

/* "PS0501: alice:443 and 3 more hosts: ..." */
static void say(apr_pool_t *p, int level, const struct finding *f)
{
    const char *more =
        f->hosts > 1 ? apr_psprintf(p, " and %u more hosts", f->hosts - 1) : "";

    if (f->text) {
        ap_log_error(APLOG_MARK, level, 0, f->first, "%.8s%s%s: %s", f->text,
                     ps_host_name(p, f->first), more, f->text + 8);
    }
}

/* ---- errors ---- */

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
    return is_loaded("mod_cgid.c") && host->cgi_in_thread
           && (host->reaches_cgi
               || (host->covers && is_loaded("mod_include.c")));
}

/* The first directive of the name, wherever it stands; NULL: none. */
static const ap_directive_t *find_directive(const ap_directive_t *d,
                                            const char *name)
{
    for (; d; d = d->next) {
        const ap_directive_t *inside = find_directive(d->first_child, name);

        if (inside || strcasecmp(d->directive, name) == 0) {
            return inside ? inside : d;
        }
    }
    return NULL;
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
        is_loaded("mod_lua.c") ? lasting_lua_scope(ap_conftree) : NULL;

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
    struct finding tenant = {NULL};
    struct finding cgid = {NULL};
    bool covers = false;

    for (server_rec *s = first; s; s = s->next) {
        struct ps_host_settings host = ps_host_effective(ps_host_of(s));
        struct ps_survey survey = ps_survey_host(s);
        const char *wrong = host_error(p, &host);

        covers |= survey.covers;
        if (wrong) {
            found(&tenant, s, wrong);
        }
        if (reaches_cgid(&survey)) {
            found(&cgid, s,
                  PS_TAG_CONF_CGID
                  "PSCgiSpawn Off, and mod_cgid is loaded, which runs scripts "
                  "as the server's user from a process of its own: covered "
                  "requests would reach it; PSCgiSpawn On, or load mod_cgi "
                  "instead (Debian: a2dismod cgid, then a2enmod cgi; it works "
                  "on every MPM)");
        }
    }
    say(p, APLOG_ERR, &tenant);
    say(p, APLOG_ERR, &cgid);
    return (!covers || check_lua(first)) && !tenant.text && !cgid.text;
}

/* ---- warnings ---- */

enum warning
{
    WARN_ROOT,
    WARN_DAC,
    WARN_SERVER_USER,
    WARN_UNCOVERED,
    WARN_SUEXEC,
    WARN_NO_SUEXEC,
    WARNINGS
};

static const char *const warnings[WARNINGS] = {
    [WARN_ROOT] = PS_TAG_WARN_ROOT "PSRootEnable On: a script of root's can "
                                   "run as root",
    [WARN_DAC] = PS_TAG_WARN_DAC "PSCapDacOverride has no effect any more; to "
                                 "serve closed homes, pin the host with "
                                 "PSUserGroup",
    [WARN_SERVER_USER] = PS_TAG_WARN_SERVER_USER
    "a tenant is the server's own user: its scripts can signal httpd's "
    "processes and read its files",
    [WARN_UNCOVERED] = PS_TAG_WARN_UNCOVERED
    "some content is not covered, and AllowOverride lets a .htaccess make a "
    "script of it, which then runs as the server's user; PSExAll On covers all",
    [WARN_SUEXEC] = PS_TAG_WARN_SUEXEC
    "PSCheckSuexecids On, but suexec is not in use, so SuexecUserGroup says "
    "nothing and all is refused",
    [WARN_NO_SUEXEC] = PS_TAG_WARN_NO_SUEXEC
    "PSUserGroup suexec, but suexec is not in use, and mod_userdir is not "
    "loaded: nobody is named, and all is decided by its owner",
};

static bool suexec_answers(void)
{
    return ap_unixd_config.suexec_enabled
           && (is_loaded("mod_suexec.c") || is_loaded("mod_userdir.c"));
}

static void warn_host(struct finding findings[WARNINGS], server_rec *s,
                      const struct ps_survey *survey)
{
    struct ps_host_settings host = ps_host_effective(ps_host_of(s));
    uid_t server = ap_unixd_config.user_id;
    const bool holds[WARNINGS] = {
        [WARN_ROOT] = host.root_enable == PS_ON,
        [WARN_DAC] = host.cap_dac_override == PS_ON,
        [WARN_SERVER_USER] =
            (host.named && host.tenant.uid == server)
            || (host.default_set && host.default_tenant.uid == server),
        [WARN_UNCOVERED] = survey->uncovered_scripts,
        [WARN_SUEXEC] = survey->checks_suexec && !suexec_answers(),
        [WARN_NO_SUEXEC] = host.tenancy == PS_TENANCY_SUEXEC && !host.named
                           && !suexec_answers() && !is_loaded("mod_userdir.c"),
    };

    for (int i = 0; i < WARNINGS; i++) {
        if (holds[i]) {
            found(&findings[i], s, warnings[i]);
        }
    }
}

/*
 * Modules whose directives, in a .htaccess, run code in the server's own
 * thread, or start a program from there, before any handler.
 */
static void warn_htaccess(server_rec *s, const struct ps_survey *all)
{
    static const struct
    {
        const char *name;
        const char *directives;
        bool auth_only; /* AllowOverride AuthConfig, or a list */
    } modules[] = {
        {"mod_lua.c", "LuaHook..., LuaMapHandler, LuaScope", false},
        {"mod_perl.c", "Perl...Handler", false},
        {"mod_wsgi.c", "WSGIAccessScript, WSGIAuth...", false},
        {"mod_fcgid.c", "FcgidAccessChecker, FcgidAuth...", false},
        {"mod_session_crypto.c", "SessionCryptoPassphrase exec:...", true},
        {"mod_authnz_ldap.c", "AuthLDAPBindPassword exec:...", true},
    };

    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
        bool allowed =
            modules[i].auth_only ? all->htaccess_auth : all->htaccess;

        if (allowed && is_loaded(modules[i].name)) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         PS_TAG_WARN_HTACCESS
                         "%s is loaded, and AllowOverride "
                         "lets a tenant's .htaccess say %s: that code runs as "
                         "the server's user; unload the module, or "
                         "AllowOverride None and AllowOverrideList None",
                         modules[i].name, modules[i].directives);
        }
    }
}

static void warn_cache(server_rec *s)
{
    const ap_directive_t *lock = find_directive(ap_conftree, "CacheLock");

    if (is_loaded("mod_cache_disk.c")
        && find_directive(ap_conftree, "CacheEnable")) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     PS_TAG_WARN_CACHE
                     "mod_cache_disk stores nothing of what is covered: its "
                     "store is the server's; what is proxied is stored");
    }
    if (lock && strcasecmp(lock->args, "On") == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     PS_TAG_WARN_CACHE_LOCK
                     "CacheLock On: mod_cache makes and removes its locks as "
                     "whoever the request is, so that some stay, and others "
                     "cannot be made; CacheLock Off");
    }
}

static void warn_tls(server_rec *s)
{
    const ap_directive_t *d = find_directive(ap_conftree, "SSLSessionCache");

    if (d && strncasecmp(d->args, "dbm", 3) == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     PS_TAG_WARN_TLS_SESSIONS
                     "SSLSessionCache %s: the file can be opened as whoever a "
                     "request is, in the midst of it; use shmcb",
                     d->args);
    }
}

/* What mod_cgi's and mod_cgid's own directives say of covered scripts. */
static void warn_mod_cgi(server_rec *s)
{
    static const char *const names[] = {"CGIScriptTimeout", "ScriptLog"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (find_directive(ap_conftree, names[i])) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         PS_TAG_WARN_MOD_CGI
                         "%s is mod_cgi's, and says nothing of scripts that "
                         "this module runs: PSCgiTimeout, and the error log, "
                         "do; or PSCgiSpawn Off",
                         names[i]);
        }
    }
}

static void warn_server(server_rec *s)
{
    int threaded = AP_MPMQ_NOT_SUPPORTED;

    warn_cache(s);
    warn_mod_cgi(s);
    warn_tls(s);
    ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    if (is_loaded("mod_fcgid.c")) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     PS_TAG_WARN_FCGID
                     "mod_fcgid runs its programs from a "
                     "process of its own, as the server's user or through "
                     "suexec: what its handler takes is not covered, and a "
                     ".htaccess that may say SetHandler can give it a "
                     "tenant's script");
    }
    if (threaded != AP_MPMQ_NOT_SUPPORTED && ap_thread_stacksize != 0
        && ap_thread_stacksize < STACK_COMFORTABLE) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     PS_TAG_WARN_STACK
                     "ThreadStackSize is below %d: a "
                     "tenant's thread runs on what the waiting thread leaves "
                     "of it, and is refused below 128 KB",
                     STACK_COMFORTABLE);
    }
    if (ap_coredumpdir_configured) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     PS_TAG_WARN_CORE
                     "CoreDumpDirectory has no effect: a "
                     "dumpable httpd would open its memory to every tenant");
    }
}

void ps_check_warnings(apr_pool_t *p, server_rec *first)
{
    struct finding findings[WARNINGS] = {{NULL}};
    struct ps_survey all = {.covers = false};

    for (server_rec *s = first; s; s = s->next) {
        struct ps_survey survey = ps_survey_host(s);

        if (survey.covers) {
            warn_host(findings, s, &survey);
            all.covers = true;
            all.htaccess |= survey.htaccess;
            all.htaccess_auth |= survey.htaccess_auth;
        }
    }
    for (int i = 0; i < WARNINGS; i++) {
        say(p, APLOG_WARNING, &findings[i]);
    }
    if (all.covers) {
        warn_htaccess(first, &all);
        warn_server(first);
    }
}
