/*
 * warnings - what is questionable in a whole configuration
 */
#include "checks.h"

#include "finding.h"
#include "tag.h"

#include <ap_mpm.h>
#include <http_config.h>
#include <http_core.h>
#include <mpm_common.h>
#include <strings.h>
#include <unixd.h>

#define STACK_COMFORTABLE (512 * 1024)

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
           && (ps_is_loaded("mod_suexec.c") || ps_is_loaded("mod_userdir.c"));
}

static void warn_host(struct ps_finding findings[WARNINGS], server_rec *s,
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
                           && !suexec_answers()
                           && !ps_is_loaded("mod_userdir.c"),
    };

    for (int i = 0; i < WARNINGS; i++) {
        if (holds[i]) {
            ps_found(&findings[i], s, warnings[i]);
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

        if (allowed && ps_is_loaded(modules[i].name)) {
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
    const ap_directive_t *lock = ps_find_directive(ap_conftree, "CacheLock");

    if (ps_is_loaded("mod_cache_disk.c")
        && ps_find_directive(ap_conftree, "CacheEnable")) {
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
    const ap_directive_t *d = ps_find_directive(ap_conftree, "SSLSessionCache");

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
    static const char *const names[] = {"CGIScriptTimeout", "CGIDScriptTimeout",
                                        "ScriptLog"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ps_find_directive(ap_conftree, names[i])) {
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
    if (ps_is_loaded("mod_fcgid.c")) {
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
    struct ps_finding findings[WARNINGS] = {{NULL}};
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
        ps_say(p, APLOG_WARNING, &findings[i]);
    }
    if (all.covers) {
        warn_htaccess(first, &all);
        warn_server(first);
    }
}
