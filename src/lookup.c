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

const char *ps_find_user(apr_pool_t *p, const char *word, uid_t *uid)
{
    const char *wrong;
    struct passwd *pw;

    if (word[0] == '#') {
        wrong = ps_parse_id(word + 1, uid);
        return wrong ? apr_psprintf(p, "user %s %s", word, wrong) : NULL;
    }
    pw = getpwnam(word);
    if (!pw) {
        return apr_psprintf(p, "unknown user %s", word);
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
    gr = getgrnam(word);
    if (!gr) {
        return apr_psprintf(p, "unknown group %s", word);
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

const char *ps_find_tenant(apr_pool_t *p, const char *user, const char *group,
                           struct ps_identity *who)
{
    struct passwd *pw;
    const char *wrong = ps_find_user(p, user, &who->uid);

    if (!wrong) {
        wrong = ps_find_group(p, group, &who->gid);
    }
    who->ngroups = 0;
    who->groups = NULL;
    if (wrong) {
        return wrong;
    }
    pw = getpwuid(who->uid);
    /* By the name given where there is one: several can share a uid. */
    return pw ? find_groups(p, user[0] == '#' ? pw->pw_name : user, who) : NULL;
}
