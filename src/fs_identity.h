/*
 * fs_identity - as whom the threads of an httpd child reach files
 *
 * A thread of httpd's takes the file-system identity of the tenant whose
 * request it serves, and gives it back before anything that is not this
 * tenant's. This part alone knows which one a thread has, and it asks the
 * kernel, once for each request that a thread serves and after every change,
 * as no variable can tell: a new thread inherits that of
 * the thread that starts it (mod_http2 starts workers from wherever it is),
 * and the kernel does not say when a change fails.
 *
 * In all of it NULL is the server's own identity. In a tenant's thread,
 * which is the tenant for ever, nothing here does anything.
 */
#ifndef PS_FS_IDENTITY_H
#define PS_FS_IDENTITY_H

#include "identity.h"

#include <httpd.h>

/**
 * Learn which identity is the server's: these ids, and the groups that the
 * thread has. Main thread of a fresh child, when it has become the server's
 * user. False: the kernel says otherwise.
 */
bool ps_fs_remember_server(uid_t uid, gid_t gid);

/**
 * Make the calling thread act as `who` for what follows of this request, and
 * for the clean-ups of its pool, in whatever thread those run: as the last one
 * says, for an internal redirect goes on with the pool. `who` lives as
 * long as that pool, or the configuration.
 *
 * False where the kernel says that it does not: logged; answer 500. Where the
 * thread could not even be the server's again, the process ends after the
 * response, and serves no other request.
 */
bool ps_act_as(request_rec *r, const struct ps_identity *who);

/**
 * Be the server's again, in a thread that begins with a connection, or is
 * done with it. False where that fails, logged: close the connection; the
 * process ends with it.
 */
bool ps_return_to_server(conn_rec *c);

/** The same where nothing is to be sent any more: the process ends at once. */
void ps_act_as_server(conn_rec *c);

/** Whether the calling thread acts as `who`, as the kernel has it. */
bool ps_acts_as(const struct ps_identity *who);

/**
 * Call `run` with `data` as `who`, inside of a request that acts as somebody
 * already, and be who the thread was before: for subrequests. Returns what
 * `run` does, or 500, logged.
 */
int ps_run_acting_as(request_rec *r, const struct ps_identity *who,
                     int (*run)(request_rec *, const void *), const void *data);

#endif /* PS_FS_IDENTITY_H */
