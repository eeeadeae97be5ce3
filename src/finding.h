/*
 * finding - what checks of a whole configuration have in common
 *
 * Main thread, when the configuration has been read.
 */
#ifndef PS_FINDING_H
#define PS_FINDING_H

#include "survey.h"

#include <httpd.h>

#include <stdbool.h>
#include <util_cfgtree.h>

/** Whether httpd has the module, by the name of its source: "mod_cgi.c". */
bool ps_is_loaded(const char *name);

/** The first directive of the name, wherever it stands; NULL: none. */
const ap_directive_t *ps_find_directive(const ap_directive_t *d,
                                        const char *name);

/** A finding, and how many hosts it holds for. */
struct ps_finding
{
    const char *text; /* with its tag; NULL: not found yet */
    server_rec *first;
    unsigned hosts;
};

/** It holds for the host `s`. The text begins with its tag. */
void ps_found(struct ps_finding *f, server_rec *s, const char *text);

/** Log it once: "PS0501: alice:443 and 3 more hosts: ..." */
void ps_say(apr_pool_t *p, int level, const struct ps_finding *f);

#endif /* PS_FINDING_H */
