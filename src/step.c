/*
 * step - where a change of privilege, or the start of a program, failed, and
 * why
 */
#include "step.h"

#include <stddef.h>

const char *ps_step_name(enum ps_step step)
{
    static const char *const names[] = {
        [PS_STEP_NONE] = "nothing",
        [PS_STEP_KEEPCAPS] = "keeping capabilities",
        [PS_STEP_NARROW] = "narrowing capabilities",
        [PS_STEP_AMBIENT] = "clearing ambient capabilities",
        [PS_STEP_DUMPABLE] = "staying non-dumpable",
        [PS_STEP_RAISE] = "raising capabilities",
        [PS_STEP_GROUPS] = "setting supplementary groups",
        [PS_STEP_GID] = "setting gids",
        [PS_STEP_UID] = "setting uids",
        [PS_STEP_CLEAR] = "clearing capabilities",
        [PS_STEP_LOWER] = "lowering capabilities",
        [PS_STEP_UNSHARE] = "unsharing the working directory",
        [PS_STEP_READ_IDS] = "reading back ids",
        [PS_STEP_READ_GROUPS] = "reading back groups",
        [PS_STEP_READ_CAPS] = "reading back capabilities",
        [PS_STEP_RETURN] = "finding the way back closed",
        [PS_STEP_CLONE] = "starting a process",
        [PS_STEP_STDIO] = "setting standard input, output and error",
        [PS_STEP_CLOSE] = "closing other descriptors",
        [PS_STEP_GROUP] = "making a session",
        [PS_STEP_SIGNALS] = "resetting signals",
        [PS_STEP_LIMITS] = "setting limits",
        [PS_STEP_CHDIR] = "changing to its folder",
        [PS_STEP_FILE] = "looking at the file",
        [PS_STEP_CHANGED] = "finding the file that was decided on",
        [PS_STEP_EXEC] = "executing it",
        [PS_STEP_KILLED] = "staying alive until then",
    };

    if ((size_t)step >= sizeof(names) / sizeof(names[0])) {
        return "an unknown step";
    }
    return names[step];
}
