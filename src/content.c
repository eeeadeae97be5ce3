/*
 * content - what a request is about, as far as coverage depends on it
 */
#include "content.h"

#include <apr_lib.h>
#include <string.h>
#include <strings.h>
#include <util_filter.h>

bool ps_hands_over(const char *handler)
{
    return strncmp(handler, "proxy:", 6) == 0
           || strcmp(handler, "proxy-server") == 0
           || strcmp(handler, "fcgid-script") == 0;
}

bool ps_is_cgi(const char *handler)
{
    return strcmp(handler, "cgi-script") == 0
           || strcmp(handler, CGI_MAGIC_TYPE) == 0;
}

bool ps_exists(const request_rec *r)
{
    return r->finfo.filetype != APR_NOFILE;
}

/* httpd's own handlers that answer from memory, and never open a file. */
static bool answers_from_memory(const char *handler)
{
    static const char *const names[] = {
        "balancer-manager", "heartbeat",   "http2-status",  "ldap-status",
        "md-status",        "server-info", "server-status",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(handler, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool ps_never_covered(const request_rec *r)
{
    const char *handler = r->handler ? r->handler : "";

    if (r->proxyreq != PROXYREQ_NONE || !r->filename) {
        return true;
    }
    /* mod_rewrite in a directory: the file's name is an URL to start anew. */
    if (strcmp(handler, "redirect-handler") == 0
        && strncmp(r->filename, "redirect:", 9) == 0) {
        return true;
    }
    return ps_hands_over(handler)
           || (!ps_exists(r) && answers_from_memory(handler));
}

/*
 * Media types that some module takes as the name of its handler. By custom
 * they are x-httpd-something; those that are not stand here by name.
 */
static bool type_is_run(const char *type)
{
    const char *subtype = strchr(type, '/') + 1;

    return strncasecmp(type, "httpd/", 6) == 0
           || strncasecmp(subtype, "x-httpd-", 8) == 0
           || strncasecmp(subtype, "x-server-parsed-html", 20) == 0
           || strcasecmp(subtype, "x-type-map") == 0;
}

static bool default_handler_answers(const request_rec *r, bool operators)
{
    const char *handler = r->handler;

    if (!handler || AP_IS_DEFAULT_HANDLER_NAME(handler)
        || strcmp(handler, "default-handler") == 0) {
        return true;
    }
    /* mod_autoindex, or the default handler's 404; both only read. */
    if (operators && strcmp(handler, DIR_MAGIC_TYPE) == 0) {
        return true;
    }
    /* Not set by any directive: the file's type stands in. */
    return strchr(handler, '/') && !type_is_run(handler);
}

typedef ap_filter_rec_t *filter_lookup(const char *name);

/*
 * Filters that look at bytes and nothing else. Compared as records, not by
 * name: a tenant's .htaccess can declare one of mod_filter's under any name,
 * with any program behind it.
 */
static bool filter_is_harmless(const ap_filter_t *f, const char *const *names,
                               filter_lookup *lookup, bool operators)
{
    const char *name = f->frec->name;

    /* AddOutputFilterByType: mod_filter's, named after what is behind it. */
    if (operators && strncasecmp(name, "BYTYPE:", 7) == 0) {
        name += 7;
    }
    for (; *names; names++) {
        if (strcasecmp(name, *names) == 0) {
            return operators || lookup(*names) == f->frec;
        }
    }
    return false;
}

/* A request's filters stand before the connection's, which are no tenant's. */
static bool filters_are_harmless(const ap_filter_t *f, const char *const *names,
                                 filter_lookup *lookup, bool operators)
{
    for (; f && f->frec->ftype < AP_FTYPE_CONNECTION; f = f->next) {
        if (!filter_is_harmless(f, names, lookup, operators)) {
            return false;
        }
    }
    return true;
}

/* clang-format off */
static const char *const harmless_outputs[] = {
    "BROTLI_COMPRESS", "BUFFER", "BYTERANGE", "CHUNK", "CONTENT_LENGTH",
    "DEFLATE", "FIXUP_HEADERS_ERR", "FIXUP_HEADERS_OUT", "H2_C2_NOTES_OUT",
    "H2_C2_RESPONSE_OUT", "H2_C2_TRAILERS_OUT", "HTTP_HEADER",
    "HTTP_OUTERROR", "INFLATE", "LOGIO_TTFB_OUT", "MOD_EXPIRES", "OLD_WRITE",
    "RATE_LIMIT", "REQTIMEOUT", "SUBREQ_CORE", "SUBSTITUTE", "XLATEOUT",
    NULL
};
static const char *const harmless_inputs[] = {
    "BUFFER", "DEFLATE", "H2_C2_REQUEST_IN", "HTTP_IN", "REQTIMEOUT",
    "XLATEIN",
    NULL
};
/* clang-format on */

bool ps_reads_only(const request_rec *r, bool operators)
{
    return default_handler_answers(r, operators)
           && filters_are_harmless(r->output_filters, harmless_outputs,
                                   ap_get_output_filter_handle, operators)
           && filters_are_harmless(r->input_filters, harmless_inputs,
                                   ap_get_input_filter_handle, operators);
}

struct ps_content ps_content_of(const request_rec *r)
{
    return (struct ps_content){
        .name = r->filename,
        .handler = r->handler,
        .is_cgi = r->handler && ps_is_cgi(r->handler),
        .reads_only = ps_reads_only(r, false),
    };
}
