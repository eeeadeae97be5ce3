/*
 * tenancy - which tenant a whole request belongs to
 *
 * PSUserGroup: a named tenant, the owner of the document root, or whom suexec
 * would run programs as. Known before httpd walks to the file (of
 * mod_userdir's, when the URL was mapped), so that all of the request can be
 * the tenant's. In owner mode a request belongs to nobody until its file is
 * known (decision.h).
 *
 * The request's own thread, with whatever file-system identity it has.
 */
#ifndef PS_TENANCY_H
#define PS_TENANCY_H

#include <httpd.h>

#include <stdbool.h>

/**
 * Note in the request's record whom it belongs to, or with which status it
 * is refused, logged. post_read_request.
 */
void ps_settle(request_rec *r);

/**
 * The same, after the URL was mapped: mod_userdir knows the user only now,
 * and a module may have set another document root. map_to_storage, for main
 * requests. True where something changed.
 */
bool ps_settle_again(request_rec *r);

#endif /* PS_TENANCY_H */
