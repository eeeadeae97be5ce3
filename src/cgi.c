/*
 * cgi - a script answers a request, by the rules of CGI/1.1 (RFC 3875)
 */
#include "cgi.h"

#include "content.h"
#include "module.h"
#include "script_copy.h"
#include "tag.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_script.h>

/* httpd before 2.4.59 */
#ifndef AP_TRUST_CGILIKE_CL_ENVVAR
#define AP_TRUST_CGILIKE_CL_ENVVAR "ap_trust_cgilike_cl"
#endif

/* An answer on its way: what is read, and not sent yet. */
struct answer
{
    request_rec *r;
    struct ps_script *script;
    apr_bucket_brigade *bb;
    char *data; /* of the header lines: read, and not all used; NULL: none */
    size_t length, used;
    size_t before; /* so many bytes of header lines were read before those */
};

bool ps_cgi_spawns(const request_rec *r)
{
    return ps_dir_effective(ps_dir_of(r->per_dir_config)).cgi_spawn == PS_ON;
}

bool ps_cgi_is_ours(const request_rec *r)
{
    return r->handler && ps_is_cgi(r->handler) && ps_cgi_spawns(r);
}

apr_interval_time_t ps_cgi_timeout(const request_rec *r)
{
    apr_interval_time_t said =
        ps_dir_effective(ps_dir_of(r->per_dir_config)).cgi_timeout;

    return said > 0 ? said : r->server->timeout;
}

static int refuse(request_rec *r, int status, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PS_TAG_NO_CGI "%s: not run: %s",
                  r->filename, why);
    return status;
}

/* ScriptAlias leaves a note, and needs no ExecCGI. */
static bool is_scriptaliased(const request_rec *r)
{
    const char *type = apr_table_get(r->notes, "alias-forced-type");

    return type && strcasecmp(type, "cgi-script") == 0;
}

static bool is_nph(const request_rec *r)
{
    return strncmp(apr_filepath_name_get(r->filename), "nph-", 4) == 0;
}

/* As mod_cgi: OK, or what the request is answered with, logged. */
static int check(request_rec *r)
{
    if (!(ap_allow_options(r) & OPT_EXECCGI) && !is_scriptaliased(r)) {
        return refuse(r, HTTP_FORBIDDEN, "Options ExecCGI is off here");
    }
    if (is_nph(r) && strcmp(r->protocol, "INCLUDED") == 0) {
        return refuse(r, HTTP_FORBIDDEN, "a nph- script cannot be included");
    }
    if (r->finfo.filetype == APR_NOFILE) {
        return HTTP_NOT_FOUND;
    }
    if (r->finfo.filetype == APR_DIR) {
        return refuse(r, HTTP_FORBIDDEN, "it is a folder");
    }
    if (r->used_path_info == AP_REQ_REJECT_PATH_INFO && r->path_info
        && *r->path_info) {
        return refuse(r, HTTP_NOT_FOUND, "AcceptPathInfo is off here");
    }
    return OK;
}

/*
 * RFC 3875, 4.4: the words of a query without "=" are arguments. Escaped for a
 * shell, as always in httpd, whether one sees them or not.
 */
static const char *const *arguments_of(request_rec *r)
{
    apr_array_header_t *argv = apr_array_make(r->pool, 4, sizeof(char *));
    const char *rest =
        r->args && *r->args && !ap_strchr_c(r->args, '=') ? r->args : NULL;

    APR_ARRAY_PUSH(argv, const char *) = r->filename;
    while (rest && argv->nelts < APACHE_ARG_MAX - 1) {
        bool last = !ap_strchr_c(rest, '+'); /* "a+" is two words */
        char *word = ap_getword_nulls(r->pool, &rest, '+');

        ap_unescape_url(word);
        APR_ARRAY_PUSH(argv, const char *) = ap_escape_shell_cmd(r->pool, word);
        rest = last ? NULL : rest;
    }
    APR_ARRAY_PUSH(argv, const char *) = NULL;
    return (const char *const *)argv->elts;
}

/* ---- reading ---- */

/* httpd keeps them all until they are sent. */
#define HEADERS_MOST ((size_t)1024 * 1024)

static int wrong_headers(request_rec *r, const char *what)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  PS_TAG_HEADERS "%s: failed: the script sent %s", r->filename,
                  what);
    r->status = HTTP_OK;
    r->status_line = NULL;
    return HTTP_INTERNAL_SERVER_ERROR;
}

static enum ps_read read_more(struct answer *a)
{
    a->before += a->used;
    a->used = 0;
    if (a->before > HEADERS_MOST) {
        wrong_headers(a->r, "more than 1 MB of header lines");
        ps_script_end(a->script, "its header lines do not end");
        a->data = NULL;
        a->length = 0;
        return PS_READ_END;
    }
    return ps_script_read_buffer(a->script, a->bb->bucket_alloc, &a->data,
                                 &a->length, -1);
}

/*
 * One header line, as ap_scan_script_header_err_core_ex() wants it: 1; 0 at the
 * end of output; -1 where nothing came in time.
 */
static int get_line(char *line, int room, void *data)
{
    struct answer *a = data;
    int n = 0;

    for (;;) {
        for (; a->used < a->length && n < room - 1;) {
            char c = a->data[a->used++];

            if (c == '\n') {
                line[n] = '\0';
                return 1;
            }
            if (c != '\r') {
                line[n++] = c;
            }
        }
        line[n] = '\0';
        if (n >= room - 1) {
            return 1;
        }
        if (a->data) {
            apr_bucket_free(a->data);
        }
        switch (read_more(a)) {
        case PS_READ_DATA:
            break;
        case PS_READ_TIMEOUT:
            return -1;
        default:
            return 0;
        }
    }
}

