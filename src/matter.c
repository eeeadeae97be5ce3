/*
 * matter - a covered request, and all that its decision needs
 */
#include "matter.h"

#include "content.h"
#include "filters.h"
#include "fs_identity.h"
#include "module.h"
#include "record.h"
#include "suexec.h"
#include "tag.h"

#include <apr_strings.h>
#include <errno.h>
#include <http_config.h>
#include <http_core.h>

/* 403, 404 or 500, without a word to the client why. */
int ps_turn_away(request_rec *r, int status)
{
    ps_reset_filters(r);
    return status;
}

/* One that never creates a file; HEAD counts as GET. */
static bool is_plain_method(const request_rec *r)
{
    return r->method_number == M_GET || r->method_number == M_POST
           || r->method_number == M_OPTIONS;
}

static void fill_rules(struct ps_matter *m)
{
    m->rules = (struct ps_rules){
        .pinned_uid = m->tenant ? m->tenant->uid : 0,
        .pinned_gid = m->tenant ? m->tenant->gid : 0,
        .min_uid = m->host.min_uid,
        .min_gid = m->host.min_gid,
        .has_default = m->host.default_set,
        .default_uid = m->host.default_tenant.uid,
        .default_gid = m->host.default_tenant.gid,
        .root_enable = m->host.root_enable == PS_ON,
        .check_suexec = m->dir.check_suexec == PS_ON,
        .trusted_path = m->dir.trusted_path == PS_ON,
    };
}

static void fill_suexec(struct ps_matter *m)
{
    const ap_unix_identity_t *id =
        m->rules.check_suexec ? ps_suexec_identity(m->r) : NULL;

    if (id) {
        m->facts.suexec_known = true;
        m->facts.suexec_uid = id->uid;
        m->facts.suexec_gid = id->gid;
    }
}

/* httpd looked at the file before; in between it may have been exchanged. */
static bool is_what_httpd_saw(const request_rec *r, const struct stat *st)
{
    return !(r->finfo.valid & APR_FINFO_IDENT)
           || (r->finfo.inode == st->st_ino && r->finfo.device == st->st_dev);
}

/* Whether others than uid, gid and root can put a .htaccess there. */
static bool is_strangers(const char *dir, uid_t uid, gid_t gid)
{
    struct ps_component c;
    struct stat st;

    if (stat(dir, &st) != 0) {
        return true;
    }
    c = (struct ps_component){
        .uid = st.st_uid, .gid = st.st_gid, .mode = st.st_mode};
    return ps_judge_folder(&c, uid, gid) != PS_TRUSTED;
}

/* Of those that httpd remembers, one that the request's path leads through. */
static bool is_above(const char *dir, const char *filename)
{
    return strncmp(dir, filename, strlen(dir)) == 0;
}

/*
 * A folder whose .htaccess took effect, though it is neither the target's nor
 * root's: it could set the environment of a program that runs as the target.
 * (In a sticky folder on the way, too, anybody can add one.) NULL: none.
 *
 * httpd keeps a list of those that it found for this request; an internal
 * redirect goes on with the list, but not with what they said. What its
 * lookups found is noted: DirectoryIndex and others put a lookup in the
 * request's place.
 */
static const char *strangers_htaccess(request_rec *r, uid_t uid, gid_t gid)
{
    const apr_array_header_t *noted = ps_record_of(r)->lookups;
    const struct htaccess_result *told = r->prev ? r->prev->htaccess : NULL;
    bool own = true;

    for (const struct htaccess_result *h = r->htaccess; h; h = h->next) {
        own = own && h != told;
        if (h->htaccess && (own || is_above(h->dir, r->filename))
            && is_strangers(h->dir, uid, gid)) {
            return h->dir;
        }
    }
    for (int i = 0; noted && i < noted->nelts; i++) {
        const char *dir = APR_ARRAY_IDX(noted, i, const char *);

        if (is_strangers(dir, uid, gid)) {
            return dir;
        }
    }
    return NULL;
}

static int unseen(request_rec *r, int err)
{
    if (err == ENOENT || err == ENOTDIR) {
        return ps_turn_away(r, HTTP_NOT_FOUND); /* gone since httpd looked */
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, err, r,
                  PS_TAG_UNSEEN "%s: refused: the path cannot be looked at",
                  r->filename);
    return ps_turn_away(r, HTTP_FORBIDDEN);
}

/* Whether root alone can have had a say in this request's configuration. */
static bool is_operators(const struct ps_matter *m)
{
    size_t bad;

    return ps_judge_path(m->path.component, m->path.length, 0, 0, &bad)
               == PS_TRUSTED
           && !strangers_htaccess(m->r, 0, 0);
}

