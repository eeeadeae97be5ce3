/*
 * request - a request's way through the module
 */
#include "request.h"

#include "cgi.h"
#include "content.h"
#include "filters.h"
#include "fs_identity.h"
#include "matter.h"
#include "module.h"
#include "neighbours.h"
#include "record.h"
#include "refusal.h"
#include "startup.h"
#include "tag.h"
#include "tenancy.h"
#include "tenant_thread.h"
#include "way.h"

#include <http_config.h>
#include <http_protocol.h>

/* The threads that this part has to do with: httpd's own. */
static bool is_ours(void)
{
    return ps_is_active() && !ps_in_tenant_thread();
}

/* A connection's note: the thread that begins it goes on with it at once. */
static char begun;

int ps_begin_connection(conn_rec *c, void *csd)
{
    (void)csd;
    if (!is_ours()) {
        return DECLINED;
    }
    if (!ps_return_to_server(c)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    ap_set_module_config(c->conn_config, &process_security_module, &begun);
    return OK;
}

int ps_resume_connection(conn_rec *c)
{
    bool just_begun =
        ap_get_module_config(c->conn_config, &process_security_module);

    ap_set_module_config(c->conn_config, &process_security_module, NULL);
    if (is_ours() && c->keepalives == 0 && !just_begun
        && !ps_return_to_server(c)) {
        c->aborted = 1;
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return DECLINED;
}

void ps_before_reading(request_rec *r, conn_rec *c)
{
    (void)r;
    if (is_ours() && ps_is_tls(c)) {
        ps_act_as_server(c);
    }
}

int ps_end_connection(conn_rec *c)
{
    if (is_ours()) {
        ps_return_to_server(c);
    }
    return DECLINED;
}

int ps_take_request(request_rec *r)
{
    if (!is_ours()) {
        return DECLINED;
    }
    /* An internal redirect brings filters along, to anybody's folder. */
    if (r->prev) {
        ps_remove_filters(r);
    }
    /* A subrequest that is redirected stays inside of its parent's handler. */
    if (r->main) {
        return DECLINED;
    }
    ps_settle(r);
    return ps_act_as(r, ps_tenant_of(r)) ? DECLINED
                                         : HTTP_INTERNAL_SERVER_ERROR;
}

int ps_refuse_request(request_rec *r)
{
    int refused;

    if (!is_ours() || r->main) {
        return DECLINED;
    }
    refused = ps_record_of(r)->refused;
    return refused == OK ? DECLINED : refused;
}

int ps_take_request_again(request_rec *r)
{
    int refused;

    if (!is_ours() || r->main || !ps_settle_again(r)) {
        return DECLINED;
    }
    refused = ps_record_of(r)->refused;
    if (!ps_act_as(r, ps_tenant_of(r))) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return refused == OK ? DECLINED : refused;
}

int ps_look_at_subrequest(request_rec *r)
{
    if (is_ours() && r->main && !ps_tenant_of(r)) {
        ps_note_htaccess(r);
    }
    return DECLINED;
}

/*
 * What is not there stays 404, and is no event: nothing could be served. A
 * method that could create it is refused, as for a file.
 */
static int refuse(const struct ps_matter *m, const struct ps_verdict *v)
{
    bool missing = !m->facts.exists && !m->facts.creates;

    ps_log_refusal(m->r, missing ? APLOG_INFO : APLOG_ERR, m->r->filename, v,
                   &m->facts, &m->rules);
    return ps_turn_away(m->r, missing ? HTTP_NOT_FOUND : HTTP_FORBIDDEN);
}

/*
 * mod_cgid runs scripts from a daemon of its own, as the server's user.
 * Configurations that lead there are refused at start; a tenant's .htaccess
 * can still say SetHandler.
 */
static bool reaches_cgid(request_rec *r)
{
    if (!r->handler || !ps_is_cgi(r->handler) || ps_cgi_is_ours(r)
        || !ap_find_linked_module("mod_cgid.c")) {
        return false;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  PS_TAG_CGID "%s: not run: mod_cgid would run it as the "
                              "server's user; PSCgiSpawn On, or load mod_cgi "
                              "instead",
                  r->filename);
    return true;
}

/* The one place that chooses a way. */
static int run(struct ps_matter *m, const struct ps_verdict *v)
{
    struct ps_plan plan = {
        .who = {.uid = v->uid, .gid = v->gid},
        .verify = !m->facts.pinned && m->facts.exists,
        .keep_open = m->dir.keep_open_file == PS_ON && m->facts.exists,
    };

    if (m->facts.pinned) {
        plan.who = *m->tenant;
    }
    if (plan.verify) {
        plan.file = m->path.end;
    }
    if (m->facts.reads_only) {
        return ps_way_in_place(m->r, &plan);
    }
    /* A filter that runs code of its own must do so as the tenant. */
    if (ps_cgi_is_ours(m->r) && ps_filters_are_harmless(m->r)) {
        return ps_way_spawn(m->r, &plan);
    }
    return ps_way_thread(m->r, &plan);
}

static int decide_and_run(struct ps_matter *m)
{
    struct ps_verdict v;
    int status;

    if (reaches_cgid(m->r)) {
        return ps_turn_away(m->r, HTTP_INTERNAL_SERVER_ERROR);
    }
    status = ps_gather(m);
    if (status != OK) {
        return status;
    }
    v = ps_decide(&m->facts, &m->rules);
    status = v.action == PS_REFUSE ? OK : ps_check_htaccess(m);
    if (status == OK && v.action == PS_RUN) {
        status = ps_check_page(m);
    }
    if (status != OK) {
        return status;
    }
    switch (v.action) {
    case PS_LEAVE:
        return ps_leave_to_server(m->r);
    case PS_RUN:
        return run(m, &v);
    case PS_REFUSE:
        break;
    }
    return refuse(m, &v);
}

int ps_handle_request(request_rec *r)
{
    struct ps_matter m;

    /* From inside of a tenant's thread, too: a subrequest of mod_include's. */
    if (ps_in_tenant_thread()) {
        return ps_cgi_is_ours(r) ? ps_cgi_run(r, ps_thread_tenant(), NULL)
               : reaches_cgid(r) ? HTTP_INTERNAL_SERVER_ERROR
                                 : DECLINED;
    }
    if (!ps_is_active() || ps_record_of(r)->stage != PS_STAGE_NEW) {
        return DECLINED;
    }
    if (ps_record_of(ps_outermost(r))->refused != OK) {
        return ps_turn_away(r, HTTP_FORBIDDEN); /* translate_name said so */
    }
    if (!ps_matter_of(&m, r)) {
        return ps_leave_to_server(r);
    }
    if (ps_never_covered(r)) {
        ps_remove_filters(r); /* the answer can be a tenant's words */
        return ps_leave_to_server(r);
    }
    return decide_and_run(&m);
}

int ps_handle_unwanted(request_rec *r)
{
    struct ps_matter m;

    if (!is_ours() || ps_record_of(r)->stage == PS_STAGE_DECIDED
        || !ps_matter_of(&m, r) || !ps_never_covered(r) || !ps_exists(r)) {
        return DECLINED;
    }
    return decide_and_run(&m);
}

void ps_filter_error(request_rec *r)
{
    struct ps_dir_settings dir;

    if (!is_ours()) {
        return;
    }
    dir = ps_dir_effective(ps_dir_of(r->per_dir_config));
    if (ps_dir_covers(&dir)) {
        ps_remove_filters(r);
    }
}
