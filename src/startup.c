/*
 * startup - the configuration checked whole, and children made ready
 *
 * Whatever is wrong is said by `apachectl configtest`, with the remedy; what
 * depends on the running system (root, capabilities, sysctls) by the start.
 */
#include "startup.h"

#include "decision.h"
#include "module.h"
#include "survey.h"
#include "tag.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <mpm_common.h>
#include <stdlib.h>
#include <unistd.h>
#include <unixd.h>

/* Written once per start, before any child or thread exists. */
static bool active;

bool ps_is_active(void)
{
    return active;
}

/* Not configtest, nor a dump. */
static bool is_real_start(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL;
}

/* A start reads the configuration twice; the first time is for errors. */
static bool is_rehearsal(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
}

static bool is_loaded(const char *name)
{
    return ap_find_linked_module(name) != NULL;
}

static void warn(server_rec *s, const char *text)
{
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "%s", text);
}

/* ---- errors ---- */

static const char *tenant_error(apr_pool_t *p,
                                const struct ps_host_settings *host)
{
    const struct ps_facts facts = {.pinned = true};
    const struct ps_rules rules = {
        .pinned_uid = host->tenant.uid,
        .pinned_gid = host->tenant.gid,
        .min_uid = host->min_uid,
        .min_gid = host->min_gid,
        .root_enable = host->root_enable == PS_ON,
    };
    struct ps_verdict v = ps_decide(&facts, &rules);

    if (v.action == PS_RUN) {
        return NULL;
    }
    if (v.reason == PS_REASON_ROOT) {
        return apr_psprintf(p,
                            "PSUserGroup %s %s is root (uid %u, gid %u); "
                            "name another user, or PSRootEnable On",
                            host->user, host->group, v.uid, v.gid);
    }
    return apr_psprintf(p,
                        "PSUserGroup %s %s (uid %u, gid %u) is below "
                        "PSMinUidGid %u %u; name another user, or lower "
                        "the minimum for this host",
                        host->user, host->group, v.uid, v.gid, host->min_uid,
                        host->min_gid);
}

/* What is wrong with the tenants that a host names; NULL: nothing. */
static const char *host_error(apr_pool_t *p,
                              const struct ps_host_settings *host)
{
    const struct ps_identity *t = &host->tenant;

    if (host->tenancy == PS_TENANCY_PINNED) {
        const char *wrong = tenant_error(p, host);

        if (wrong) {
            return wrong;
        }
        /* Ascending, so that gid 0 can only be the first. */
        if (t->ngroups > 0 && t->groups[0] == 0 && host->root_enable != PS_ON) {
            return apr_psprintf(p,
                                "PSUserGroup %s %s: the user is in group "
                                "0; take it out of that, or PSRootEnable "
                                "On",
                                host->user, host->group);
        }
    }
    if (host->default_set && host->root_enable != PS_ON
        && (host->default_tenant.uid == 0 || host->default_tenant.gid == 0)) {
        return "PSDefaultUidGid is root; name another user, or PSRootEnable "
               "On";
    }
    return NULL;
}

static int check_errors(apr_pool_t *ptemp, server_rec *first)
{
    int status = OK;

    for (server_rec *s = first; s; s = s->next) {
        struct ps_host_settings host = ps_host_effective(ps_host_of(s));
        const char *wrong = host_error(ptemp, &host);

        if (wrong) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                         PS_TAG_CONF_TENANT "%s: %s", ps_host_name(ptemp, s),
                         wrong);
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
        if (is_loaded("mod_cgid.c") && ps_survey_host(s).reaches_cgi) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                         PS_TAG_CONF_CGID
                         "%s: mod_cgid is loaded, which "
                         "runs scripts as the server's user from a process "
                         "of its own, and covered requests would reach it; "
                         "load mod_cgi instead (Debian: a2dismod cgid, then "
                         "a2enmod cgi; it works on every MPM)",
                         ps_host_name(ptemp, s));
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return status;
}

/* ---- warnings ---- */

static void warn_tenant(apr_pool_t *p, server_rec *s,
                        const struct ps_host_settings *host)
{
    uid_t server = ap_unixd_config.user_id;

    if (host->root_enable == PS_ON) {
        warn(s, apr_psprintf(p,
                             PS_TAG_WARN_ROOT "%s: PSRootEnable On: a "
                                              "script of root's runs as root",
                             ps_host_name(p, s)));
    }
    if (host->cap_dac_override == PS_ON) {
        warn(s, apr_psprintf(p,
                             PS_TAG_WARN_DAC
                             "%s: PSCapDacOverride has no "
                             "effect any more; to serve closed homes, pin "
                             "the host with PSUserGroup",
                             ps_host_name(p, s)));
    }
    if ((host->tenancy == PS_TENANCY_PINNED && host->tenant.uid == server)
        || (host->default_set && host->default_tenant.uid == server)) {
        warn(s, apr_psprintf(p,
                             PS_TAG_WARN_SERVER_USER
                             "%s: a tenant is the "
                             "server's own user: its scripts can signal "
                             "httpd's processes and read its files",
                             ps_host_name(p, s)));
    }
}

