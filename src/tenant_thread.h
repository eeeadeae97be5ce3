/*
 * tenant_thread - a thread that is a tenant, for one errand
 *
 * Started for the errand, dropped for ever, ended with it: a thread that
 * waited for later requests could be killed, and the child with it, by any
 * process of the same tenant (kill(2) and prlimit(2) look at the thread that
 * they name). No httpd header; t/ links it.
 */
#ifndef PS_TENANT_THREAD_H
#define PS_TENANT_THREAD_H

#include "identity.h"
#include "step.h"

/** What a tenant's thread does; runs after the whole drop, or never. */
typedef void ps_errand(void *data);

/** How an errand went. */
struct ps_errand_result
{
    bool done;              /* the errand ran, and returned */
    int start_err;          /* why no thread was started (errno), or 0 */
    struct ps_outcome drop; /* why a started thread did not run it */
};

/**
 * Run `errand` as `who`, in a thread of its own on the calling thread's
 * stack, and wait for it. Signals that the calling thread takes go to the
 * tenant's thread meanwhile, as they would go to the code that runs.
 *
 * Any thread of a child but a tenant's (that would be EDEADLK); never in the
 * parent, which such a thread's tenant could kill. Nothing is left behind.
 */
struct ps_errand_result ps_run_as(const struct ps_identity *who,
                                  ps_errand *errand, void *data);

/** Whether the calling thread is one that ps_run_as() started. */
bool ps_in_tenant_thread(void);

/** Whom ps_run_as() made of the calling thread; NULL: of httpd's own, nobody.
 */
const struct ps_identity *ps_thread_tenant(void);

#endif /* PS_TENANT_THREAD_H */
