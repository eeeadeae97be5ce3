/*
 * decision - whom a covered request runs as, or why it does not run
 *
 * Pure: no system call, no httpd, no state; any thread. The facts are
 * gathered elsewhere (path.h, content.h), so that every row of the rules can
 * stand in a test.
 */
#ifndef PS_DECISION_H
#define PS_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** One component of a path, as lstat(2) shows it. */
struct ps_component
{
    uid_t uid;
    gid_t gid;
    mode_t mode;
    char name[32]; /* its name, cut to fit, for the log */
};

/** What is wrong with a path component. */
enum ps_distrust
{
    PS_TRUSTED,
    PS_FOREIGN_OWNER, /* owned by neither root nor the target */
    PS_OTHERS_WRITE,  /* others may write it */
    PS_GROUP_WRITES   /* a group other than the target's may write it */
};

/** What the rules look at. */
struct ps_facts
{
    bool pinned;     /* the virtual host names the tenant */
    bool reads_only; /* httpd's default handler would read it, no more */
    bool exists;     /* false: owner, group and path are its folder's */
    bool creates;    /* the method could create what does not exist */
    uid_t owner;     /* of the file (or folder) */
    gid_t group;
    const struct ps_component *path; /* from / to the file */
    size_t path_length;
    bool suexec_known; /* SuexecUserGroup (or mod_userdir) names ids */
    uid_t suexec_uid;
    gid_t suexec_gid;
};

/** The configuration that the rules look at. */
struct ps_rules
{
    uid_t pinned_uid; /* where the virtual host is pinned */
    gid_t pinned_gid;
    uid_t min_uid; /* PSMinUidGid */
    gid_t min_gid;
    bool has_default; /* PSDefaultUidGid */
    uid_t default_uid;
    gid_t default_gid;
    bool root_enable;  /* PSRootEnable */
    bool check_suexec; /* PSCheckSuexecids */
    bool trusted_path; /* PSTrustedPath */
};

enum ps_action
{
    PS_LEAVE, /* to httpd, with the server's identity */
    PS_RUN,   /* as uid:gid */
    PS_REFUSE
};

enum ps_reason
{
    PS_REASON_NONE,
    PS_REASON_ROOT,    /* uid or gid 0 */
    PS_REASON_MINIMUM, /* below PSMinUidGid */
    PS_REASON_SUEXEC,  /* not SuexecUserGroup's ids */
    PS_REASON_PATH     /* the path rule */
};

/** What is to be done. Fields that an action does not need are 0. */
struct ps_verdict
{
    enum ps_action action;
    uid_t uid; /* run as; or, refused: the ids that were refused */
    gid_t gid;
    enum ps_reason reason;
    enum ps_distrust distrust; /* with PS_REASON_PATH */
    size_t component;          /* with PS_REASON_PATH: index into the path */
};

/** Decide. The result is complete; there is no failure. */
struct ps_verdict ps_decide(const struct ps_facts *facts,
                            const struct ps_rules *rules);

/**
 * Decide whom a whole request belongs to, by the folder that is its document
 * root (PSUserGroup docroot): owner, group and path of `facts` are the
 * folder's. Never PS_LEAVE: the server's own folders are nobody's.
 */
struct ps_verdict ps_decide_docroot(const struct ps_facts *facts,
                                    const struct ps_rules *rules);

/**
 * Whether nobody but root, `uid` and the group `gid` can change what stands in
 * a folder: sticky or not, as anybody adds to a sticky one.
 */
enum ps_distrust ps_judge_folder(const struct ps_component *c, uid_t uid,
                                 gid_t gid);

/**
 * The path rule: whether nobody but root and `uid` (and the group `gid`)
 * can change what the path leads to.
 *
 * Returns PS_TRUSTED, or what is wrong, with the first bad component's index
 * in `*bad`. An empty path is PS_FOREIGN_OWNER.
 */
enum ps_distrust ps_judge_path(const struct ps_component *path, size_t length,
                               uid_t uid, gid_t gid, size_t *bad);

#endif /* PS_DECISION_H */
