/*
 * caps - which capabilities a thread has
 *
 * Asks the kernel about the calling thread, and changes nothing.
 */
#ifndef PS_CAPS_H
#define PS_CAPS_H

#include "kernel.h"

#include <stdbool.h>

/**
 * Whether this process may hand out what ps_narrow() keeps.
 *
 * Call as root, in any thread. True where CAP_SETUID and CAP_SETGID are in
 * the permitted set (a container may have taken them away).
 */
bool ps_may_switch(void);

/**
 * Whether the thread holds exactly the two switching capabilities as
 * permitted (or none at all), and nothing effective or inheritable.
 */
bool ps_caps_are(const struct ps_kernel *k, bool may_switch);

/** Whether the thread holds none at all, without libcap, which allocates. */
bool ps_caps_are_none(const struct ps_kernel *k);

/** Whether the thread has none effective. */
bool ps_caps_are_idle(const struct ps_kernel *k);

#endif /* PS_CAPS_H */