/* What was read with the header lines is the body's begin. */
static void take_rest(struct answer *a)
{
    if (a->data && a->used < a->length) {
        apr_bucket *b;

        b = apr_bucket_heap_create(a->data, a->length, apr_bucket_free,
                                   a->bb->bucket_alloc);
        APR_BRIGADE_INSERT_TAIL(a->bb, b);
        if (a->used > 0) {
            apr_bucket_split(b, a->used);
            apr_bucket_delete(b);
        }
    }
    else if (a->data) {
        apr_bucket_free(a->data);
    }
    a->data = NULL;
}

/* ---- sending ---- */

/* The answer's end; where it is not whole, the client can see it. */
static void send_end(struct answer *a, bool whole)
{
    apr_bucket_alloc_t *alloc = a->bb->bucket_alloc;

    if (!whole) {
        a->r->connection->keepalive = AP_CONN_CLOSE;
        APR_BRIGADE_INSERT_TAIL(
            a->bb,
            ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, a->r->pool, alloc));
    }
    APR_BRIGADE_INSERT_TAIL(a->bb, apr_bucket_eos_create(alloc));
    if (ap_pass_brigade(a->r->output_filters, a->bb) != APR_SUCCESS) {
        ps_script_end(a->script, "its answer could not be sent");
    }
    apr_brigade_cleanup(a->bb);
}

static int send_body(struct answer *a)
{
    request_rec *r = a->r;
    bool pending = !is_nph(r); /* its header lines are the script's own */
    enum ps_read how;

    if (r->header_only || AP_STATUS_IS_HEADER_ONLY(r->status)) {
        ps_script_limit(a->script);
    }
    how = ps_script_copy(a->script, r->output_filters, a->bb, &pending);
    if (how != PS_READ_END && pending) {
        apr_brigade_cleanup(a->bb);
        r->status = HTTP_OK;
        r->status_line = NULL;
        return ps_script_status(a->script);
    }
    send_end(a, how == PS_READ_END);
    return OK;
}

/* A local redirect is a new request, as whoever it then is about. */
static int redirect(struct answer *a, const char *location)
{
    request_rec *r = a->r;
    int status;

    ps_script_soak(a->script);
    if (location[0] != '/') {
        return HTTP_MOVED_TEMPORARILY;
    }
    ps_script_close(a->script);
    /* What the script has not read of it is not to be the next request. */
    status = ap_discard_request_body(r);
    if (status != OK) {
        return status;
    }
    r->method = "GET";
    r->method_number = M_GET;
    apr_table_unset(r->headers_in, "Content-Length");
    /*
     * Without the script's media type (as ap_internal_redirect_handler() would
     * have it): it could name the handler of a file that is another's.
     */
    ap_internal_redirect(location, r);
    return OK;
}

/* The script said no header lines, or wrong ones; or the request is met. */
static int end_early(struct answer *a, int status)
{
    if (ps_script_status(a->script) != OK) {
        return ps_script_status(a->script);
    }
    if (a->before <= HEADERS_MOST) {
        ps_script_soak(a->script);
    }
    if (status == HTTP_NOT_MODIFIED) {
        a->r->status = status;
        return OK;
    }
    return status;
}

static int answer_parsed(struct answer *a)
{
    request_rec *r = a->r;
    char line[MAX_STRING_LEN];
    const char *location;
    int status;

    /* What goes wrong before a word of the script's has its own line. */
    switch (read_more(a)) {
    case PS_READ_DATA:
    case PS_READ_END:
        break;
    default:
        return ps_script_status(a->script);
    }
    status = ap_scan_script_header_err_core_ex(r, line, get_line, a,
                                               APLOG_MODULE_INDEX);
    take_rest(a);
    /* Framing is httpd's: the script's word may be wrong. */
    if (!apr_table_get(r->subprocess_env, AP_TRUST_CGILIKE_CL_ENVVAR)) {
        apr_table_unset(r->headers_out, "Content-Length");
    }
    apr_table_unset(r->headers_out, "Transfer-Encoding");
    if (status != OK) {
        return end_early(a, status);
    }
    if (ap_is_HTTP_INFO(r->status)) {
        return wrong_headers(r, "an interim status as the final one");
    }
    location = apr_table_get(r->headers_out, "Location");
    if (location && r->status == HTTP_OK) {
        return redirect(a, location);
    }
    return send_body(a);
}

/* The script's words go to the client as they are. */
static int answer_raw(struct answer *a)
{
    ap_filter_t *f = a->r->proto_output_filters;

    while (f && f->frec->ftype < AP_FTYPE_CONNECTION) {
        f = f->next;
    }
    a->r->output_filters = a->r->proto_output_filters = f;
    return send_body(a);
}

int ps_cgi_run(request_rec *r, const struct ps_identity *who,
               const struct stat *file)
{
    struct ps_command command = {
        .who = who,
        .file = file,
        .path = r->filename,
        .feeds = ap_request_has_body(r),
        .timeout = ps_cgi_timeout(r),
    };
    struct answer a = {.r = r};
    int status = check(r);

    if (status != OK) {
        return status;
    }
    ap_add_common_vars(r);
    ap_add_cgi_vars(r);
    command.argv = arguments_of(r);
    status = ps_script_start(r, &command, &a.script);
    if (status != OK) {
        return status;
    }
    a.bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    status = is_nph(r) ? answer_raw(&a) : answer_parsed(&a);
    ps_script_close(a.script);
    return status;
}
