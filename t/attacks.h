/*
 * attacks - what a process of a tenant's could try against a thread of
 * httpd's, or a process that shares httpd's memory
 */
#ifndef PS_ATTACKS_H
#define PS_ATTACKS_H

#include <stddef.h>
#include <sys/types.h>

/** One of them, and why the kernel is to refuse it. */
struct attack
{
    const char *name;
    int (*try)(pid_t tid); /* 0 where it works, or an errno */
    int err;
};

/** On memory and descriptors: refused while httpd is not dumpable. */
#define MEMORY_ATTACKS 6
extern const struct attack memory_attacks[MEMORY_ATTACKS];

/** With signals and limits: refused by the ids of the thread. */
#define SIGNAL_ATTACKS 6
extern const struct attack signal_attacks[SIGNAL_ATTACKS];

/** On how it is scheduled: refused, as it may have capabilities. */
#define PRIORITY_ATTACKS 3
extern const struct attack priority_attacks[PRIORITY_ATTACKS];

/** All of them, one after the other. */
#define ATTACKS (MEMORY_ATTACKS + SIGNAL_ATTACKS + PRIORITY_ATTACKS)
const struct attack *attack_at(int i);

/**
 * A process of its own, of this user and no group or capability, dumpable,
 * which ends with the calling thread; as fork(2). Its caller is root, or has
 * both capabilities effective.
 */
pid_t fork_as(uid_t uid);

/** Attack in a process of its own, of this user. What came of it; -1: nothing.
 */
int attack_as(uid_t uid, const struct attack *attack, pid_t tid);

/** The same, where the attacker attacks a process that it started itself. */
int attack_own(uid_t uid, const struct attack *attack);

#endif /* PS_ATTACKS_H */
