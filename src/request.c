/*
 * request - a request's way through the module
 */
#include "request.h"

#include "content.h"
#include "filters.h"
#include "module.h"
#include "path.h"
#include "refusal.h"
#include "startup.h"
#include "suexec.h"
#include "tag.h"
#include "tenant_thread.h"
#include "way.h"

#include <http_config.h>
#include <http_protocol.h>
#include <unixd.h>

/* All that a decision about one request needs. */
struct matter
{
    request_rec *r;
    struct ps_host_settings host;
    struct ps_dir_settings dir;
    struct ps_rules rules;
    struct ps_facts facts;
    struct ps_path path;
};

/* 403 or 500, without a word to the client why. */
static int turn_away(request_rec *r, int status)
{
    ps_reset_filters(r);
    return status;
}

/* The thread must be the server's own; whatever else it is, is a fault. */
static bool thread_is_servers(request_rec *r)
{
    if (ps_thread_acts_as(&ps_kernel, ap_unixd_config.user_id,
                          ap_unixd_config.group_id)) {
        return true;
    }
    ap_log_rerror(APLOG_MARK, APLOG_CRIT, 0, r,
                  PS_TAG_IDENTITY "%s: not served: the thread does not have "
                                  "the server's identity",
                  r->uri);
    return false;
}

int ps_take_request(request_rec *r)
{
    if (!ps_is_active() || ps_in_tenant_thread()) {
        return DECLINED;
    }
    /* An internal redirect brings filters along, to anybody's folder. */
    if (r->prev) {
        ps_remove_filters(r);
    }
    return thread_is_servers(r) ? DECLINED : HTTP_INTERNAL_SERVER_ERROR;
}

/* One that never creates a file; HEAD counts as GET. */
static bool is_plain_method(const request_rec *r)
{
    return r->method_number == M_GET || r->method_number == M_POST
           || r->method_number == M_OPTIONS;
}

/*
 * What is not there stays 404, and is no event: nothing could be served. A
 * method that could create it is refused, as for a file.
 */
static int refuse(const struct matter *m, const struct ps_verdict *v)
{
    bool missing = !m->facts.exists && !m->facts.creates;

    ps_log_refusal(m->r, missing ? APLOG_INFO : APLOG_ERR, v, &m->facts,
                   &m->rules);
    return turn_away(m->r, missing ? HTTP_NOT_FOUND : HTTP_FORBIDDEN);
}

static void fill_rules(struct matter *m)
{
    m->rules = (struct ps_rules){
        .pinned_uid = m->host.tenant.uid,
        .pinned_gid = m->host.tenant.gid,
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

static void fill_suexec(struct matter *m)
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

/*
 * In a sticky folder the entries are safe, but anybody can add a .htaccess,
 * which holds for every folder below. httpd keeps a list of those that it
 * found for this request.
 */
static const char *anybodys_htaccess(const request_rec *r)
{
    for (const struct htaccess_result *h = r->htaccess; h; h = h->next) {
        struct stat st;

        if (h->htaccess && (stat(h->dir, &st) != 0 || (st.st_mode & S_IWOTH))) {
            return h->dir;
        }
    }
    return NULL;
}

static int unseen(request_rec *r, int err)
{
    if (err == ENOENT || err == ENOTDIR) {
        return turn_away(r, HTTP_NOT_FOUND); /* gone since httpd looked */
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, err, r,
                  PS_TAG_UNSEEN "%s: refused: the path cannot be looked at",
                  r->filename);
    return turn_away(r, HTTP_FORBIDDEN);
}

/* Whether root alone can have had a say in this request's configuration. */
static bool is_operators(const struct matter *m)
{
    size_t bad;

    return ps_judge_path(m->path.component, m->path.length, 0, 0, &bad)
               == PS_TRUSTED
           && !anybodys_htaccess(m->r);
}

/* The file, or the folder that it would stand in; OK or a status. */
static int look_at_path(struct matter *m)
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
        return turn_away(r, HTTP_FORBIDDEN);
    }
    m->facts.owner = m->path.end.st_uid;
    m->facts.group = m->path.end.st_gid;
    m->facts.path = m->path.component;
    m->facts.path_length = m->path.length;
    m->facts.reads_only = ps_reads_only(r, is_operators(m));
    return OK;
}

