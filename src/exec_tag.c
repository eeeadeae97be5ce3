/*
 * exec_tag - mod_include's #exec, in pages that are a tenant's
 */
#include "exec_tag.h"

#include "cgi.h"
#include "script_copy.h"
#include "tag.h"
#include "tenant_thread.h"

#include <apr_optional.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_include.h>
#include <stdbool.h>
#include <util_script.h>

typedef APR_OPTIONAL_FN_TYPE(ap_register_include_handler) register_handler;

/* Constant in a child. NULL: mod_include is not loaded; nobody offers it. */
static register_handler *offer;
static APR_OPTIONAL_FN_TYPE(ap_ssi_get_tag_and_value) * next_argument;
static APR_OPTIONAL_FN_TYPE(ap_ssi_parse_string) * expand;
static include_handler_fn_t *others;

static void listen_in(char *tag, include_handler_fn_t *handler)
{
    if (strcmp(tag, "exec") == 0) {
        others = handler;
    }
    offer(tag, handler);
}

void ps_exec_tag_listen(void)
{
    others = NULL;
    next_argument = APR_RETRIEVE_OPTIONAL_FN(ap_ssi_get_tag_and_value);
    expand = APR_RETRIEVE_OPTIONAL_FN(ap_ssi_parse_string);
    offer = APR_RETRIEVE_OPTIONAL_FN(ap_register_include_handler);
    if (offer) {
        apr_dynamic_fn_register("ap_register_include_handler",
                                (apr_opt_fn_t *)listen_in);
    }
}

/* ---- cmd: a program's output stands in the page ---- */

/* The names that mod_include's users know, besides those of the page. */
static void add_names(request_rec *r)
{
    apr_table_t *names = r->subprocess_env;

    if (r->path_info && r->path_info[0] != '\0') {
        request_rec *there = ap_sub_req_lookup_uri(
            ap_escape_uri(r->pool, r->path_info), r, NULL);

        apr_table_setn(names, "PATH_INFO",
                       ap_escape_shell_cmd(r->pool, r->path_info));
        if (there->filename) {
            apr_table_setn(
                names, "PATH_TRANSLATED",
                apr_pstrcat(r->pool, there->filename, there->path_info, NULL));
        }
        ap_destroy_sub_req(there);
    }
    if (r->args) {
        char *args = apr_pstrdup(r->pool, r->args);

        apr_table_setn(names, "QUERY_STRING", r->args);
        ap_unescape_url(args);
        apr_table_setn(names, "QUERY_STRING_UNESCAPED",
                       ap_escape_shell_cmd(r->pool, args));
    }
}

static apr_status_t run_command(ap_filter_t *f, apr_bucket_brigade *bb,
                                const char *line)
{
    request_rec *r = f->r;
    const char *const argv[] = {"/bin/sh", "-c", line, NULL};
    struct ps_command command = {
        .who = ps_thread_tenant(),
        .path = argv[0],
        .argv = argv,
        .timeout = ps_cgi_timeout(r),
    };
    struct ps_script *script;
    bool pending = false;
    enum ps_read how;

    add_names(r);
    if (ps_script_start(r, &command, &script) != OK) {
        return APR_EGENERAL;
    }
    how = ps_script_copy(script, f->next, bb, &pending);
    ps_script_close(script);
    if (how == PS_READ_TIMEOUT) {
        f->c->keepalive = AP_CONN_CLOSE;
        APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(HTTP_BAD_GATEWAY,
                                                           NULL, r->pool,
                                                           f->c->bucket_alloc));
    }
    return how == PS_READ_GONE ? APR_ECONNABORTED : APR_SUCCESS;
}

/* ---- cgi: the answer of a request for a script ---- */

static apr_status_t run_script(include_ctx_t *ctx, ap_filter_t *f,
                               apr_bucket_brigade *bb, const char *uri)
{
    request_rec *r = f->r;
    request_rec *sub = ap_sub_req_lookup_uri(uri, r, f->next);
    const char *location;

    /* Neither path info nor a query of its own. */
    if (sub->status != HTTP_OK || (sub->path_info && sub->path_info[0])
        || sub->args || sub->finfo.filetype != APR_REG) {
        ap_destroy_sub_req(sub);
        return APR_EGENERAL;
    }
    sub->path_info = r->path_info;
    sub->args = r->args;
    sub->handler = CGI_MAGIC_TYPE;
    location = ap_is_HTTP_REDIRECT(ap_run_sub_req(sub))
                   ? apr_table_get(sub->headers_out, "Location")
                   : NULL;
    if (location) {
        location = ap_escape_html(sub->pool, location);
        location = apr_pstrcat(ctx->pool, "<a href=\"", location, "\">",
                               location, "</a>", NULL);
        APR_BRIGADE_INSERT_TAIL(
            bb, apr_bucket_pool_create(location, strlen(location), ctx->pool,
                                       f->c->bucket_alloc));
    }
    ap_destroy_sub_req(sub);
    return APR_SUCCESS;
}

/* ---- the tag ---- */

static apr_status_t run_argument(include_ctx_t *ctx, ap_filter_t *f,
                                 apr_bucket_brigade *bb, const char *name,
                                 const char *value)
{
    char text[MAX_STRING_LEN];

    if (strcmp(name, "cmd") == 0) {
        expand(ctx, value, text, sizeof(text), SSI_EXPAND_LEAVE_NAME);
        return run_command(f, bb, text);
    }
    if (strcmp(name, "cgi") == 0) {
        expand(ctx, value, text, sizeof(text), SSI_EXPAND_DROP_NAME);
        return run_script(ctx, f, bb, text);
    }
    return APR_EINVAL;
}

static apr_status_t exec_tag(include_ctx_t *ctx, ap_filter_t *f,
                             apr_bucket_brigade *bb)
{
    char *name = NULL;
    char *value = NULL;
    bool right = ctx->argc > 0 && !(ctx->flags & SSI_FLAG_NO_EXEC);

    if (!(ctx->flags & SSI_FLAG_PRINTING)) {
        return APR_SUCCESS;
    }
    if (!right) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, f->r,
                      PS_TAG_NO_EXEC_TAG "%s: #exec %s", f->r->filename,
                      ctx->argc ? "is not allowed here (IncludesNOEXEC)"
                                : "says neither cmd nor cgi");
    }
    while (right) {
        next_argument(ctx, &name, &value, SSI_VALUE_DECODED);
        if (!name || !value) {
            return APR_SUCCESS;
        }
        right = run_argument(ctx, f, bb, name, value) == APR_SUCCESS;
        if (!right) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, f->r,
                          PS_TAG_NO_EXEC_TAG "%s: #exec %s=\"%s\" failed",
                          f->r->filename, name, value);
        }
    }
    SSI_CREATE_ERROR_BUCKET(ctx, f, bb);
    return APR_SUCCESS;
}

static apr_status_t choose(include_ctx_t *ctx, ap_filter_t *f,
                           apr_bucket_brigade *bb)
{
    if (ps_in_tenant_thread() && ps_cgi_spawns(f->r)) {
        return exec_tag(ctx, f, bb);
    }
    if (others) {
        return others(ctx, f, bb);
    }
    if (ctx->flags & SSI_FLAG_PRINTING) {
        SSI_CREATE_ERROR_BUCKET(ctx, f, bb);
    }
    return APR_SUCCESS;
}

void ps_exec_tag_take_over(void)
{
    if (offer && next_argument && expand) {
        offer("exec", choose);
    }
}