static void warn_coverage(apr_pool_t *p, server_rec *s,
                          const struct ps_survey *host)
{
    if (host->covers_some && !host->covers_all && host->htaccess_handler) {
        warn(s, apr_psprintf(p,
                             PS_TAG_WARN_UNCOVERED
                             "%s: only some content "
                             "is covered, and AllowOverride lets a "
                             ".htaccess make a script of any other, which "
                             "then runs as the server's user; PSExAll On "
                             "covers all",
                             ps_host_name(p, s)));
    }
    if (host->checks_suexec && !ap_unixd_config.suexec_enabled) {
        warn(s, apr_psprintf(p,
                             PS_TAG_WARN_SUEXEC
                             "%s: PSCheckSuexecids On, "
                             "but suexec is not in use, so SuexecUserGroup "
                             "says nothing and all is refused",
                             ps_host_name(p, s)));
    }
}

/* Once for the whole server, however many hosts it holds for. */
static void warn_server(server_rec *s, bool htaccess)
{
    if (htaccess && is_loaded("mod_lua.c")) {
        warn(s, PS_TAG_WARN_LUA
             "mod_lua is loaded, and AllowOverride lets a "
             "tenant's .htaccess say LuaHook..., LuaScope or "
             "LuaMapHandler: that code runs inside the server, beside the "
             "capability to become any tenant; unload mod_lua, or "
             "AllowOverride None and AllowOverrideList");
    }
    if (is_loaded("mod_fcgid.c")) {
        warn(s, PS_TAG_WARN_FCGID
             "mod_fcgid runs its programs from a process "
             "of its own, as the server's user or through suexec: what "
             "its handler takes is not covered");
    }
#ifdef AP_MPMQ_IS_THREADED
    if (ap_thread_stacksize != 0 && ap_thread_stacksize < 512 * 1024) {
        warn(s, PS_TAG_WARN_STACK
             "ThreadStackSize is below 524288: a "
             "tenant's thread runs on what the waiting thread leaves of "
             "it, and is refused below 128 KB");
    }
#endif
    if (ap_coredumpdir_configured) {
        warn(s, PS_TAG_WARN_CORE "CoreDumpDirectory has no effect: a dumpable "
                                 "httpd would open its memory to every tenant");
    }
}

static void check_warnings(apr_pool_t *ptemp, server_rec *first)
{
    bool covers = false;
    bool htaccess = false;

    for (server_rec *s = first; s; s = s->next) {
        struct ps_survey survey = ps_survey_host(s);

        if (survey.covers) {
            struct ps_host_settings host = ps_host_effective(ps_host_of(s));

            warn_tenant(ptemp, s, &host);
            warn_coverage(ptemp, s, &survey);
            covers = true;
            htaccess |= survey.htaccess;
        }
    }
    if (covers) {
        warn_server(first, htaccess);
    }
}

/* ---- the start itself ---- */

/* fs.suid_dumpable: what a process becomes when its ids change. */
static bool dumps_are_open(apr_pool_t *p)
{
    char text[16];
    apr_size_t n = sizeof(text) - 1;
    apr_file_t *f;

    if (apr_file_open(&f, "/proc/sys/fs/suid_dumpable", APR_FOPEN_READ, 0, p)
        != APR_SUCCESS) {
        return false; /* the drop itself looks, too */
    }
    if (apr_file_read(f, text, &n) != APR_SUCCESS) {
        n = 0;
    }
    apr_file_close(f);
    text[n] = '\0';
    return atoi(text) == 1;
}

/* What stops httpd from running tenants at all; NULL: nothing. */
static const char *system_error(apr_pool_t *p)
{
    if (geteuid() != 0) {
        return PS_TAG_CONF_NOT_ROOT
            "requests are covered, but httpd was not "
            "started as root and cannot become any tenant; start it as "
            "root, with User and Group";
    }
    if (!ps_may_switch()) {
        return PS_TAG_CONF_NO_CAPS
            "requests are covered, but this root has "
            "no CAP_SETUID or no CAP_SETGID; give the container or "
            "service both";
    }
    if (dumps_are_open(p)) {
        return PS_TAG_CONF_DUMPABLE
            "fs.suid_dumpable is 1, which opens "
            "httpd's memory to every tenant; sysctl fs.suid_dumpable=0 "
            "(or 2)";
    }
    return NULL;
}

int ps_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                    server_rec *s)
{
    const char *wrong;

    (void)pconf;
    (void)plog;
    if (!is_real_start()) {
        check_warnings(ptemp, s);
    }
    else if (ps_survey_any_covers(s) && (wrong = system_error(ptemp))) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "%s", wrong);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return check_errors(ptemp, s);
}

int ps_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                   server_rec *s)
{
    (void)pconf;
    (void)plog;
    if (!is_rehearsal()) {
        check_warnings(ptemp, s);
    }
    active = ps_survey_any_covers(s);
    return OK;
}

static int child_result(server_rec *s, struct ps_outcome outcome)
{
    if (outcome.step == PS_STEP_NONE) {
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_ALERT, outcome.err, s,
                 PS_TAG_CHILD "a child cannot start: %s failed",
                 ps_step_name(outcome.step));
    return HTTP_INTERNAL_SERVER_ERROR;
}

int ps_before_unixd(apr_pool_t *pchild, server_rec *s)
{
    (void)pchild;
    return active ? child_result(s, ps_keep_capabilities(&ps_kernel))
                  : DECLINED;
}

int ps_after_unixd(apr_pool_t *pchild, server_rec *s)
{
    (void)pchild;
    return active ? child_result(s, ps_narrow(&ps_kernel)) : DECLINED;
}
