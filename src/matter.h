/*
 * matter - a covered request, and all that its decision needs
 *
 * Gathers facts about a request for decision.h. The request's own thread, in
 * the handler phase.
 */
#ifndef PS_MATTER_H
#define PS_MATTER_H

#include "decision.h"
#include "path.h"
#include "settings.h"

#include <httpd.h>

struct ps_matter
{
    request_rec *r;
    struct ps_host_settings host;
    struct ps_dir_settings dir;
    const struct ps_identity *tenant; /* that the request belongs to; NULL:
                                         owner mode */
    struct ps_rules rules;
    struct ps_facts facts;
    struct ps_path path; /* in owner mode */
};

/**
 * Remember for the main request of `sub` which folders' .htaccess took effect
 * in it: DirectoryIndex and others put a subrequest in its place, with its
 * configuration, but without the list of files that it was read from.
 */
void ps_note_htaccess(request_rec *sub);

/** Begin with a request. False where the configuration does not cover it. */
bool ps_matter_of(struct ps_matter *m, request_rec *r);

/**
 * Fill in rules and facts; in owner mode, with a look at the path as the
 * server. Returns OK, or what the request is answered with, logged.
 */
int ps_gather(struct ps_matter *m);

/**
 * In owner mode: whether nobody but root and the file's owner had a say in the
 * request's configuration. OK, or 403, logged. After ps_gather().
 */
int ps_check_htaccess(struct ps_matter *m);

/**
 * In owner mode: whether a subrequest that runs something was asked for by
 * pages of its own tenant's, or of root's, by the path rule: it takes over
 * their environment (mod_include's #set). OK, or 403, logged. After
 * ps_gather().
 */
int ps_check_page(struct ps_matter *m);

/** Start over with the filters that every response has; returns `status`. */
int ps_turn_away(request_rec *r, int status);

#endif /* PS_MATTER_H */
