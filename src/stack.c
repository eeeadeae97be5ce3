/*
 * stack - the waiting thread's own stack, for the thread that it waits for
 */

#include "stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#define ALIGNMENT ((uintptr_t)4096)

/* Lowest usable address of the calling thread's stack; 0 or an errno. */
static int ask_lowest(uintptr_t *lowest)
{
    pthread_attr_t attr;
    void *low;
    size_t size;
    size_t guard = 0;
    int err = pthread_getattr_np(pthread_self(), &attr);

    if (err != 0) {
        return err;
    }
    err = pthread_attr_getstack(&attr, &low, &size);
    if (err == 0) {
        err = pthread_attr_getguardsize(&attr, &guard);
    }
    pthread_attr_destroy(&attr);
    /* C libraries differ in whether the guard counts; this is safe for all. */
    *lowest = (uintptr_t)low + guard;
    return err;
}

int ps_stack_below(struct ps_stack *out)
{
    static _Thread_local uintptr_t lowest;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t top = (here - PS_STACK_KEPT) & ~(ALIGNMENT - 1);
    uintptr_t low;

    if (lowest == 0) {
        int err = ask_lowest(&lowest);

        if (err != 0) {
            lowest = 0;
            return err;
        }
    }
    low = (lowest + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (here < low + PS_STACK_KEPT || top < low + PS_STACK_LEAST) {
        return ENOMEM;
    }
    out->low = (void *)low;
    out->size = top - low;
    return 0;
}
