/*
 * filters - which filters of a request can run code that is not httpd's
 */
#include "filters.h"

#include <http_core.h>
#include <strings.h>
#include <util_filter.h>

/* clang-format off */
static const char *const harmless_outputs[] = {
    "BROTLI_COMPRESS", "BUFFER", "BYTERANGE", "CACHE", "CACHE_INVALIDATE",
    "CACHE_OUT", "CACHE_OUT_SUBREQ", "CACHE_REMOVE_URL", "CACHE_SAVE",
    "CACHE_SAVE_SUBREQ", "CHUNK", "CONTENT_LENGTH", "DEFLATE",
    "FIXUP_HEADERS_ERR", "FIXUP_HEADERS_OUT", "H2_C2_NOTES_OUT",
    "H2_C2_RESPONSE_OUT", "H2_C2_TRAILERS_OUT", "HTTP_HEADER",
    "HTTP_OUTERROR", "INFLATE", "LOGIO_TTFB_OUT", "MODSECURITY_OUT",
    "MOD_EXPIRES", "MOD_SESSION_OUT", "OLD_WRITE", "PROXY-HTML",
    "PROXY_SEND_DIR", "RATE_LIMIT", "REQTIMEOUT", "SUBREQ_CORE", "SUBSTITUTE",
    "XLATEOUT", "XML2ENC",
    NULL
};
static const char *const harmless_inputs[] = {
    "BUFFER", "DEFLATE", "H2_C2_REQUEST_IN", "HTTP_IN", "KEEP_BODY",
    "KEPT_BODY", "MODSECURITY_IN", "REQTIMEOUT", "XLATEIN",
    NULL
};
/* clang-format on */

/*
 * The records behind the names; NULL where none has registered it. Compared as
 * records: a tenant's .htaccess can declare one of mod_filter's under any name
 * and type, with any program behind it. Constant in a child.
 */
static const ap_filter_rec_t
    *outputs[sizeof(harmless_outputs) / sizeof(harmless_outputs[0])];
static const ap_filter_rec_t
    *inputs[sizeof(harmless_inputs) / sizeof(harmless_inputs[0])];

void ps_filters_learn(void)
{
    for (size_t i = 0; harmless_outputs[i]; i++) {
        outputs[i] = ap_get_output_filter_handle(harmless_outputs[i]);
    }
    for (size_t i = 0; harmless_inputs[i]; i++) {
        inputs[i] = ap_get_input_filter_handle(harmless_inputs[i]);
    }
}

static bool is_harmless(const ap_filter_t *f,
                        const ap_filter_rec_t *const *recs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (f->frec == recs[i]) {
            return true;
        }
    }
    return false;
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The connection's filters come last, and know no request. */
static bool is_requests(const ap_filter_t *f)
{
    return f && f->r;
}

static bool all_harmless(const ap_filter_t *f,
                         const ap_filter_rec_t *const *recs, size_t n)
{
    for (; is_requests(f); f = f->next) {
        if (!is_harmless(f, recs, n)) {
            return false;
        }
    }
    return true;
}

bool ps_filters_are_harmless(const request_rec *r)
{
    return all_harmless(r->output_filters, outputs, COUNT(outputs))
           && all_harmless(r->input_filters, inputs, COUNT(inputs));
}

bool ps_filters_include(const request_rec *r)
{
    for (ap_filter_t *f = r->output_filters; is_requests(f); f = f->next) {
        const char *name = f->frec->name;

        /* AddOutputFilterByType: mod_filter's, named after what it runs. */
        if (strncasecmp(name, "BYTYPE:", 7) == 0) {
            name += 7;
        }
        if (strcasecmp(name, "INCLUDES") == 0) {
            return true;
        }
    }
    return false;
}

typedef void filter_remove(ap_filter_t *f);

static void remove_some(const request_rec *r, ap_filter_t *f,
                        const ap_filter_rec_t *const *recs, size_t n,
                        filter_remove *take_off)
{
    while (is_requests(f)) {
        ap_filter_t *next = f->next;

        if (f->r == r && !is_harmless(f, recs, n)) {
            take_off(f);
        }
        f = next;
    }
}

void ps_remove_filters(request_rec *r)
{
    remove_some(r, r->output_filters, outputs, COUNT(outputs),
                ap_remove_output_filter);
    remove_some(r, r->input_filters, inputs, COUNT(inputs),
                ap_remove_input_filter);
}

/* Output filters of a subrequest end where its parent's begin. */
static ap_filter_t *skip_own(request_rec *sub)
{
    ap_filter_t *f = sub->output_filters;

    while (f && f->r == sub && f->frec != ap_subreq_core_filter_handle) {
        f = f->next;
    }
    return f;
}

void ps_reset_filters(request_rec *r)
{
    r->input_filters = r->proto_input_filters;
    if (r->main) {
        r->output_filters = skip_own(r);
    }
    else if (!r->eos_sent) {
        r->output_filters = r->proto_output_filters;
    }
    ps_remove_filters(r);
}
