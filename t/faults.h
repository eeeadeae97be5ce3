/*
 * faults - a kernel on which one call goes wrong, as a row of a table says
 *
 * For the checks of privilege.c: each of its calls fails, or claims a success
 * that never was. All else is the real kernel's, so these checks need root.
 */
#ifndef PS_FAULTS_H
#define PS_FAULTS_H

#include "privilege.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/prctl.h>

/** One thing that goes wrong, where, and what is to come of it. */
struct fault
{
    const char *name;
    struct ps_kernel wrong; /* what is set here replaces the real call */
    int call;               /* which call of it, from 1; 0: each */
    int option;             /* of prctl, if the call is that */
    int err;                /* it fails with this; 0: it returns `value` */
    int value;              /* also: the wrong id; 0: the server's */
    int which;              /* of several results, the one that is wrong */
    cap_flag_t flag;        /* of several sets */
    cap_flag_value_t held;  /* what CAP_SETUID (CAP_CHOWN: set) is there */
    bool further;           /* the server has two groups besides its own */
    bool no_groups;         /* the tenant has none; else two */
    bool same_user;         /* the tenant is the server's own user */
    bool back;              /* from the tenant to the server */
    bool raised;            /* capabilities are still effective afterwards */
    int left;               /* groups that the server keeps in narrowing */
    enum ps_step step;      /* what is to come of it */
    int want_err;
};

/* The calls that a row can name in `wrong`; see faults.c for each. */
int bad_setgroups(size_t size, const gid_t *list);
int bad_setresgid(gid_t r, gid_t e, gid_t s);
int bad_setresuid(uid_t r, uid_t e, uid_t s);
int lying_setresuid(uid_t r, uid_t e, uid_t s);
int opening_setresuid(uid_t r, uid_t e, uid_t s);
int bad_unshare(int flags);
int bad_capset(cap_user_header_t hdr, const cap_user_data_t data);
int bad_capget(cap_user_header_t hdr, cap_user_data_t data);
int other_capget(cap_user_header_t hdr, cap_user_data_t data);
int bad_prctl(int option, unsigned long arg);
int bad_getresuid(uid_t *r, uid_t *e, uid_t *s);
int bad_getresgid(gid_t *r, gid_t *e, gid_t *s);
int bad_getgroups(int size, gid_t *list);
int other_getgroups(int size, gid_t *list);
int bad_setfsuid(uid_t uid);
int bad_setfsgid(gid_t gid);
int idle_setfsuid(uid_t uid);
int idle_setfsgid(gid_t gid);
int opening_setfsuid(uid_t uid);
cap_t no_cap_get_proc(void);
cap_t bad_cap_get_proc(void);
int bad_kill(pid_t pid, int sig);

#define WITH(member) .wrong = {.member = bad_##member}
#define FAILS(e) .err = (e), .want_err = (e)
#define STEP(s) .step = PS_STEP_##s
#define LATER(e) .want_err = (e) /* what fails because of the lie */

/** The real kernel, but for what the row replaces; one row at a time. */
struct ps_kernel kernel_with(const struct fault *fault);

/** Assert that this is what the row wants to come of it. */
void assert_outcome(const struct fault *fault, struct ps_outcome got);

#endif /* PS_FAULTS_H */
