/*
 * tenant_thread - a thread that is a tenant, for one errand
 *
 * Raw pthreads, as APR's threads cannot be given a stack, and as httpd must
 * not take the thread for one of its own workers.
 */

#include "tenant_thread.h"

#include "privilege.h"
#include "stack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

/* Set in a tenant's thread only, after the drop; as long as that lives. */
static _Thread_local const struct ps_identity *tenant;

struct order
{
    const struct ps_identity *who;
    ps_errand *errand;
    void *data;
    sigset_t mask; /* of the thread that waits */
    struct ps_outcome drop;
    bool done;
};

static void *run(void *arg)
{
    struct order *order = arg;

    order->drop = ps_drop(&ps_kernel, order->who);
    if (order->drop.step == PS_STEP_NONE) {
        sigset_t all;

        tenant = order->who;
        pthread_sigmask(SIG_SETMASK, &order->mask, NULL);
        order->errand(order->data);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
        order->done = true;
    }
    return NULL;
}

static int start(pthread_t *thread, struct order *order)
{
    struct ps_stack stack;
    pthread_attr_t attr;
    int err = ps_stack_below(&stack);

    if (err == 0) {
        err = pthread_attr_init(&attr);
    }
    if (err != 0) {
        return err;
    }
    err = pthread_attr_setstack(&attr, stack.low, stack.size);
    if (err == 0) {
        err = pthread_create(thread, &attr, run, order);
    }
    pthread_attr_destroy(&attr);
    return err;
}

/* Signals that come from outside; faults stay where they happen. */
static void fill_with_asynchronous(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                 SIGABRT, SIGTRAP, SIGSYS};

    sigfillset(set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(set, faults[i]);
    }
}

struct ps_errand_result ps_run_as(const struct ps_identity *who,
                                  ps_errand *errand, void *data)
{
    struct order order = {.who = who, .errand = errand, .data = data};
    struct ps_errand_result result = {.start_err = EDEADLK};
    pthread_t thread;
    sigset_t asynchronous;

    if (tenant) {
        return result;
    }
    /*
     * prefork stops a child with a handler that empties its pools. Run here,
     * it would do so under the feet of the tenant's thread; run there, it
     * interrupts it, as it does in a httpd without threads. Blocked before
     * the thread exists, so that no handler runs in a half-dropped one.
     */
    fill_with_asynchronous(&asynchronous);
    pthread_sigmask(SIG_BLOCK, &asynchronous, &order.mask);
    result.start_err = start(&thread, &order);
    if (result.start_err == 0) {
        result.start_err = pthread_join(thread, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &order.mask, NULL);
    result.done = order.done;
    result.drop = order.drop;
    return result;
}

bool ps_in_tenant_thread(void)
{
    return tenant != NULL;
}

const struct ps_identity *ps_thread_tenant(void)
{
    return tenant;
}
