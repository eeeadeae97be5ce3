/*
 * children - the programs that this child of httpd has started, one by one
 */
#include "children.h"

#include "clock.h"
#include "privilege.h"
#include "tag.h"

#include <apr_atomic.h>
#include <errno.h>
#include <http_log.h>
#include <http_main.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The reaper alone: to the process group, or, before it has one, the process.
 */
static int deliver(const struct ps_child *child, pid_t pid, int sig)
{
    int err;
    struct ps_outcome outcome =
        ps_signal_as(&ps_kernel, child->uid, pid, sig, &err);

    if (outcome.step != PS_STEP_NONE) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, outcome.err, ap_server_conf,
                     PS_TAG_IDENTITY "%s failed: a thread cannot return to the "
                                     "server's identity: this process ends",
                     ps_step_name(outcome.step));
        _exit(APEXIT_CHILDSICK);
    }
    return err;
}

/* Its process group; and itself, where it has gone to another one. */
static int deliver_to_all(const struct ps_child *child, int sig)
{
    int err = deliver(child, -child->pid, sig);

    return err == ESRCH && !child->gone ? deliver(child, child->pid, sig) : err;
}

void ps_child_look_for_end(struct ps_child *child)
{
    if (!child->gone && child->pid > 0) {
        pid_t pid = waitpid(child->pid, NULL, WNOHANG);

        child->gone = pid == child->pid || (pid < 0 && errno == ECHILD);
    }
}

/* TERM, KILL, and whether it is over: none of its process group is left. */
static bool end(struct ps_child *child, apr_time_t now)
{
    if (!child->asked) {
        int err = deliver_to_all(child, SIGTERM);

        child->asked = true;
        child->deadline = now + PS_GRACE;
        child->wait = PS_LOOK_FIRST;
        ap_log_error(APLOG_MARK, APLOG_INFO, err, ap_server_conf,
                     PS_TAG_ENDED "process %" APR_PID_T_FMT
                                  " of uid %u gets TERM: %s",
                     child->pid, child->uid, child->why);
    }
    if (!child->killed && now >= child->deadline) {
        child->killed = true;
        deliver_to_all(child, SIGKILL);
    }
    ps_child_look_for_end(child);
    return child->gone
           && (child->killed || deliver(child, -child->pid, 0) == ESRCH);
}

static void look_at_start(struct ps_child *child, apr_time_t now)
{
    if (now < child->deadline) {
        child->next = child->deadline;
        return;
    }
    if (child->pid > 0) {
        deliver(child, child->pid, SIGKILL);
    }
    if (!child->stuck) {
        child->stuck = true;
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf,
                     PS_TAG_STUCK "process %" APR_PID_T_FMT
                                  " of uid %u has not come to its program, "
                                  "and gets KILL",
                     child->pid, child->uid);
    }
    child->deadline = now + PS_START_MOST;
    child->next = child->deadline;
}

bool ps_child_look(struct ps_child *child, apr_time_t now)
{
    if (now < child->next) {
        return false;
    }
    if (!apr_atomic_read32(&child->runs)) {
        look_at_start(child, now);
        return false;
    }
    if (!child->released && !child->why) {
        child->next = PS_NEVER;
        return false;
    }
    if (child->why && !child->over) {
        child->over = end(child, now);
    }
    else if (!child->why) {
        ps_child_look_for_end(child);
        child->over =
            child->gone && (!child->log || ps_script_log_fd(child->log) < 0);
    }
    if (child->over) {
        child->next = PS_NEVER;
        return child->released;
    }
    child->next = now + child->wait;
    if (child->why && !child->killed && child->next > child->deadline) {
        child->next = child->deadline;
    }
    child->wait =
        child->wait * 2 < PS_LOOK_LAST ? child->wait * 2 : PS_LOOK_LAST;
    return false;
}
