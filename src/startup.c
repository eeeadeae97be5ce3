/*
 * startup - the configuration checked whole, and children made ready
 *
 * Whatever is wrong is said by `apachectl configtest`, with the remedy; what
 * depends on the running system (root, capabilities, sysctls) by the start.
 */
#include "startup.h"

#include "caps.h"
#include "checks.h"
#include "dav_locks.h"
#include "docroot.h"
#include "filters.h"
#include "fs_identity.h"
#include "module.h"
#include "neighbours.h"
#include "privilege.h"
#include "reaper.h"
#include "stack.h"
#include "suexec.h"
#include "survey.h"
#include "tag.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <errno.h>
#include <http_config.h>
#include <http_core.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
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
static const char *system_error(apr_pool_t *p, bool spawns)
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
    /* Without effect here; the drop needs it, and a container can forbid it. */
    if (unshare(CLONE_FS) != 0) {
        return PS_TAG_CONF_UNSHARE
            "unshare(CLONE_FS) is refused, so that a tenant's chdir() "
            "would stay for the next one; let the container's seccomp "
            "profile allow unshare";
    }
    /* Closes nothing; CGI scripts need it. */
    if (spawns && syscall(SYS_close_range, ~0U, ~0U, 0U) != 0) {
        return PS_TAG_CONF_CLOSE_RANGE
            "close_range(2) is refused, so that a CGI script would inherit "
            "httpd's descriptors; it needs Linux 5.9, and a container's "
            "seccomp profile that allows it; or PSCgiSpawn Off";
    }
    if (dumps_are_open(p)) {
        return PS_TAG_CONF_DUMPABLE
            "fs.suid_dumpable is 1, which opens "
            "httpd's memory to every tenant; sysctl fs.suid_dumpable=0 "
            "(or 2)";
    }
    return NULL;
}

/*
 * What is known of a host when all has been read. httpd shares a record
 * between hosts that say nothing; each gets its own.
 */
static bool complete_hosts(apr_pool_t *p, server_rec *first)
{
    bool right = true;

    for (server_rec *s = first; s; s = s->next) {
        struct ps_host_settings *host =
            apr_pmemdup(p, ps_host_of(s), sizeof(*host));
        const char *wrong;

        host->covers = ps_survey_host(s).covers;
        wrong = host->tenancy == PS_TENANCY_SUEXEC ? ps_suexec_name(p, s, host)
                                                   : NULL;
        if (wrong) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                         PS_TAG_CONF_TENANT "SuexecUserGroup: %s", wrong);
            right = false;
        }
        ap_set_module_config(s->module_config, &process_security_module, host);
    }
    return right;
}

/* Whether any host may start CGI scripts. */
static bool spawns(server_rec *first)
{
    for (server_rec *s = first; s; s = s->next) {
        if (ps_host_of(s)->covers
            && ps_dir_effective(ps_dir_of(s->lookup_defaults)).cgi_spawn
                   == PS_ON) {
            return true;
        }
    }
    return false;
}

int ps_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                    server_rec *s)
{
    const char *wrong = NULL;
    bool complete = complete_hosts(pconf, s);

    (void)plog;
    if (!is_real_start()) {
        ps_check_warnings(ptemp, s);
        ps_check_dav_locks(ptemp, s);
    }
    /* configtest by an ordinary user cannot know what root's start would. */
    if ((is_real_start() || geteuid() == 0) && ps_survey_any_covers(s)) {
        wrong = system_error(ptemp, spawns(s));
    }
    if (wrong) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "%s", wrong);
    }
    return ps_check_errors(ptemp, s) && complete && !wrong
               ? OK
               : HTTP_INTERNAL_SERVER_ERROR;
}

int ps_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                   server_rec *s)
{
    (void)plog;
    if (!ps_is_rehearsal()) {
        ps_check_warnings(ptemp, s);
    }
    active = ps_survey_any_covers(s);
    if (active) {
        ps_suexec_take_over(pconf);
        ps_docroot_learn();
        ps_neighbours_learn();
        ps_filters_learn();
    }
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
    struct ps_stack ignored;

    (void)pchild;
    if (!active) {
        return DECLINED;
    }
    /* Asks for the main thread's bounds while /proc is there: ChrootDir. */
    ps_stack_below(&ignored);
    return child_result(s, ps_keep_capabilities(&ps_kernel));
}

int ps_after_unixd(apr_pool_t *pchild, server_rec *s)
{
    struct ps_outcome outcome;

    (void)pchild;
    if (!active) {
        return DECLINED;
    }
    outcome = ps_narrow(&ps_kernel);
    if (outcome.step == PS_STEP_NONE
        && !ps_fs_remember_server(ap_unixd_config.user_id,
                                  ap_unixd_config.group_id)) {
        outcome = (struct ps_outcome){PS_STEP_READ_GROUPS, errno};
    }
    return child_result(s, outcome);
}

void ps_child_init(apr_pool_t *pchild, server_rec *s)
{
    int err = active ? ps_reaper_start(pchild) : 0;

    if (err != 0) {
        ap_log_error(APLOG_MARK, APLOG_ALERT, err, s,
                     PS_TAG_CHILD "a child cannot start: no thread that waits "
                                  "for scripts");
        exit(APEXIT_CHILDSICK);
    }
}
