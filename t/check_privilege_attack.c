/*
 * Checks privilege and tenant_thread against what a tenant could try: from a
 * process of its own, to reach into httpd through the thread that has its
 * uid. The kernel refuses, as long as httpd is not dumpable.
 */
#include "attacks.h"
#include "privilege.h"
#include "suites.h"
#include "support.h"
#include "tenant_thread.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that the tenant's thread starts: the attacker. */
struct order
{
    const struct attack *attack;
    int status; /* as waitpid(2) has it */
};

static void attack_myself(void *data)
{
    struct order *order = data;
    pid_t victim = gettid();
    pid_t attacker = fork();

    if (attacker == 0) {
        _exit(order->attack->try(victim));
    }
    if (attacker < 0 || waitpid(attacker, &order->status, 0) != attacker) {
        order->status = -1;
    }
}

START_TEST(refused)
{
    struct ps_identity who = {TENANT, TENANT, 0, NULL};
    struct order order = {.attack = &memory_attacks[_i], .status = -1};
    const char *name = order.attack->name;

    become_narrow_server();
    ck_assert(ps_run_as(&who, attack_myself, &order).done);
    ck_assert_msg(WIFEXITED(order.status), "%s: status %d", name, order.status);
    ck_assert_msg(
        WEXITSTATUS(order.status) == order.attack->err, "%s: %s", name,
        WEXITSTATUS(order.status) == 0 ? "it works"
                                       : strerror(WEXITSTATUS(order.status)));
}
END_TEST

/* The allowed twins, of these and of others' attacks. */
START_TEST(attacks_are_attacks)
{
    const struct attack *attack = attack_at(_i);
    int err = attack_own(TENANT, attack);

    ck_assert_msg(err == 0, "%s: its own process: %s", attack->name,
                  strerror(err));
}
END_TEST

Suite *privilege_attack_suite(void)
{
    Suite *suite = suite_create("privilege: attacks");
    TCase *tc = tcase_create("attacks");

    add_as_root(tc, refused, MEMORY_ATTACKS);
    add_as_root(tc, attacks_are_attacks, ATTACKS);
    suite_add_tcase(suite, tc);
    return suite;
}
