/*
 * Checks privilege on the running kernel, as root: what /proc says of a child
 * after narrowing, of a tenant's thread after the drop, and of the threads
 * beside it. Not what the code believes.
 */
#include "privilege.h"
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const gid_t server_groups[] = {SERVER};
static const gid_t two_groups[] = {GROUP_A, GROUP_B};

static void assert_server(const char *name, const struct status *status)
{
    ck_assert_msg(status_is(status, SERVER, SERVER, 1, server_groups),
                  "%s: uid %u, gid %u, %zu groups", name, status->uid[1],
                  status->gid[1], status->ngroups);
    ck_assert_msg(status->permitted == SWITCHING, "%s: CapPrm %llx", name,
                  status->permitted);
    ck_assert_msg(status->effective == 0 && status->inheritable == 0
                      && status->ambient == 0,
                  "%s: CapEff %llx, CapInh %llx, CapAmb %llx", name,
                  status->effective, status->inheritable, status->ambient);
}

/* ---- narrowing ---- */

static int say_ambient_success(int option, unsigned long arg)
{
    return option == PR_CAP_AMBIENT ? 0 : ps_kernel.prctl(option, arg);
}

static const struct narrow_row
{
    const char *name;
    bool dumpable;     /* before */
    bool ambient;      /* before */
    bool ambient_lies; /* clearing it does nothing */
} narrow_rows[] = {
    {"a child as it is", false, false, false},
    {"CoreDumpDirectory had made it dumpable", true, false, false},
    {"a capability was inheritable and ambient", false, true, false},
    {"the same, and clearing it does nothing", false, true, true},
};

START_TEST(narrow)
{
    const struct narrow_row *row = &narrow_rows[_i];
    const unsigned chown_too = (unsigned)SWITCHING | 1U << CAP_CHOWN;
    struct ps_kernel k = ps_kernel;
    struct status status;

    become_server();
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, row->dumpable), 0);
    if (row->ambient) {
        ck_assert_int_eq(change_caps(chown_too, 0, 1U << CAP_CHOWN), 0);
        ck_assert_int_eq(
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), 0);
        ck_assert_uint_ne(my_status().ambient, 0);
    }
    if (row->ambient_lies) {
        k.prctl = say_ambient_success;
    }
    ck_assert_int_eq(ps_narrow(&k).step, PS_STEP_NONE);
    status = my_status();
    assert_server(row->name, &status);
    ck_assert_msg(prctl(PR_GET_KEEPCAPS) == 0, "%s: keepcaps", row->name);
    ck_assert_msg(prctl(PR_GET_DUMPABLE) == 0, "%s: dumpable", row->name);
    ck_assert_msg(change_caps(chown_too, 0, 0) == -1 && errno == EPERM,
                  "%s: more can be had again", row->name);
    ck_assert_msg(ps_may_switch(), "%s: may switch no more", row->name);
}
END_TEST

/* ---- the drop, in a thread ---- */

static const struct drop_row
{
    const char *name;
    struct ps_identity who;
} drop_rows[] = {
    {"a tenant with groups", {TENANT, TENANT, 2, two_groups}},
    {"a tenant without groups", {TENANT, TENANT, 0, NULL}},
    {"a tenant with another group", {TENANT, GROUP_A, 1, two_groups}},
    {"the server's own user", {SERVER, SERVER, 0, NULL}},
    {"the server's user with another group", {SERVER, TENANT, 0, NULL}},
    {"another user with the server's group", {TENANT, SERVER, 0, NULL}},
    {"the highest ids", {4294967294U, 4294967294U, 0, NULL}},
    {"root, by the operator's word", {0, 0, 0, NULL}},
};

/* What a tenant's thread sees of itself and of the others. */
struct view
{
    char waiting_file[64];
    char beside_file[64];
    bool read;
    struct status own, waiting, beside;
    int dumpable;
};

static void look(void *data)
{
    struct view *view = data;

    view->read = read_status("/proc/thread-self/status", &view->own)
                 && read_status(view->waiting_file, &view->waiting)
                 && read_status(view->beside_file, &view->beside);
    view->dumpable = prctl(PR_GET_DUMPABLE);
}

/* A thread that was there before, and is to stay what it is. */
struct bystander
{
    pthread_t thread;
    pid_t tid;
    sem_t started, end;
    struct status last;
};

static void *stand_by(void *data)
{
    struct bystander *b = data;

    b->tid = gettid();
    sem_post(&b->started);
    sem_wait(&b->end);
    read_status("/proc/thread-self/status", &b->last);
    return NULL;
}

static void start_bystander(struct bystander *b)
{
    sem_init(&b->started, 0, 0);
    sem_init(&b->end, 0, 0);
    ck_assert_int_eq(pthread_create(&b->thread, NULL, stand_by, b), 0);
    sem_wait(&b->started);
}

static void end_bystander(struct bystander *b)
{
    sem_post(&b->end);
    ck_assert_int_eq(pthread_join(b->thread, NULL), 0);
}

static void status_file(char out[64], pid_t tid)
{
    snprintf(out, 64, "/proc/self/task/%d/status", (int)tid);
}

