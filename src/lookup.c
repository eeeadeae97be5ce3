/*
 * lookup - from what a configuration says to a tenant's ids
 *
 * httpd's own ap_uname2id() ends the process for a name that it does not
 * know, and reads "#x" as 0; a server that can become anybody wants better.
 */

#include "lookup.h"

#include <apr_strings.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

const char *ps_parse_id(const char *word, unsigned *id)
{
    char *end;
    unsigned long long n;

    if (word[0] < '0' || word[0] > '9') {
        return "is not a number";
    }
    errno = 0;
    n = strtoull(word, &end, 10);
    if (*end != '\0') {
        return "is not a number";
    }
    if (errno != 0 || n >= (unsigned)-1) {
        return "is out of range (0 to 4294967294)";
    }
    *id = (unsigned)n;
    return NULL;
}

/*
 * Not there, or not answered: getpwnam(3) lists what errno can say where
 * there is no such name. `errno` is the lookup's.
 */
static const char *not_found(apr_pool_t *p, const char *what, const char *word)
{
    int err = errno;
    unsigned id;

    if (err != 0 && err != ENOENT && err != ESRCH && err != EBADF
        && err != EPERM) {
        return apr_psprintf(p, "%s %s cannot be looked up: %s", what, word,
                            strerror(err));
    }
    return apr_psprintf(p, "unknown %s %s%s", what, word,
                        ps_parse_id(word, &id) ? "" : " (a number wants a #)");
}

const char *ps_find_user(apr_pool_t *p, const char *word, uid_t *uid)
{
    const char *wrong;
    struct passwd *pw;

    if (word[0] == '#') {
        wrong = ps_parse_id(word + 1, uid);
        return wrong ? apr_psprintf(p, "user %s %s", word, wrong) : NULL;
    }
    errno = 0;
    pw = getpwnam(word);
    if (!pw) {
        return not_found(p, "user", word);
    }
    *uid = pw->pw_uid;
    return NULL;
}

const char *ps_find_group(apr_pool_t *p, const char *word, gid_t *gid)
{
    const char *wrong;
    struct group *gr;

    if (word[0] == '#') {
        wrong = ps_parse_id(word + 1, gid);
        return wrong ? apr_psprintf(p, "group %s %s", word, wrong) : NULL;
    }
    errno = 0;
    gr = getgrnam(word);
    if (!gr) {
        return not_found(p, "group", word);
    }
    *gid = gr->gr_gid;
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    gid_t x = *(const gid_t *)a;
    gid_t y = *(const gid_t *)b;

    return (x > y) - (x < y);
}

static const char *find_groups(apr_pool_t *p, const char *user,
                               struct ps_identity *who)
{
    int n = PS_GROUPS_MAX;
    gid_t *list = apr_palloc(p, PS_GROUPS_MAX * sizeof(*list));

    if (getgrouplist(user, who->gid, list, &n) < 0) {
        return apr_psprintf(p, "user %s is in more than %d groups", user,
                            PS_GROUPS_MAX);
    }
    qsort(list, (size_t)n, sizeof(*list), ascending);
    who->ngroups = (size_t)n;
    who->groups = list;
    return NULL;
}

/* The name behind "#uid", for its groups; NULL in *name where there is none. */
static const char *find_name(apr_pool_t *p, uid_t uid, const char **name)
{
    struct passwd *pw;

    errno = 0;
    pw = getpwuid(uid);
    *name = pw ? apr_pstrdup(p, pw->pw_name) : NULL;
    if (!pw && errno != 0 && errno != ENOENT && errno != ESRCH) {
        return apr_psprintf(p, "user #%u cannot be looked up: %s", uid,
                            strerror(errno));
    }
    return NULL;
}

const char *ps_find_tenant(apr_pool_t *p, const char *user, const char *group,
                           bool with_groups, struct ps_identity *who)
{
    const char *name = user;
    const char *wrong = ps_find_user(p, user, &who->uid);

    who->ngroups = 0;
    who->groups = NULL;
    if (!wrong) {
        wrong = ps_find_group(p, group, &who->gid);
    }
    if (!wrong && with_groups && user[0] == '#') {
        wrong = find_name(p, who->uid, &name);
    }
    if (wrong || !with_groups || !name) {
        return wrong;
    }
    return find_groups(p, name, who);
}
