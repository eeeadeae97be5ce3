/*
 * dav_locks - lock databases of mod_dav that a tenant cannot open
 *
 * What mod_dav_fs has read is its own; so this reads the tree of directives.
 */
#include "dav_locks.h"

#include "caps.h"
#include "module.h"
#include "survey.h"
#include "tag.h"
#include "tenant_thread.h"

#include <apr_dbm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <stdbool.h>
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

struct look
{
    const char *file;   /* of the database */
    const char *folder; /* that it stands, or would be made, in */
    bool can_open;
};

/* Runs as the tenant. */
static void look(void *data)
{
    struct look *l = data;

    l->can_open = access(l->file, F_OK) == 0
                      ? access(l->file, R_OK | W_OK) == 0
                      : access(l->folder, W_OK | X_OK) == 0;
}

static bool can_open(apr_pool_t *p, const char *path,
                     const struct ps_identity *tenant)
{
    struct look l = {.folder = ap_make_dirstr_parent(p, path)};
    const char *second;
    struct ps_errand_result result;

    apr_dbm_get_usednames(p, path, &l.file, &second);
    result = ps_run_as(tenant, look, &l);
    return !result.done || l.can_open;
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
