/*
 * userdb - users and groups that no machine has
 */
#include "userdb.h"

#include "support.h"

#include "privilege.h"

#include <dlfcn.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

static char alice[] = ALICE, alice2[] = ALICE2, joiner[] = JOINER;
static char hoarder[] = HOARDER, web[] = WEB;

static struct passwd users[] = {
    {.pw_name = alice, .pw_uid = ALICE_UID, .pw_gid = ALICE_UID},
    {.pw_name = alice2, .pw_uid = ALICE_UID, .pw_gid = ALICE_UID},
    {.pw_name = joiner, .pw_uid = JOINER_UID, .pw_gid = JOINER_UID},
    {.pw_name = hoarder, .pw_uid = HOARDER_UID, .pw_gid = HOARDER_UID},
};

static struct group groups[] = {{.gr_name = web, .gr_gid = WEB_GID}};

struct passwd *getpwnam(const char *name)
{
    struct passwd *(*real)(const char *);

    for (size_t i = 0; i < ROWS(users); i++) {
        if (strcmp(users[i].pw_name, name) == 0) {
            return &users[i];
        }
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getpwnam");
    return real(name);
}

struct passwd *getpwuid(uid_t uid)
{
    struct passwd *(*real)(uid_t);

    for (size_t i = 0; i < ROWS(users); i++) {
        if (users[i].pw_uid == uid) {
            return &users[i];
        }
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getpwuid");
    return real(uid);
}

struct group *getgrnam(const char *name)
{
    struct group *(*real)(const char *);

    for (size_t i = 0; i < ROWS(groups); i++) {
        if (strcmp(groups[i].gr_name, name) == 0) {
            return &groups[i];
        }
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getgrnam");
    return real(name);
}

/* As getgrouplist(3): the group given comes first, then `others`. */
static int give(gid_t gid, const gid_t *others, int n, gid_t *list, int *max)
{
    int room = *max;

    *max = n + 1;
    for (int i = 0; i < *max && i < room; i++) {
        list[i] = i == 0 ? gid : others[i - 1];
    }
    return *max <= room ? *max : -1;
}

int getgrouplist(const char *user, gid_t gid, gid_t *list, int *max)
{
    static const gid_t of_alice[] = {ALICE_HIGH, ALICE_LOW, ALICE_MID};
    static gid_t many[PS_GROUPS_MAX];
    int (*real)(const char *, gid_t, gid_t *, int *);

    for (size_t i = 0; i < ROWS(many); i++) {
        many[i] = (gid_t)(50000 + i);
    }
    if (strcmp(user, ALICE) == 0) {
        return give(gid, of_alice, 3, list, max);
    }
    if (strcmp(user, ALICE2) == 0) {
        return give(gid, of_alice + 1, 1, list, max);
    }
    if (strcmp(user, JOINER) == 0) {
        return give(gid, many, PS_GROUPS_MAX - 1, list, max);
    }
    if (strcmp(user, HOARDER) == 0) {
        return give(gid, many, PS_GROUPS_MAX, list, max);
    }
    *(void **)&real = dlsym(RTLD_NEXT, "getgrouplist");
    return real(user, gid, list, max);
}
