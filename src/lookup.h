/*
 * lookup - from what a configuration says to a tenant's ids
 *
 * The user database is asked here and nowhere else, while the configuration
 * is read: a request never waits for LDAP. Main thread only, at start.
 * Knows no httpd header.
 */
#ifndef PS_LOOKUP_H
#define PS_LOOKUP_H

#include "identity.h"

#include <apr_pools.h>

/**
 * Read a decimal id from 0 to 4294967294 (the highest, as -1 means "leave
 * as it is" to the kernel), with nothing before or after it.
 *
 * Returns NULL, or what is wrong, as the end of a sentence.
 */
const char *ps_parse_id(const char *word, unsigned *id);

/**
 * Find a user by name or "#uid". A number needs no passwd entry.
 *
 * Returns NULL, or what is wrong, allocated from `p` where needed.
 */
const char *ps_find_user(apr_pool_t *p, const char *word, uid_t *uid);

/** The same for a group, by name or "#gid". */
const char *ps_find_group(apr_pool_t *p, const char *word, gid_t *gid);

/**
 * Fill in `who` for a pinned tenant: ids, and, where they are asked for, the
 * supplementary groups that the user database gives the user (none, where it
 * has no such uid).
 *
 * Returns NULL, or what is wrong. The groups live as long as `p`.
 */
const char *ps_find_tenant(apr_pool_t *p, const char *user, const char *group,
                           bool with_groups, struct ps_identity *who);

#endif /* PS_LOOKUP_H */
