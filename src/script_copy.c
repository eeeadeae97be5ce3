/*
 * script_copy - a script's output into a chain of filters, as it comes
 */
#include "script_copy.h"

/*
 * A script that has said all ends a moment later: waiting for that makes one
 * write of its answer, with a Content-Length.
 */
#define MOMENT apr_time_from_msec(2)

/* The least that is sent without a pause of the script's. */
#define FULL ((apr_off_t)32 * 1024)

enum ps_read ps_script_read_buffer(struct ps_script *script,
                                   apr_bucket_alloc_t *alloc, char **data,
                                   size_t *n, apr_interval_time_t wait)
{
    enum ps_read found;

    *n = APR_BUCKET_BUFF_SIZE;
    *data = apr_bucket_alloc(*n, alloc);
    found = ps_script_read(script, *data, n, wait);
    if (found != PS_READ_DATA) {
        apr_bucket_free(*data);
        *data = NULL;
        *n = 0;
    }
    return found;
}

static bool is_full(apr_bucket_brigade *bb)
{
    apr_off_t length = 0;

    apr_brigade_length(bb, 0, &length);
    return length >= FULL;
}

static bool pass(struct ps_script *script, ap_filter_t *next,
                 apr_bucket_brigade *bb, bool flush)
{
    apr_status_t rv;

    if (flush) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(bb->bucket_alloc));
    }
    rv = ap_pass_brigade(next, bb);
    apr_brigade_cleanup(bb);
    if (rv != APR_SUCCESS) {
        ps_script_end(script, "its answer could not be sent");
    }
    return rv == APR_SUCCESS;
}

enum ps_read ps_script_copy(struct ps_script *script, ap_filter_t *next,
                            apr_bucket_brigade *bb, bool *pending)
{
    apr_interval_time_t wait = 0;

    for (;;) {
        char *data;
        size_t n;
        enum ps_read found =
            ps_script_read_buffer(script, bb->bucket_alloc, &data, &n, wait);
        bool waits = *pending || !APR_BRIGADE_EMPTY(bb);
        bool sends = false;

        if (found == PS_READ_DATA) {
            APR_BRIGADE_INSERT_TAIL(
                bb, apr_bucket_heap_create(data, n, apr_bucket_free,
                                           bb->bucket_alloc));
            wait = 0;
            sends = is_full(bb);
        }
        else if (found != PS_READ_NOTHING) {
            return found;
        }
        else if (waits && wait == 0) {
            wait = MOMENT;
        }
        else {
            wait = -1;
            sends = waits;
        }
        if (sends) {
            *pending = false;
            if (!pass(script, next, bb, found == PS_READ_NOTHING)) {
                return PS_READ_GONE;
            }
        }
    }
}
