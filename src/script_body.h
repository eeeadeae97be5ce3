/*
 * script_body - a request's body on its way into a script's standard input
 *
 * Never waits, neither for the client nor for the script (but for trailers,
 * for which httpd's filter waits), and holds no more of the body than a filter
 * hands out at once. One thread at a time.
 */
#ifndef PS_SCRIPT_BODY_H
#define PS_SCRIPT_BODY_H

#include <httpd.h>

#include <apr_buckets.h>
#include <apr_time.h>
#include <stdbool.h>

struct ps_body
{
    request_rec *r;
    int fd; /* non-blocking; -1: closed */
    apr_bucket_brigade *bb;
    bool ended;       /* all of it has come */
    apr_time_t since; /* something came, or was taken */
    int status;       /* once it has failed */
};

/** What it waits for. */
enum ps_feed
{
    PS_FEED_DONE,   /* nothing more: all is written, or is not wanted */
    PS_FEED_SCRIPT, /* the script is to read */
    PS_FEED_CLIENT, /* the client is to send */
    PS_FEED_FAILED  /* `status` is set */
};

/** Begin. `fd` is the body's from here on; -1: there is none. */
void ps_body_open(struct ps_body *body, request_rec *r, int fd);

/** Tell a client that waits to be told that it may send ("100 Continue"). */
void ps_body_ask(struct ps_body *body);

/** Move what can be moved now. */
enum ps_feed ps_body_feed(struct ps_body *body);

/** End, however far it is. */
void ps_body_close(struct ps_body *body);

#endif /* PS_SCRIPT_BODY_H */
