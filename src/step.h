/*
 * step - where a change of privilege, or the start of a program, failed, and
 * why
 */
#ifndef PS_STEP_H
#define PS_STEP_H

/** Where it failed; PS_STEP_NONE is success. */
enum ps_step
{
    PS_STEP_NONE,
    PS_STEP_KEEPCAPS,    /* keep capabilities over the server's own setuid */
    PS_STEP_NARROW,      /* give up all but SETUID and SETGID */
    PS_STEP_AMBIENT,     /* clear the ambient set */
    PS_STEP_DUMPABLE,    /* make, or find, the process non-dumpable */
    PS_STEP_RAISE,       /* make SETUID and SETGID effective in this thread */
    PS_STEP_GROUPS,      /* supplementary groups */
    PS_STEP_GID,         /* real, effective and saved gid */
    PS_STEP_UID,         /* real, effective and saved uid */
    PS_STEP_CLEAR,       /* clear every capability */
    PS_STEP_LOWER,       /* make none effective in this thread again */
    PS_STEP_UNSHARE,     /* a working directory and umask of its own */
    PS_STEP_READ_IDS,    /* read back: ids are not those asked for */
    PS_STEP_READ_GROUPS, /* read back: groups are not those asked for */
    PS_STEP_READ_CAPS,   /* read back: capabilities are not as asked for */
    PS_STEP_RETURN,      /* the way back was open */
    PS_STEP_CLONE,       /* start a process */
    PS_STEP_STDIO,       /* its standard input, output and error */
    PS_STEP_CLOSE,       /* close all other descriptors */
    PS_STEP_GROUP,       /* a session of its own */
    PS_STEP_SIGNALS,     /* default handlers, and no signal blocked */
    PS_STEP_LIMITS,      /* its limits */
    PS_STEP_CHDIR,       /* its working directory */
    PS_STEP_FILE,        /* look at the program's file */
    PS_STEP_CHANGED,     /* the file is not the one decided on */
    PS_STEP_EXEC,        /* execute it */
    PS_STEP_KILLED       /* it was killed before it got there */
};

/** What happened. err is an errno, or 0 where a call lied. */
struct ps_outcome
{
    enum ps_step step;
    int err;
};

/** The name of a step, for log lines; never NULL. */
const char *ps_step_name(enum ps_step step);

#endif /* PS_STEP_H */
