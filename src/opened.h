/*
 * opened - a look at the file that the default handler has opened
 *
 * For what is served in place. A link to /proc/self/fd/N leads, past all
 * folders, to whatever httpd itself has open: a log of all hosts, a neighbour's
 * password file. So what is sent is looked at once it is open, when no name
 * can be exchanged any more.
 */
#ifndef PS_OPENED_H
#define PS_OPENED_H

#include "way.h"

/** Register the filter. register_hooks. */
void ps_opened_register(void);

/**
 * Have the request's file looked at before a byte of it is sent: it must be
 * the file decided on; where that is not known, the tenant's own, or one that
 * the tenant reaches by its name. Else 403. `plan` lives as long as the
 * request. The request's own thread, with its file-system identity.
 */
void ps_look_when_opened(request_rec *r, const struct ps_plan *plan);

#endif /* PS_OPENED_H */
