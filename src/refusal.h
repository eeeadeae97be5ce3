/*
 * refusal - why a request was refused, for the error log
 *
 * The client is told nothing. The request's own thread.
 */
#ifndef PS_REFUSAL_H
#define PS_REFUSAL_H

#include "decision.h"
#include "identity.h"
#include "step.h"

#include <httpd.h>

/**
 * One line about `what` (a path, or the URL), at APLOG_... `level`, with the
 * tag of the verdict's reason.
 */
void ps_log_refusal(request_rec *r, int level, const char *what,
                    const struct ps_verdict *v, const struct ps_facts *facts,
                    const struct ps_rules *rules);

/**
 * Log why the program `path` could not be started for the request. Returns what
 * that is answered with: 403, 404 or 500.
 */
int ps_refuse_start(request_rec *r, const char *path,
                    const struct ps_identity *who, struct ps_outcome outcome);

#endif /* PS_REFUSAL_H */
