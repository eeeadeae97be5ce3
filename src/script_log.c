/*
 * script_log - what a script writes to standard error, line by line in the log
 */
#include "script_log.h"

#include "tag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A longer line is cut into pieces. */
#define LINE 1000

/* So much at once, and then somebody else's turn. */
#define AT_ONCE 64

/*
 * Not of the request's pool: it goes on after the request, where the script
 * does.
 */
struct ps_script_log
{
    int fd;
    apr_size_t left; /* so many bytes may still be logged */
    int lines;       /* ... and so many lines */
    bool full;       /* it is, which has been said */
    size_t length;   /* of the line so far */
    server_rec *server;
    char *name; /* of the script */
    char line[LINE];
};

struct ps_script_log *ps_script_log_open(request_rec *r, int fd)
{
    struct ps_script_log *log = malloc(sizeof(*log));
    char *name = strdup(r->filename);

    if (!log || !name) {
        free(log);
        free(name);
        close(fd);
        return NULL;
    }
    log->fd = fd;
    log->left = PS_SCRIPT_LOG_MOST;
    log->lines = PS_SCRIPT_LOG_LINES;
    log->full = false;
    log->length = 0;
    log->server = r->server;
    log->name = name;
    return log;
}

int ps_script_log_fd(const struct ps_script_log *log)
{
    return log->fd;
}

static void say(struct ps_script_log *log, request_rec *r, const char *line)
{
    if (r) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PS_TAG_STDERR "%s: %s",
                      log->name, line);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, log->server, PS_TAG_STDERR "%s: %s",
                 log->name, line);
}

static void say_full(struct ps_script_log *log, request_rec *r)
{
    static const char text[] =
        PS_TAG_STDERR_FULL "%s: more than %" APR_SIZE_T_FMT
                           " bytes, or %d lines, of standard error: the rest "
                           "is dropped";

    log->full = true;
    if (r) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, text, log->name,
                      PS_SCRIPT_LOG_MOST, PS_SCRIPT_LOG_LINES);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, log->server, text, log->name,
                 PS_SCRIPT_LOG_MOST, PS_SCRIPT_LOG_LINES);
}

static void end_line(struct ps_script_log *log, request_rec *r)
{
    char text[LINE + 1];
    size_t n = log->length;

    while (n > 0 && log->line[n - 1] == '\r') {
        n--;
    }
    log->length = 0;
    if (n > 0) {
        log->lines--;
        memcpy(text, log->line, n);
        text[n] = '\0';
        say(log, r, text);
    }
}

static void take(struct ps_script_log *log, request_rec *r, const char *data,
                 size_t n)
{
    for (; n > 0 && log->left > 0 && log->lines > 0; data++, n--, log->left--) {
        if (*data == '\n') {
            end_line(log, r);
            continue;
        }
        /* A zero would end the line in the log. */
        log->line[log->length++] = *data == '\0' ? ' ' : *data;
        if (log->length == LINE) {
            end_line(log, r);
        }
    }
    if (n > 0 && !log->full) {
        end_line(log, r);
        say_full(log, r);
    }
}

void ps_script_log_read(struct ps_script_log *log, request_rec *r)
{
    char data[2048];

    for (int i = 0; i < AT_ONCE && log->fd >= 0; i++) {
        ssize_t n = read(log->fd, data, sizeof(data));

        if (n > 0) {
            take(log, r, data, (size_t)n);
        }
        if (n > 0 && (r || !log->full)) {
            continue;
        }
        if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
            end_line(log, r);
            close(log->fd);
            log->fd = -1;
        }
        else if (errno == EAGAIN) {
            return;
        }
    }
}

void ps_script_log_close(struct ps_script_log *log, request_rec *r)
{
    if (!log) {
        return;
    }
    end_line(log, r);
    if (log->fd >= 0) {
        close(log->fd);
    }
    free(log->name);
    free(log);
}
