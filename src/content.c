/*
 * content - what a request is about, as far as coverage depends on it
 */
#include "content.h"

#include "filters.h"

#include <string.h>
#include <strings.h>

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

static bool is_default(const char *handler)
{
    return !handler || AP_IS_DEFAULT_HANDLER_NAME(handler)
           || strcmp(handler, "default-handler") == 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (strcasecmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Where no directive sets a handler, the file's media type stands in, and a
 * module can take it. So these are types that none takes.
 */
static bool type_is_plain(const char *type)
{
    static const char *const groups[] = {"audio/", "font/", "image/", "video/"};
    static const char *const types[] = {"application/javascript",
                                        "application/json",
                                        "application/octet-stream",
                                        "application/pdf",
                                        "application/xhtml+xml",
                                        "application/xml",
                                        "application/zip",
                                        "text/css",
                                        "text/csv",
                                        "text/javascript",
                                        "text/plain",
                                        "text/xml",
                                        NULL};

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strncasecmp(type, groups[i], strlen(groups[i])) == 0) {
            return true;
        }
    }
    return is_one_of(type, types);
}

/*
 * mod_php takes an executable text/html file where its "xbithack" is on,
 * looking at the same record of the file.
 */
static bool is_plain_page(const request_rec *r)
{
    return strcasecmp(r->handler, "text/html") == 0
           && (r->finfo.valid & APR_FINFO_UPROT)
           && !(r->finfo.protection & APR_FPROT_UEXECUTE);
}

static bool default_answers(const request_rec *r)
{
    return is_default(r->handler) || type_is_plain(r->handler)
           || is_plain_page(r);
}

/*
 * Where the configuration is the operator's alone: any type but those that
 * name a handler, by custom as x-httpd-something; and folders, which
 * mod_autoindex lists, or the default handler does not find.
 */
static bool operators_default_answers(const request_rec *r)
{
    static const char *const run[] = {"x-type-map", "x-server-parsed-html",
                                      "x-server-parsed-html3", NULL};
    const char *subtype;

    if (is_default(r->handler) || strcmp(r->handler, DIR_MAGIC_TYPE) == 0) {
        return true;
    }
    subtype = strchr(r->handler, '/');
    return subtype && strncasecmp(r->handler, "httpd/", 6) != 0
           && strncasecmp(subtype + 1, "x-httpd-", 8) != 0
           && !is_one_of(subtype + 1, run);
}

bool ps_reads_only(const request_rec *r, bool operators)
{
    if (operators) {
        return operators_default_answers(r) && !ps_filters_include(r);
    }
    return default_answers(r) && ps_filters_are_harmless(r);
}

struct ps_content ps_content_of(const request_rec *r, bool with_filters)
{
    return (struct ps_content){
        .name = r->filename,
        .handler = r->handler,
        .is_cgi = r->handler && ps_is_cgi(r->handler),
        .reads_only = with_filters && ps_reads_only(r, false),
    };
}
