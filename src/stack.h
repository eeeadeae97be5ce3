/*
 * stack - the waiting thread's own stack, for the thread that it waits for
 *
 * The tenant's thread runs on the part of the waiting thread's stack that
 * lies below what that one uses. PHP from 8.3 on takes the bounds of the main
 * thread's stack at start, and rejects every script that runs outside of
 * them; and the pages are there already, which makes a request cheaper.
 */
#ifndef PS_STACK_H
#define PS_STACK_H

#include <stddef.h>

/**
 * What stays with the waiting thread, for what it calls to start and join
 * the other, and for signal handlers.
 */
#define PS_STACK_KEPT ((size_t)128 * 1024)

/** The least that a tenant's thread gets, or it is not started. */
#define PS_STACK_LEAST ((size_t)128 * 1024)

/** A piece of stack, as pthread_attr_setstack(3) wants it; bytes. */
struct ps_stack
{
    void *low;
    size_t size;
};

/**
 * The free part of the calling thread's stack.
 *
 * The caller must not return from its frame, nor call deeper than
 * PS_STACK_KEPT, while a thread runs on it. Asks for the thread's bounds
 * once, as that reads /proc/self/maps in the main thread.
 *
 * Returns 0; ENOMEM where less than PS_STACK_LEAST is left (ThreadStackSize,
 * ulimit -s); or what pthread_getattr_np(3) said.
 */
int ps_stack_below(struct ps_stack *out);

#endif /* PS_STACK_H */
