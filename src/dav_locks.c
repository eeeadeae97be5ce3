/*
 * dav_locks - lock databases of mod_dav that a tenant cannot open
 *
 * What mod_dav_fs has read is its own; so this reads the tree of directives.
 */
#include "dav_locks.h"

#include "caps.h"
#include "module.h"
#include "privilege.h"
#include "survey.h"
#include "tag.h"

#include <apr_dbm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>
#include <util_cfgtree.h>

/* What a host's part of the tree says of mod_dav. */
struct said
{
    const char *path; /* DavLockDB; NULL: nothing */
    bool on;          /* Dav On, or a repository's name, somewhere */
};

static bool is_host(const ap_directive_t *d)
{
    return strcasecmp(d->directive, "<VirtualHost") == 0;
}

static void read_tree(apr_pool_t *p, const ap_directive_t *d, struct said *out)
{
    for (; d; d = d->next) {
        if (strcasecmp(d->directive, "DavLockDB") == 0) {
            const char *args = d->args;

            out->path = ap_server_root_relative(p, ap_getword_conf(p, &args));
        }
        else if (strcasecmp(d->directive, "Dav") == 0) {
            out->on |= strcasecmp(d->args, "Off") != 0;
        }
        else if (!is_host(d)) {
            read_tree(p, d->first_child, out);
        }
    }
}

/* The <VirtualHost> that `s` was read from. */
static const ap_directive_t *find_host(const ap_directive_t *d,
                                       const server_rec *s)
{
    const ap_directive_t *found = NULL;

    for (; d && !found; d = d->next) {
        if (is_host(d) && s->defn_name
            && d->line_num == (int)s->defn_line_number
            && strcmp(d->filename, s->defn_name) == 0) {
            return d;
        }
        found = find_host(d->first_child, s);
    }
    return found;
}

/* How long a tenant's file system may take to answer, in 10 ms. */
#define PATIENCE 200

/* Runs in a process of its own, and ends it: 0 where the tenant can open it. */
static void look(const char *file, const char *folder,
                 const struct ps_identity *tenant)
{
    bool can = true; /* where nobody can tell, nothing is said */

    if (ps_drop(&ps_kernel, tenant).step == PS_STEP_NONE) {
        can = access(file, F_OK) == 0 ? access(file, R_OK | W_OK) == 0
                                      : access(folder, W_OK | X_OK) == 0;
    }
    _exit(can ? 0 : 1);
}

/*
 * In a child: as the tenant it can be killed by the tenant, and its folders
 * can be on a file system that never answers.
 */
static bool can_open(apr_pool_t *p, const char *path,
                     const struct ps_identity *tenant)
{
    const char *folder = ap_make_dirstr_parent(p, path);
    const char *file;
    const char *second;
    int status = 0;
    pid_t child;

    apr_dbm_get_usednames(p, path, &file, &second);
    child = fork();
    if (child == 0) {
        look(file, folder, tenant);
    }
    for (int i = 0; child > 0 && waitpid(child, &status, WNOHANG) == 0; i++) {
        if (i == PATIENCE) {
            kill(child, SIGKILL);
            return true;
        }
        apr_sleep(apr_time_from_msec(10));
    }
    return !WIFEXITED(status) || WEXITSTATUS(status) == 0;
}

void ps_check_dav_locks(apr_pool_t *p, server_rec *first)
{
    struct said everywhere = {NULL};
    unsigned hosts = 0;
    server_rec *at = NULL;
    const char *path = NULL;

    if (geteuid() != 0 || !ps_may_switch()
        || !ap_find_linked_module("mod_dav_fs.c")) {
        return;
    }
    read_tree(p, ap_conftree, &everywhere);
    for (server_rec *s = first; s; s = s->next) {
        const struct ps_host_settings *host = ps_host_of(s);
        const ap_directive_t *place =
            s->is_virtual ? find_host(ap_conftree, s) : NULL;
        struct said said = everywhere;

        if (place) {
            read_tree(p, place->first_child, &said);
        }
        if (host->covers && host->named && said.on && said.path
            && !can_open(p, said.path, &host->tenant) && hosts++ == 0) {
            at = s;
            path = said.path;
        }
    }
    if (hosts > 0) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, at,
            PS_TAG_WARN_DAV_LOCKS
            "%s%s: DavLockDB %s: the host's tenant cannot open it, "
            "so that LOCK fails; give the host one of its own in the "
            "tenant's home",
            ps_host_name(p, at),
            hosts > 1 ? apr_psprintf(p, " and %u more hosts", hosts - 1) : "",
            path);
    }
}
