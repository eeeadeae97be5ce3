/*
 * userdb - users and groups that no machine has
 *
 * userdb.c defines getpwnam, getpwuid, getgrnam and getgrouplist, and the
 * linker takes them for the parts under test. They know the names and ids
 * below, and ask the C library about all others.
 */
#ifndef PS_USERDB_H
#define PS_USERDB_H

#include <sys/types.h>

/** In three groups, which the database does not name in order. */
#define ALICE "ps-alice"
#define ALICE_UID 40001
/** Another name of Alice's uid, in one group; listed after ps-alice. */
#define ALICE2 "ps-alice2"
/** In as many groups as a tenant may have, the one given included. */
#define JOINER "ps-joiner"
#define JOINER_UID 40002
/** In one more. */
#define HOARDER "ps-hoarder"
#define HOARDER_UID 40003

#define WEB "ps-web"
#define WEB_GID 40100

/** Of Alice's groups, the lowest, and so on. */
enum
{
    ALICE_LOW = 40010,
    ALICE_MID = 40020,
    ALICE_HIGH = 3000000000
};

#endif /* PS_USERDB_H */