START_TEST(drop)
{
    const struct drop_row *row = &drop_rows[_i];
    const struct ps_identity *who = &row->who;
    struct bystander bystander;
    struct view view = {.read = false};
    struct ps_errand_result result;
    struct status after;

    become_narrow_server();
    start_bystander(&bystander);
    status_file(view.waiting_file, gettid());
    status_file(view.beside_file, bystander.tid);
    result = ps_run_as(who, look, &view);
    ck_assert_msg(result.done, "%s: %s: %s", row->name,
                  ps_step_name(result.drop.step), strerror(result.drop.err));
    ck_assert_msg(view.read, "%s: no status", row->name);
    ck_assert_msg(
        status_is(&view.own, who->uid, who->gid, who->ngroups, who->groups),
        "%s: uids %u %u %u %u, gid %u, %zu groups", row->name, view.own.uid[0],
        view.own.uid[1], view.own.uid[2], view.own.uid[3], view.own.gid[0],
        view.own.ngroups);
    ck_assert_msg(view.own.inheritable == 0 && view.own.permitted == 0
                      && view.own.effective == 0 && view.own.ambient == 0,
                  "%s: capabilities", row->name);
    ck_assert_msg(view.dumpable == 0, "%s: dumpable", row->name);
    assert_server("the waiting thread, meanwhile", &view.waiting);
    assert_server("the thread beside it, meanwhile", &view.beside);
    end_bystander(&bystander);
    after = my_status();
    assert_server("the waiting thread, afterwards", &after);
    assert_server("the thread beside it, afterwards", &bystander.last);
    ck_assert_msg(prctl(PR_GET_DUMPABLE) == 0, "%s: dumpable", row->name);
}
END_TEST

/* One thread waits for many tenants, one after the other. */
START_TEST(drops_in_turn)
{
    become_narrow_server();
    for (unsigned i = 0; i < 20; i++) {
        struct ps_identity who = {TENANT + i, TENANT - i, i % 3, two_groups};
        struct view view = {.read = false};
        struct status after;

        who.ngroups = i % 3;
        status_file(view.waiting_file, gettid());
        status_file(view.beside_file, gettid());
        ck_assert(ps_run_as(&who, look, &view).done);
        ck_assert(view.read);
        ck_assert_msg(
            status_is(&view.own, who.uid, who.gid, who.ngroups, who.groups),
            "tenant %u", i);
        after = my_status();
        assert_server("the waiting thread, in turn", &after);
    }
}
END_TEST

/* httpd that was started with -DBIG_SECURITY_HOLE, and a tenant that is root.
 */
START_TEST(root_from_root)
{
    struct ps_identity who = {0, 0, 0, NULL};
    struct view view = {.read = false};

    ck_assert_int_eq(ps_narrow(&ps_kernel).step, PS_STEP_NONE);
    status_file(view.waiting_file, gettid());
    status_file(view.beside_file, gettid());
    ck_assert(ps_run_as(&who, look, &view).done);
    ck_assert(status_is(&view.own, 0, 0, 0, NULL));
    ck_assert_uint_eq(view.own.permitted, 0);
}
END_TEST

/* ---- asking who a thread is ---- */

static const struct acts_row
{
    const char *name;
    unsigned uid, gid;
    bool want;
} acts_rows[] = {
    {"the file-system identity", TENANT, GROUP_A, true},
    {"the effective identity", SERVER, SERVER, false},
    {"another gid", TENANT, SERVER, false},
    {"another uid", SERVER, GROUP_A, false},
};

START_TEST(acts_as)
{
    const struct acts_row *row = &acts_rows[_i];

    become_server();
    ck_assert_int_eq(change_caps(SWITCHING, SWITCHING, 0), 0);
    ps_kernel.setfsgid(GROUP_A);
    ps_kernel.setfsuid(TENANT);
    ck_assert_msg(ps_thread_acts_as(&ps_kernel, row->uid, row->gid)
                      == row->want,
                  "%s", row->name);
    ck_assert_msg(ps_thread_acts_as(&ps_kernel, TENANT, GROUP_A),
                  "%s: asking changed it", row->name);
}
END_TEST

static const struct may_row
{
    const char *name;
    unsigned permitted;
    bool want;
} may_rows[] = {
    {"both", 1U << CAP_SETUID | 1U << CAP_SETGID, true},
    {"both and another", 1U << CAP_SETUID | 1U << CAP_SETGID | 1U, true},
    {"CAP_SETUID alone", 1U << CAP_SETUID, false},
    {"CAP_SETGID alone", 1U << CAP_SETGID, false},
    {"others", 1U << CAP_CHOWN | 1U << CAP_KILL, false},
    {"none", 0, false},
};

START_TEST(may_switch)
{
    const struct may_row *row = &may_rows[_i];

    ck_assert_int_eq(change_caps(row->permitted, 0, 0), 0);
    ck_assert_msg(ps_may_switch() == row->want, "%s", row->name);
}
END_TEST

/* Needs no root: each step has a name of its own, for the log. */
START_TEST(step_names)
{
    for (int i = PS_STEP_NONE; i <= PS_STEP_RETURN; i++) {
        ck_assert_ptr_nonnull(ps_step_name((enum ps_step)i));
        for (int j = PS_STEP_NONE; j < i; j++) {
            ck_assert_str_ne(ps_step_name((enum ps_step)i),
                             ps_step_name((enum ps_step)j));
        }
    }
    ck_assert_str_eq(ps_step_name((enum ps_step)4711), "an unknown step");
}
END_TEST

Suite *privilege_kernel_suite(void)
{
    Suite *suite = suite_create("privilege: kernel");
    TCase *tc = tcase_create("kernel");

    tcase_add_test(tc, step_names);
    add_as_root(tc, narrow, ROWS(narrow_rows));
    add_as_root(tc, drop, ROWS(drop_rows));
    add_as_root(tc, drops_in_turn, 1);
    add_as_root(tc, root_from_root, 1);
    add_as_root(tc, acts_as, ROWS(acts_rows));
    add_as_root(tc, may_switch, ROWS(may_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
