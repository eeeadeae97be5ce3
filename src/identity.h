/*
 * identity - a tenant as the kernel knows it, and what a thread has of it
 *
 * Asks the kernel about the calling thread, and changes nothing. Allocates
 * nothing and takes no lock, so that a vfork child may call all of it.
 */
#ifndef PS_IDENTITY_H
#define PS_IDENTITY_H

#include "kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Most supplementary groups that a tenant may have. */
#define PS_GROUPS_MAX 1024

/** A tenant as the kernel knows it. */
struct ps_identity
{
    uid_t uid;
    gid_t gid;
    size_t ngroups;      /* supplementary groups; none in owner mode */
    const gid_t *groups; /* ascending; NULL where there are none */
};

/** Whether the two are one; groups lists are compared as they were made. */
static inline bool ps_same_identity(const struct ps_identity *a,
                                    const struct ps_identity *b)
{
    return a->uid == b->uid && a->gid == b->gid && a->ngroups == b->ngroups
           && a->groups == b->groups;
}

/** Whether the file-system ids are those of `who`. */
bool ps_fs_ids_are(const struct ps_kernel *k, const struct ps_identity *who);

/** Whether real, effective, saved and file-system ids are those of `who`. */
bool ps_ids_are(const struct ps_kernel *k, const struct ps_identity *who);

/** Whether the supplementary groups are those of `who`. */
bool ps_groups_are(const struct ps_kernel *k, const struct ps_identity *who);

/** An identity that was read from the kernel, with the room for its groups. */
struct ps_fs_identity
{
    struct ps_identity who; /* groups points into list */
    gid_t list[PS_GROUPS_MAX];
};

/** As whom the calling thread reaches files now. False: the kernel says not. */
bool ps_fs_read(const struct ps_kernel *k, struct ps_fs_identity *out);

#endif /* PS_IDENTITY_H */