/* The file, or the folder that it would stand in; OK or a status. */
static int look_at_path(struct ps_matter *m)
{
    request_rec *r = m->r;
    const char *path = m->facts.exists
                           ? r->filename
                           : ap_make_dirstr_parent(r->pool, r->filename);
    int err = ps_walk(path, &m->path);

    if (err != 0) {
        return unseen(r, err);
    }
    if (m->facts.exists && !is_what_httpd_saw(r, &m->path.end)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      PS_TAG_CHANGED "%s: refused: it is not the file that "
                                     "httpd found any more",
                      r->filename);
        return ps_turn_away(r, HTTP_FORBIDDEN);
    }
    m->facts.owner = m->path.end.st_uid;
    m->facts.group = m->path.end.st_gid;
    m->facts.path = m->path.component;
    m->facts.path_length = m->path.length;
    m->facts.reads_only = ps_reads_only(r, is_operators(m));
    return OK;
}

/* Whom to trust is the owner, as in the path rule. */
int ps_check_htaccess(struct ps_matter *m)
{
    uid_t uid = m->facts.owner;
    gid_t gid = uid == 0 ? 0 : m->facts.group;
    const char *dir = !m->facts.pinned && m->rules.trusted_path
                          ? strangers_htaccess(m->r, uid, gid)
                          : NULL;

    if (!dir) {
        return OK;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, m->r,
                  PS_TAG_HTACCESS "%s: refused: others than uid %u, gid %u can "
                                  "write %s, whose .htaccess took effect; "
                                  "AllowOverride None there",
                  m->r->filename, uid, gid, dir);
    return ps_turn_away(m->r, HTTP_FORBIDDEN);
}

/*
 * By the path rule, as the page can be exchanged after it was read. NULL: none
 * of the pages that led here is anybody else's.
 */
static const char *strangers_page(struct ps_matter *m)
{
    struct ps_path *path = apr_palloc(m->r->pool, sizeof(*path));
    size_t bad;

    for (request_rec *page = m->r->main; page; page = page->main) {
        if (ps_walk(page->filename, path) != 0
            || ps_judge_path(path->component, path->length, m->facts.owner,
                             m->facts.group, &bad)
                   != PS_TRUSTED) {
            return page->filename;
        }
    }
    return NULL;
}

int ps_check_page(struct ps_matter *m)
{
    const char *page =
        !m->facts.pinned && !m->facts.reads_only && m->rules.trusted_path
            ? strangers_page(m)
            : NULL;

    if (!page) {
        return OK;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, m->r,
                  PS_TAG_PAGE "%s: refused: others than uid %u, gid %u can "
                              "change %s, which includes it",
                  m->r->filename, m->facts.owner, m->facts.group, page);
    return ps_turn_away(m->r, HTTP_FORBIDDEN);
}

void ps_note_htaccess(request_rec *sub)
{
    request_rec *r = ps_outermost(sub);
    struct ps_record *record = ps_record_of(r);

    for (const struct htaccess_result *h = sub->htaccess; h != r->htaccess && h;
         h = h->next) {
        if (h->htaccess) {
            if (!record->lookups) {
                record->lookups = apr_array_make(r->pool, 4, sizeof(char *));
            }
            APR_ARRAY_PUSH(record->lookups, const char *) =
                apr_pstrdup(r->pool, h->dir);
        }
    }
}

bool ps_matter_of(struct ps_matter *m, request_rec *r)
{
    struct ps_content what;

    m->r = r;
    m->dir = ps_dir_effective(ps_dir_of(r->per_dir_config));
    if (!ps_dir_covers(&m->dir) || !r->filename) {
        return false;
    }
    m->host = ps_host_effective(ps_host_of(r->server));
    m->tenant = ps_tenant_of(r);
    what = ps_content_of(r, m->dir.ignored != NULL);
    return ps_covers(&m->dir, &what);
}

/*
 * The path is looked at as the server. A subrequest changes nothing for its
 * parent; and none that acts as a tenant starts one (see way_in_place.c).
 */
static bool is_servers(request_rec *r)
{
    if (!r->main) {
        return ps_act_as(r, NULL);
    }
    if (ps_acts_as(NULL)) {
        return true;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  PS_TAG_IDENTITY "%s: not served: a subrequest, in a thread "
                                  "that does not have the server's identity",
                  r->uri);
    return false;
}

int ps_gather(struct ps_matter *m)
{
    m->facts = (struct ps_facts){
        .pinned = m->tenant != NULL,
        .exists = ps_exists(m->r),
        .creates = !is_plain_method(m->r),
    };
    fill_rules(m);
    fill_suexec(m);
    if (!m->facts.pinned) {
        if (!is_servers(m->r)) {
            return ps_turn_away(m->r, HTTP_INTERNAL_SERVER_ERROR);
        }
        return look_at_path(m);
    }
    m->facts.owner = m->r->finfo.user;
    m->facts.group = m->r->finfo.group;
    m->facts.reads_only = ps_reads_only(m->r, false);
    return OK;
}
