/*
 * clock - time that is not set back or forth, for time-outs
 */
#ifndef PS_CLOCK_H
#define PS_CLOCK_H

#include <apr_time.h>
#include <time.h>

/** Microseconds since some time before; any thread. */
static inline apr_time_t ps_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000;
}

#endif /* PS_CLOCK_H */
