/*
 * refusal - why a request was refused, for the error log
 *
 * The client is told nothing. The request's own thread.
 */
#ifndef PS_REFUSAL_H
#define PS_REFUSAL_H

#include "decision.h"

#include <httpd.h>

/**
 * One line about `what` (a path, or the URL), at APLOG_... `level`, with the
 * tag of the verdict's reason.
 */
void ps_log_refusal(request_rec *r, int level, const char *what,
                    const struct ps_verdict *v, const struct ps_facts *facts,
                    const struct ps_rules *rules);

#endif /* PS_REFUSAL_H */
