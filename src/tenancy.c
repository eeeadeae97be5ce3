/*
 * tenancy - which tenant a whole request belongs to
 */
#include "tenancy.h"

#include "docroot.h"
#include "fs_identity.h"
#include "module.h"
#include "path.h"
#include "record.h"
#include "refusal.h"
#include "suexec.h"
#include "tag.h"

#include <errno.h>

static struct ps_rules rules_of(const request_rec *r,
                                const struct ps_host_settings *host)
{
    struct ps_dir_settings dir =
        ps_dir_effective(ps_dir_of(r->server->lookup_defaults));

    return (struct ps_rules){
        .min_uid = host->min_uid,
        .min_gid = host->min_gid,
        .root_enable = host->root_enable == PS_ON,
        .trusted_path = dir.trusted_path == PS_ON,
    };
}

/* The identity of a verdict, in the request's record; or its refusal. */
static void note(request_rec *r, const struct ps_verdict *v)
{
    struct ps_record *record = ps_record_of(r);
    struct ps_identity *tenant;

    record->tenant = NULL;
    record->refused = HTTP_FORBIDDEN;
    if (v->action == PS_RUN) {
        tenant = apr_pcalloc(r->pool, sizeof(*tenant));
        tenant->uid = v->uid;
        tenant->gid = v->gid;
        record->tenant = tenant;
        record->refused = OK;
    }
}

static void unseen(request_rec *r, const char *root, int err)
{
    struct ps_record *record = ps_record_of(r);
    bool missing = err == ENOENT || err == ENOTDIR || err == ENAMETOOLONG;

    /* A name that nobody has a site for is no event. */
    ap_log_rerror(APLOG_MARK, missing ? APLOG_INFO : APLOG_ERR, err, r,
                  PS_TAG_UNSEEN "%s: refused: the document root cannot be "
                                "looked at",
                  root);
    record->tenant = NULL;
    record->refused = missing ? HTTP_NOT_FOUND : HTTP_FORBIDDEN;
}

/*
 * What stands at a path is the same whoever looks, but not who can look: on a
 * connection that stays with its tenant, the tenant can.
 */
static int walk(request_rec *r, const char *root, struct ps_path *path)
{
    int err = ps_walk(root, path);

    if (err != 0 && ps_act_as(r, NULL)) {
        err = ps_walk(root, path);
    }
    return err == 0 && !S_ISDIR(path->end.st_mode) ? ENOTDIR : err;
}

static void settle_docroot(request_rec *r, const struct ps_host_settings *host,
                           const char *root)
{
    struct ps_rules rules = rules_of(r, host);
    struct ps_path path;
    struct ps_facts facts;
    struct ps_verdict v;
    int err = walk(r, root, &path);

    ps_record_of(r)->docroot = root;
    if (err != 0) {
        unseen(r, root, err);
        return;
    }
    facts = (struct ps_facts){
        .exists = true,
        .owner = path.end.st_uid,
        .group = path.end.st_gid,
        .path = path.component,
        .path_length = path.length,
    };
    v = ps_decide_docroot(&facts, &rules);
    note(r, &v);
    if (v.action == PS_REFUSE) {
        ps_log_refusal(r, APLOG_ERR, root, &v, &facts, &rules);
    }
}

/* Whom mod_userdir names; PSUserGroup suexec's other source is the host's. */
static void settle_userdir(request_rec *r, const struct ps_host_settings *host,
                           const ap_unix_identity_t *user)
{
    struct ps_facts facts = {.pinned = true};
    struct ps_rules rules = rules_of(r, host);
    struct ps_verdict v;

    rules.pinned_uid = user->uid;
    rules.pinned_gid = user->gid;
    v = ps_decide(&facts, &rules);
    note(r, &v);
    if (v.action == PS_REFUSE) {
        ps_log_refusal(r, APLOG_ERR, r->uri, &v, &facts, &rules);
    }
}

void ps_settle(request_rec *r)
{
    const struct ps_host_settings *said = ps_host_of(r->server);
    struct ps_host_settings host;

    if (!said->covers) {
        return;
    }
    if (said->named) {
        ps_record_of(r)->tenant = &said->tenant;
        return;
    }
    host = ps_host_effective(said);
    if (host.tenancy == PS_TENANCY_DOCROOT) {
        settle_docroot(r, &host, ps_docroot_of(r));
    }
}

bool ps_settle_again(request_rec *r)
{
    struct ps_host_settings host = ps_host_effective(ps_host_of(r->server));
    const ap_unix_identity_t *user;
    const char *root, *before;

    if (!host.covers) {
        return false;
    }
    if (host.tenancy == PS_TENANCY_SUEXEC) {
        user = ps_suexec_identity(r);
        if (user && user->userdir) {
            settle_userdir(r, &host, user);
            return true;
        }
    }
    if (host.tenancy == PS_TENANCY_DOCROOT) {
        root = ps_docroot_of(r);
        before = ps_record_of(r)->docroot;
        if (!before || strcmp(root, before) != 0) {
            settle_docroot(r, &host, root);
            return true;
        }
    }
    return false;
}
