/*
 * opened - a look at the file that the default handler has opened
 */
#include "opened.h"

#include "path.h"
#include "tag.h"

#include <apr_portable.h>
#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>
#include <limits.h>
#include <unistd.h>
#include <util_filter.h>

static ap_filter_rec_t *filter;

/* Whether the file that is open as `fd` is found by its name, too. */
static bool is_reached(request_rec *r, int fd, const struct stat *open_file)
{
    char name[PATH_MAX];
    struct stat named;
    ssize_t n = readlink(apr_psprintf(r->pool, "/proc/self/fd/%d", fd), name,
                         sizeof(name) - 1);

    if (n < 0) {
        return false;
    }
    name[n] = '\0';
    return stat(name, &named) == 0 && ps_same_file(&named, open_file);
}

static bool is_right(request_rec *r, const struct ps_plan *plan, int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return false;
    }
    if (plan->verify) {
        return ps_same_file(&st, &plan->file);
    }
    return st.st_uid == plan->who.uid || is_reached(r, fd, &st);
}

/* The descriptor of a file bucket, or -1. */
static int descriptor_of(const apr_bucket *b)
{
    apr_os_file_t fd;

    return APR_BUCKET_IS_FILE(b)
                   && apr_os_file_get(&fd, ((apr_bucket_file *)b->data)->fd)
                          == APR_SUCCESS
               ? fd
               : -1;
}

static apr_status_t refuse(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;

    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  PS_TAG_CHANGED "%s: refused: what was opened is not the file "
                                 "decided on, or one that the tenant reaches",
                  r->filename);
    apr_brigade_cleanup(bb);
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(HTTP_FORBIDDEN, NULL,
                                                       r->pool,
                                                       f->c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
    return ap_pass_brigade(f->next, bb);
}

static apr_status_t look(ap_filter_t *f, apr_bucket_brigade *bb)
{
    const struct ps_plan *plan = f->ctx;
    bool seen = false;

    for (apr_bucket *b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        int fd = descriptor_of(b);

        if (fd >= 0 && !seen) {
            if (!is_right(f->r, plan, fd)) {
                ap_remove_output_filter(f);
                return refuse(f, bb);
            }
            seen = true;
        }
    }
    if (seen) {
        ap_remove_output_filter(f);
    }
    return ap_pass_brigade(f->next, bb);
}

void ps_opened_register(void)
{
    /* Nearer to the handler than any other. */
    filter = ap_register_output_filter("PS_OPENED", look, NULL,
                                       AP_FTYPE_RESOURCE - 1);
}

void ps_look_when_opened(request_rec *r, const struct ps_plan *plan)
{
    ap_add_output_filter_handle(filter, (void *)plan, r, r->connection);
}
