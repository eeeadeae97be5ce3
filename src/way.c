/*
 * way - what the ways to run a covered request have in common
 */
#include "way.h"

#include "path.h"
#include "tag.h"

#include <errno.h>
#include <fcntl.h>
#include <http_log.h>
#include <stdint.h>
#include <unistd.h>

static apr_status_t close_it(void *fd)
{
    close((int)(intptr_t)fd);
    return APR_SUCCESS;
}

/* Opens no FIFO, no device. */
void ps_keep_open(request_rec *r)
{
    int fd = open(r->filename, O_PATH | O_CLOEXEC);

    if (fd >= 0) {
        apr_pool_cleanup_register(r->pool, (void *)(intptr_t)fd, close_it,
                                  apr_pool_cleanup_null);
    }
}

int ps_check_file(request_rec *r, const struct ps_plan *plan)
{
    struct stat now;

    if (!plan->verify) {
        return OK;
    }
    if (stat(r->filename, &now) != 0) {
        int err = errno;

        if (err == ENOENT || err == ENOTDIR) {
            return HTTP_NOT_FOUND;
        }
        ap_log_rerror(APLOG_MARK, APLOG_ERR, err, r,
                      PS_TAG_UNREACHED "%s: refused: uid %u, gid %u cannot "
                                       "reach it",
                      r->filename, plan->who.uid, plan->who.gid);
        return HTTP_FORBIDDEN;
    }
    if (!ps_same_file(&now, &plan->file)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      PS_TAG_CHANGED
                      "%s: refused: it is not the file decided on any more "
                      "(owner now %u, decided for %u)",
                      r->filename, now.st_uid, plan->file.st_uid);
        return HTTP_FORBIDDEN;
    }
    return OK;
}
