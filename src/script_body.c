/*
 * script_body - a request's body on its way into a script's standard input
 */
#include "script_body.h"

#include "clock.h"

#include <errno.h>
#include <http_protocol.h>
#include <unistd.h>
#include <util_filter.h>

/* So much at once, and then the output's turn. */
#define ROUNDS 16

void ps_body_open(struct ps_body *body, request_rec *r, int fd)
{
    body->r = r;
    body->fd = fd;
    body->bb = fd >= 0
                   ? apr_brigade_create(r->pool, r->connection->bucket_alloc)
                   : NULL;
    body->ended = false;
    body->since = ps_clock();
    body->status = OK;
}

/*
 * "100 Continue", which httpd itself says only to who waits for the body
 * (ap_http_filter()).
 */
void ps_body_ask(struct ps_body *body)
{
    request_rec *r = body->r;
    int status = r->status;
    const char *line = r->status_line;

    if (body->fd >= 0 && r->expecting_100 && r->proto_num >= HTTP_VERSION(1, 1)
        && !r->bytes_sent && ap_is_HTTP_SUCCESS(status)) {
        r->status = HTTP_CONTINUE;
        r->status_line = NULL;
        ap_send_interim_response(r, 0);
        r->status = status;
        r->status_line = line;
    }
}

void ps_body_close(struct ps_body *body)
{
    if (body->fd >= 0) {
        close(body->fd);
        body->fd = -1;
    }
}

static enum ps_feed done(struct ps_body *body)
{
    ps_body_close(body);
    if (body->bb) {
        apr_brigade_cleanup(body->bb);
    }
    return PS_FEED_DONE;
}

static enum ps_feed failed(struct ps_body *body, apr_status_t rv)
{
    body->status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
    return PS_FEED_FAILED;
}

/*
 * httpd's input filter answers a wrong body itself, through the request's
 * output filters, and then says that all is well. In the midst of an answer
 * that would end it as if it were whole. So it comes here instead.
 */
static apr_status_t catch_error(ap_filter_t *f, apr_bucket_brigade *bb)
{
    struct ps_body *body = f->ctx;

    for (apr_bucket *b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        if (AP_BUCKET_IS_ERROR(b)) {
            body->status = ((ap_bucket_error *)b->data)->status;
        }
    }
    apr_brigade_cleanup(bb);
    return AP_FILTER_ERROR;
}

/* PS_FEED_CLIENT: something has come, or nothing is there: see the brigade. */
static enum ps_feed fetch(struct ps_body *body)
{
    static ap_filter_rec_t catches = {.name = "PS_BODY_ERROR",
                                      .filter_func.out_func = catch_error};
    request_rec *r = body->r;
    ap_filter_t catcher = {.frec = &catches, .ctx = body, .c = r->connection};
    ap_filter_t *outputs = r->output_filters;
    apr_status_t rv;

    r->output_filters = &catcher;
    rv = ap_get_brigade(r->input_filters, body->bb, AP_MODE_READBYTES,
                        APR_NONBLOCK_READ, HUGE_STRING_LEN);
    r->output_filters = outputs;
    if (body->status != OK) {
        return PS_FEED_FAILED;
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        return failed(body, rv);
    }
    return PS_FEED_CLIENT;
}

/* The first bucket of data to the script; PS_FEED_DONE: it is written. */
static enum ps_feed put(struct ps_body *body, apr_bucket *b)
{
    const char *data;
    apr_size_t length;
    apr_status_t rv = apr_bucket_read(b, &data, &length, APR_BLOCK_READ);
    ssize_t n;

    if (rv != APR_SUCCESS) {
        return failed(body, rv);
    }
    n = length > 0 ? write(body->fd, data, length) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return PS_FEED_SCRIPT;
    }
    body->since = ps_clock();
    if (n < 0) { /* it reads no more, which is its good right */
        ps_body_close(body);
        return PS_FEED_DONE;
    }
    if ((apr_size_t)n < length) {
        apr_bucket_split(b, (apr_size_t)n);
    }
    apr_bucket_delete(b);
    return PS_FEED_DONE;
}

enum ps_feed ps_body_feed(struct ps_body *body)
{
    if (body->status != OK) {
        return PS_FEED_FAILED;
    }
    for (int i = 0; i < ROUNDS && body->fd >= 0; i++) {
        apr_bucket *b = APR_BRIGADE_FIRST(body->bb);
        enum ps_feed state;

        if (b == APR_BRIGADE_SENTINEL(body->bb)) {
            if (body->ended) {
                return done(body);
            }
            state = fetch(body);
            if (state != PS_FEED_CLIENT || APR_BRIGADE_EMPTY(body->bb)) {
                return state;
            }
            body->since = ps_clock();
        }
        else if (APR_BUCKET_IS_METADATA(b)) {
            body->ended |= APR_BUCKET_IS_EOS(b);
            apr_bucket_delete(b);
        }
        else {
            state = put(body, b);
            if (state != PS_FEED_DONE) {
                return state;
            }
        }
    }
    /* Enough for now; the script takes more at once, or it does not. */
    return body->fd >= 0 ? PS_FEED_SCRIPT : done(body);
}
