/*
 * script_copy - a script's output into a chain of filters, as it comes
 */
#ifndef PS_SCRIPT_COPY_H
#define PS_SCRIPT_COPY_H

#include "script.h"

#include <apr_buckets.h>
#include <stdbool.h>
#include <util_filter.h>

/**
 * Pass the output on to `next`, behind what `bb` holds: at once when the script
 * pauses, else a piece after the other. `*pending`: the header lines wait to be
 * sent, too, even if nothing follows; false once something was.
 *
 * PS_READ_END: what is left to be sent is in `bb`, the end is the caller's.
 * Else why it is not whole; the script is to end.
 */
enum ps_read ps_script_copy(struct ps_script *script, ap_filter_t *next,
                            apr_bucket_brigade *bb, bool *pending);

/**
 * Read into a new buffer, which is the connection's. PS_READ_DATA alone gives
 * one: `*data` and `*n`; else they are NULL and 0.
 */
enum ps_read ps_script_read_buffer(struct ps_script *script,
                                   apr_bucket_alloc_t *alloc, char **data,
                                   size_t *n, apr_interval_time_t wait);

#endif /* PS_SCRIPT_COPY_H */