static int check_htaccess(struct matter *m)
{
    const char *dir = m->rules.trusted_path ? anybodys_htaccess(m->r) : NULL;

    if (!dir) {
        return OK;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, m->r,
                  PS_TAG_HTACCESS "%s: refused: others can write %s, whose "
                                  ".htaccess took effect; AllowOverride None "
                                  "there",
                  m->r->filename, dir);
    return turn_away(m->r, HTTP_FORBIDDEN);
}

static int gather(struct matter *m)
{
    int status;

    m->facts = (struct ps_facts){
        .pinned = m->host.tenancy == PS_TENANCY_PINNED,
        .exists = ps_exists(m->r),
        .creates = !is_plain_method(m->r),
    };
    fill_rules(m);
    fill_suexec(m);
    if (!m->facts.pinned) {
        status = check_htaccess(m);
        return status == OK ? look_at_path(m) : status;
    }
    m->facts.owner = m->r->finfo.user;
    m->facts.group = m->r->finfo.group;
    m->facts.reads_only = ps_reads_only(m->r, false);
    return OK;
}

/*
 * mod_cgid runs scripts from a daemon of its own, as the server's user.
 * Configurations that lead there are refused at start; a tenant's .htaccess
 * can still say SetHandler.
 */
static bool reaches_cgid(request_rec *r)
{
    if (!r->handler || !ps_is_cgi(r->handler)
        || !ap_find_linked_module("mod_cgid.c")) {
        return false;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  PS_TAG_CGID "%s: not run: mod_cgid would run it as the "
                              "server's user; load mod_cgi instead",
                  r->filename);
    return true;
}

static int run(struct matter *m, const struct ps_verdict *v)
{
    struct ps_plan plan = {
        .who = {.uid = v->uid, .gid = v->gid},
        .verify = !m->facts.pinned && m->facts.exists,
        .keep_open = m->dir.keep_open_file == PS_ON && m->facts.exists,
        .reads_only = m->facts.reads_only,
    };

    if (m->facts.pinned) {
        plan.who = m->host.tenant;
    }
    if (plan.verify) {
        plan.file = m->path.end;
    }
    return ps_way_thread(m->r, &plan);
}

static int decide_and_run(struct matter *m)
{
    struct ps_verdict v;
    int status;

    if (!thread_is_servers(m->r) || reaches_cgid(m->r)) {
        return turn_away(m->r, HTTP_INTERNAL_SERVER_ERROR);
    }
    status = gather(m);
    if (status != OK) {
        return status;
    }
    v = ps_decide(&m->facts, &m->rules);
    switch (v.action) {
    case PS_LEAVE:
        return DECLINED;
    case PS_RUN:
        return run(m, &v);
    case PS_REFUSE:
        break;
    }
    return refuse(m, &v);
}

static bool is_covered(struct matter *m, request_rec *r)
{
    struct ps_content what;

    if (!ps_is_active() || ps_in_tenant_thread()) {
        return false;
    }
    m->r = r;
    m->dir = ps_dir_effective(ps_dir_of(r->per_dir_config));
    if (!ps_dir_covers(&m->dir)) {
        return false;
    }
    m->host = ps_host_effective(ps_host_of(r->server));
    if (!r->filename) {
        return false;
    }
    what = ps_content_of(r, m->dir.ignored != NULL);
    return ps_covers(&m->dir, &what);
}

int ps_handle_request(request_rec *r)
{
    struct matter m;

    /* From inside of a tenant's thread, too: a subrequest of mod_include's. */
    if (ps_in_tenant_thread()) {
        return reaches_cgid(r) ? HTTP_INTERNAL_SERVER_ERROR : DECLINED;
    }
    if (!is_covered(&m, r)) {
        return DECLINED;
    }
    if (ps_never_covered(r)) {
        ps_remove_filters(r); /* the answer can be a tenant's words */
        return DECLINED;
    }
    return decide_and_run(&m);
}

int ps_handle_unwanted(request_rec *r)
{
    struct matter m;

    if (!is_covered(&m, r) || !ps_never_covered(r) || !ps_exists(r)) {
        return DECLINED;
    }
    return decide_and_run(&m);
}

void ps_filter_error(request_rec *r)
{
    struct ps_dir_settings dir;

    if (!ps_is_active() || ps_in_tenant_thread()) {
        return;
    }
    dir = ps_dir_effective(ps_dir_of(r->per_dir_config));
    if (ps_dir_covers(&dir)) {
        ps_remove_filters(r);
    }
}
