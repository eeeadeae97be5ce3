/*
 * decision - whom a covered request runs as, or why it does not run
 *
 * The order of the questions is fixed, as it decides which reason the log
 * shows: root, the minimum, suexec's ids, the path.
 */
#include "decision.h"

#include <sys/stat.h>

static struct ps_verdict run_as(uid_t uid, gid_t gid)
{
    return (struct ps_verdict){.action = PS_RUN, .uid = uid, .gid = gid};
}

static struct ps_verdict refuse(enum ps_reason reason, uid_t uid, gid_t gid)
{
    return (struct ps_verdict){
        .action = PS_REFUSE, .reason = reason, .uid = uid, .gid = gid};
}

/* Whether others, or a group other than gid, may write it. */
static enum ps_distrust judge_writers(const struct ps_component *c, gid_t gid)
{
    if (c->mode & S_IWOTH) {
        return PS_OTHERS_WRITE;
    }
    if ((c->mode & S_IWGRP) && c->gid != gid) {
        return PS_GROUP_WRITES;
    }
    return PS_TRUSTED;
}

static enum ps_distrust judge(const struct ps_component *c, uid_t uid,
                              gid_t gid)
{
    if (c->uid != 0 && c->uid != uid) {
        return PS_FOREIGN_OWNER;
    }
    /* A symlink's mode says nothing; who may replace it is its folder's. */
    if (S_ISLNK(c->mode)) {
        return PS_TRUSTED;
    }
    /* In a sticky folder only the owner of an entry replaces it. */
    if (S_ISDIR(c->mode) && (c->mode & S_ISVTX)) {
        return PS_TRUSTED;
    }
    return judge_writers(c, gid);
}

enum ps_distrust ps_judge_folder(const struct ps_component *c, uid_t uid,
                                 gid_t gid)
{
    return c->uid != 0 && c->uid != uid ? PS_FOREIGN_OWNER
                                        : judge_writers(c, gid);
}

enum ps_distrust ps_judge_path(const struct ps_component *path, size_t length,
                               uid_t uid, gid_t gid, size_t *bad)
{
    *bad = 0;
    if (length == 0) {
        return PS_FOREIGN_OWNER;
    }
    for (size_t i = 0; i < length; i++) {
        enum ps_distrust distrust = judge(&path[i], uid, gid);

        if (distrust != PS_TRUSTED) {
            *bad = i;
            return distrust;
        }
    }
    return PS_TRUSTED;
}

/* The verdict `otherwise`, where nobody but uid and gid can change the path. */
static struct ps_verdict if_path_trusted(const struct ps_facts *facts,
                                         uid_t uid, gid_t gid,
                                         struct ps_verdict otherwise)
{
    struct ps_verdict v = refuse(PS_REASON_PATH, uid, gid);

    v.distrust =
        ps_judge_path(facts->path, facts->path_length, uid, gid, &v.component);
    return v.distrust == PS_TRUSTED ? otherwise : v;
}

/* PS_REASON_NONE where a tenant may have these ids. */
static enum ps_reason out_of_range(const struct ps_rules *rules, uid_t uid,
                                   gid_t gid)
{
    if ((uid == 0 || gid == 0) && !rules->root_enable) {
        return PS_REASON_ROOT;
    }
    if (uid < rules->min_uid || gid < rules->min_gid) {
        return PS_REASON_MINIMUM;
    }
    return PS_REASON_NONE;
}

static bool suexec_differs(const struct ps_facts *facts,
                           const struct ps_rules *rules)
{
    return rules->check_suexec
           && (!facts->suexec_known || facts->owner != facts->suexec_uid
               || facts->group != facts->suexec_gid);
}

static struct ps_verdict decide_pinned(const struct ps_facts *facts,
                                       const struct ps_rules *rules)
{
    uid_t uid = rules->pinned_uid;
    gid_t gid = rules->pinned_gid;
    enum ps_reason reason = out_of_range(rules, uid, gid);

    if (reason == PS_REASON_NONE && facts->exists
        && suexec_differs(facts, rules)) {
        reason = PS_REASON_SUEXEC;
    }
    /* No path rule: all is done as the tenant, so the kernel decides. */
    return reason == PS_REASON_NONE ? run_as(uid, gid)
                                    : refuse(reason, uid, gid);
}

static struct ps_verdict decide_owner(const struct ps_facts *facts,
                                      const struct ps_rules *rules)
{
    uid_t uid = facts->owner;
    gid_t gid = facts->group;
    enum ps_reason reason;

    /*
     * Packaged applications, /icons: what root alone can change and httpd
     * only reads, or what is not there, is httpd's business. Read with the
     * server's identity, so the rule holds for root and root's group, even
     * where PSTrustedPath is Off.
     */
    if (facts->owner == 0 && !rules->check_suexec
        && (facts->reads_only || (!facts->exists && !facts->creates))) {
        return if_path_trusted(facts, 0, 0,
                               (struct ps_verdict){.action = PS_LEAVE});
    }
    reason = out_of_range(rules, uid, gid);
    if (reason != PS_REASON_NONE) {
        if (!rules->has_default) {
            return refuse(reason, uid, gid);
        }
        uid = rules->default_uid;
        gid = rules->default_gid;
    }
    if ((uid == 0 || gid == 0) && !rules->root_enable) {
        return refuse(PS_REASON_ROOT, uid, gid);
    }
    if (suexec_differs(facts, rules)) {
        return refuse(PS_REASON_SUEXEC, facts->owner, facts->group);
    }
    if (!rules->trusted_path) {
        return run_as(uid, gid);
    }
    /*
     * Whom to trust is the owner, also where PSDefaultUidGid is who runs it;
     * and of root's files no group but root's.
     */
    return if_path_trusted(facts, facts->owner,
                           facts->owner == 0 ? 0 : facts->group,
                           run_as(uid, gid));
}

struct ps_verdict ps_decide_docroot(const struct ps_facts *facts,
                                    const struct ps_rules *rules)
{
    uid_t uid = facts->owner;
    gid_t gid = facts->group;
    enum ps_reason reason = out_of_range(rules, uid, gid);
    enum ps_distrust distrust;
    struct ps_verdict v;

    if (reason != PS_REASON_NONE) {
        return refuse(reason, uid, gid);
    }
    if (!rules->trusted_path) {
        return run_as(uid, gid);
    }
    gid = uid == 0 ? 0 : gid;
    v = if_path_trusted(facts, uid, gid, run_as(uid, facts->group));
    if (v.action == PS_RUN) {
        /* All that stands there would run as its owner: sticky is no excuse. */
        const size_t last = facts->path_length - 1;

        distrust = ps_judge_folder(&facts->path[last], uid, gid);
        if (distrust != PS_TRUSTED) {
            v = refuse(PS_REASON_PATH, uid, gid);
            v.distrust = distrust;
            v.component = last;
        }
    }
    return v;
}

struct ps_verdict ps_decide(const struct ps_facts *facts,
                            const struct ps_rules *rules)
{
    return facts->pinned ? decide_pinned(facts, rules)
                         : decide_owner(facts, rules);
}
