/*
 * identity - a tenant as the kernel knows it, and what a thread has of it
 */
#include "identity.h"

#include <string.h>

bool ps_fs_ids_are(const struct ps_kernel *k, const struct ps_identity *who)
{
    return ps_kernel_fsuid(k) == who->uid && ps_kernel_fsgid(k) == who->gid;
}

bool ps_ids_are(const struct ps_kernel *k, const struct ps_identity *who)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    return k->getresuid(&ruid, &euid, &suid) == 0 && ruid == who->uid
           && euid == who->uid && suid == who->uid
           && k->getresgid(&rgid, &egid, &sgid) == 0 && rgid == who->gid
           && egid == who->gid && sgid == who->gid && ps_fs_ids_are(k, who);
}

/*
 * The kernel sorts its own list by the ids outside of the user namespace,
 * which need not be the order inside. So this is for lists that are sorted
 * already, nearly always; and qsort(3) may allocate.
 */
static void sort(gid_t *list, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        gid_t x = list[i];
        size_t at = i;

        for (; at > 0 && list[at - 1] > x; at--) {
            list[at] = list[at - 1];
        }
        list[at] = x;
    }
}

bool ps_groups_are(const struct ps_kernel *k, const struct ps_identity *who)
{
    gid_t have[PS_GROUPS_MAX];
    int n = k->getgroups(PS_GROUPS_MAX, have);

    if (n < 0 || (size_t)n != who->ngroups) {
        return false;
    }
    if (n == 0) {
        return true;
    }
    sort(have, (size_t)n);
    return memcmp(have, who->groups, (size_t)n * sizeof(*have)) == 0;
}

bool ps_fs_read(const struct ps_kernel *k, struct ps_fs_identity *out)
{
    int n = k->getgroups(PS_GROUPS_MAX, out->list);

    if (n < 0) {
        return false;
    }
    sort(out->list, (size_t)n);
    out->who = (struct ps_identity){
        .uid = ps_kernel_fsuid(k),
        .gid = ps_kernel_fsgid(k),
        .ngroups = (size_t)n,
        .groups = n > 0 ? out->list : NULL,
    };
    return true;
}
