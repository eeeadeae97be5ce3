/*
 * script - a program that answers a request, and the pipes to it
 *
 * Started with spawn.h; its standard input is fed from the request's body
 * while its output is read, so that neither waits for the other. What becomes
 * of it in the end is the reaper's. One thread at a time: the request's own, or
 * its tenant's.
 */
#ifndef PS_SCRIPT_H
#define PS_SCRIPT_H

#include "identity.h"

#include <httpd.h>

#include <apr_time.h>
#include <stdbool.h>
#include <sys/stat.h>

struct ps_script;

/** What is to be started. */
struct ps_command
{
    const struct ps_identity *who; /* in a tenant's thread: its tenant */
    const struct stat *file;       /* that `path` must be; NULL: any */
    const char *path;
    const char *const *argv;
    bool feeds;                  /* the request's body is its input */
    apr_interval_time_t timeout; /* between two outputs */
};

/**
 * Start it, with the environment of the request, in the folder of the request's
 * file. OK; or what the request is answered with, logged.
 */
int ps_script_start(request_rec *r, const struct ps_command *command,
                    struct ps_script **out);

/** What a read found. */
enum ps_read
{
    PS_READ_DATA,
    PS_READ_NOTHING, /* yet */
    PS_READ_END,     /* of the output; the program may go on */
    PS_READ_TIMEOUT, /* logged, as all that follow */
    PS_READ_GONE,    /* the client is */
    PS_READ_BODY     /* the request's body has an error: ps_script_status() */
};

/**
 * Read output, and meanwhile feed the body and log standard error. Waits for at
 * most `wait`; negative: as long as it takes. `*n`: in, room; out, bytes.
 */
enum ps_read ps_script_read(struct ps_script *script, char *data, size_t *n,
                            apr_interval_time_t wait);

/** The status for PS_READ_TIMEOUT, PS_READ_GONE and PS_READ_BODY. */
int ps_script_status(const struct ps_script *script);

/**
 * From here on the output is of no use to the client: it is read for as long as
 * the program could be silent, and no longer.
 */
void ps_script_limit(struct ps_script *script);

/** Read, and drop, what is left of the output, within that limit. */
void ps_script_soak(struct ps_script *script);

/**
 * The request is done with it: pipes closed, the rest is the reaper's. The
 * request's pool would do it otherwise.
 */
void ps_script_close(struct ps_script *script);

/**
 * It is to end, now: the response cannot be sent. (Without this it goes on
 * after its request, if it does.) For the log: why, a string literal.
 */
void ps_script_end(struct ps_script *script, const char *why);

#endif /* PS_SCRIPT_H */
