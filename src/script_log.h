/*
 * script_log - what a script writes to standard error, line by line in the log
 *
 * Bounded for each script, and read to its end all the same, so that the
 * script never waits for a log. One thread at a time.
 */
#ifndef PS_SCRIPT_LOG_H
#define PS_SCRIPT_LOG_H

#include <httpd.h>

#include <stdbool.h>

/**
 * Most bytes, and lines, of one script that are logged. The rest is read, and
 * dropped; after the end of the request it is not read.
 */
#define PS_SCRIPT_LOG_MOST ((apr_size_t)64 * 1024)
#define PS_SCRIPT_LOG_LINES 1000

struct ps_script_log;

/**
 * Log what comes from `fd`, which is non-blocking and the log's own from here
 * on, of the script of `r`. NULL: out of memory; the descriptor is closed.
 */
struct ps_script_log *ps_script_log_open(request_rec *r, int fd);

/** The descriptor, to wait for; -1: it has ended. */
int ps_script_log_fd(const struct ps_script_log *log);

/**
 * Log what is there now, with the id of the request, or, after its end, `r`
 * being NULL, as the host's.
 */
void ps_script_log_read(struct ps_script_log *log, request_rec *r);

/** Log what is left of a line, and free it all. NULL: nothing. */
void ps_script_log_close(struct ps_script_log *log, request_rec *r);

#endif /* PS_SCRIPT_LOG_H */
