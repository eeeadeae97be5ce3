/*
 * Checks settings of a server or virtual host: the defaults, and for each
 * directive of several values that they are inherited or replaced together.
 * (Directives that are On or Off: check_settings.c.)
 */
#include "settings.h"
#include "suites.h"
#include "support.h"

#include <string.h>

static const gid_t groups[] = {GROUP_A, GROUP_B};

/* What one place may say. */
#define NAMED(u, g)                                                            \
    .named = true, .user = "user", .group = "group",                           \
    .tenant = {.uid = (u), .gid = (g), .ngroups = 2, .groups = groups}
#define PIN(u, g) .tenancy = PS_TENANCY_PINNED, NAMED(u, g)
#define DOCROOT .tenancy = PS_TENANCY_DOCROOT
#define SUEXEC .tenancy = PS_TENANCY_SUEXEC /* as written */
#define SUEXEC_OF(u, g) SUEXEC, NAMED(u, g) /* where SuexecUserGroup stands */
#define OWNER .tenancy = PS_TENANCY_OWNER
#define MINIMUM(u, g) .minimum_set = true, .min_uid = (u), .min_gid = (g)
#define DEFAULT(u, g)                                                          \
    .default_set = true, .default_tenant = {.uid = u, .gid = g}
#define SWITCHES_UNSET .root_enable = PS_UNSET, .cap_dac_override = PS_UNSET

/* What the defaults add where nothing was said. */
#define NO_MINIMUM MINIMUM(100, 100)
#define SWITCHES_OFF .root_enable = PS_OFF, .cap_dac_override = PS_OFF

static const struct row
{
    const char *name;
    struct ps_host_settings base, over, want;
} rows[] = {
    {"nothing said",
     {SWITCHES_UNSET},
     {SWITCHES_UNSET},
     {OWNER, NO_MINIMUM, SWITCHES_OFF}},

    {"pinned at the server",
     {PIN(TENANT, SERVER), SWITCHES_UNSET},
     {SWITCHES_UNSET},
     {PIN(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"pinned at the host",
     {SWITCHES_UNSET},
     {PIN(TENANT, SERVER), SWITCHES_UNSET},
     {PIN(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"pinned twice",
     {PIN(STRANGER, STRANGER), SWITCHES_UNSET},
     {PIN(TENANT, SERVER), SWITCHES_UNSET},
     {PIN(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"PSUserGroup owner returns to owner mode",
     {PIN(TENANT, SERVER), SWITCHES_UNSET},
     {OWNER, SWITCHES_UNSET},
     {OWNER, NO_MINIMUM, SWITCHES_OFF}},
    {"owner mode at the server, pinned at the host",
     {OWNER, SWITCHES_UNSET},
     {PIN(TENANT, SERVER), SWITCHES_UNSET},
     {PIN(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},

    {"docroot at the server",
     {DOCROOT, SWITCHES_UNSET},
     {SWITCHES_UNSET},
     {DOCROOT, NO_MINIMUM, SWITCHES_OFF}},
    {"docroot at the host",
     {SWITCHES_UNSET},
     {DOCROOT, SWITCHES_UNSET},
     {DOCROOT, NO_MINIMUM, SWITCHES_OFF}},
    {"pinned at the server, docroot at the host",
     {PIN(STRANGER, STRANGER), SWITCHES_UNSET},
     {DOCROOT, SWITCHES_UNSET},
     {DOCROOT, NO_MINIMUM, SWITCHES_OFF}},
    {"docroot at the server, pinned at the host",
     {DOCROOT, SWITCHES_UNSET},
     {PIN(TENANT, SERVER), SWITCHES_UNSET},
     {PIN(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"owner mode at the server, docroot at the host",
     {OWNER, SWITCHES_UNSET},
     {DOCROOT, SWITCHES_UNSET},
     {DOCROOT, NO_MINIMUM, SWITCHES_OFF}},
    {"docroot at the server, owner mode at the host",
     {DOCROOT, SWITCHES_UNSET},
     {OWNER, SWITCHES_UNSET},
     {OWNER, NO_MINIMUM, SWITCHES_OFF}},
    {"suexec at the server",
     {SUEXEC, SWITCHES_UNSET},
     {SWITCHES_UNSET},
     {SUEXEC, NO_MINIMUM, SWITCHES_OFF}},
    {"suexec at the host",
     {SWITCHES_UNSET},
     {SUEXEC, SWITCHES_UNSET},
     {SUEXEC, NO_MINIMUM, SWITCHES_OFF}},
    {"pinned at the server, suexec at the host",
     {PIN(STRANGER, STRANGER), SWITCHES_UNSET},
     {SUEXEC, SWITCHES_UNSET},
     {SUEXEC, NO_MINIMUM, SWITCHES_OFF}},
    {"suexec at the server, pinned at the host",
     {SUEXEC, SWITCHES_UNSET},
     {PIN(TENANT, SERVER), SWITCHES_UNSET},
     {PIN(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"owner mode at the server, suexec at the host",
     {OWNER, SWITCHES_UNSET},
     {SUEXEC, SWITCHES_UNSET},
     {SUEXEC, NO_MINIMUM, SWITCHES_OFF}},
    {"suexec at the server, owner mode at the host",
     {SUEXEC, SWITCHES_UNSET},
     {OWNER, SWITCHES_UNSET},
     {OWNER, NO_MINIMUM, SWITCHES_OFF}},
    {"docroot at the server, suexec at the host",
     {DOCROOT, SWITCHES_UNSET},
     {SUEXEC, SWITCHES_UNSET},
     {SUEXEC, NO_MINIMUM, SWITCHES_OFF}},
    {"suexec at the server, docroot at the host",
     {SUEXEC_OF(STRANGER, STRANGER), SWITCHES_UNSET},
     {DOCROOT, SWITCHES_UNSET},
     {DOCROOT, NO_MINIMUM, SWITCHES_OFF}},
    {"suexec at the server, and its tenant",
     {SUEXEC_OF(TENANT, SERVER), SWITCHES_UNSET},
     {SWITCHES_UNSET},
     {SUEXEC_OF(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"suexec twice: the host's has a tenant",
     {SUEXEC, SWITCHES_UNSET},
     {SUEXEC_OF(TENANT, SERVER), SWITCHES_UNSET},
     {SUEXEC_OF(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"suexec twice: the server's tenant is not the host's",
     {SUEXEC_OF(STRANGER, STRANGER), SWITCHES_UNSET},
     {SUEXEC, SWITCHES_UNSET},
     {SUEXEC, NO_MINIMUM, SWITCHES_OFF}},
    {"a tenant of suexec's, pinned at the host",
     {SUEXEC_OF(STRANGER, STRANGER), SWITCHES_UNSET},
     {PIN(TENANT, SERVER), SWITCHES_UNSET},
     {PIN(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"pinned, a tenant of suexec's at the host",
     {PIN(STRANGER, STRANGER), SWITCHES_UNSET},
     {SUEXEC_OF(TENANT, SERVER), SWITCHES_UNSET},
     {SUEXEC_OF(TENANT, SERVER), NO_MINIMUM, SWITCHES_OFF}},
    {"a tenant of suexec's, owner mode at the host",
     {SUEXEC_OF(STRANGER, STRANGER), SWITCHES_UNSET},
     {OWNER, SWITCHES_UNSET},
     {OWNER, NO_MINIMUM, SWITCHES_OFF}},
    /* What no tenancy says of itself does not come over alone. */
    {"a tenant, and no tenancy, at the host",
     {DOCROOT, SWITCHES_UNSET},
     {NAMED(TENANT, SERVER), SWITCHES_UNSET},
     {DOCROOT, NO_MINIMUM, SWITCHES_OFF}},

    {"a minimum at the server",
     {MINIMUM(500, 600), SWITCHES_UNSET},
     {SWITCHES_UNSET},
     {OWNER, MINIMUM(500, 600), SWITCHES_OFF}},
    {"a minimum at the host",
     {SWITCHES_UNSET},
     {MINIMUM(500, 600), SWITCHES_UNSET},
     {OWNER, MINIMUM(500, 600), SWITCHES_OFF}},
    {"a minimum in both",
     {MINIMUM(500, 600), SWITCHES_UNSET},
     {MINIMUM(700, 50), SWITCHES_UNSET},
     {OWNER, MINIMUM(700, 50), SWITCHES_OFF}},
    {"a minimum of 0 is one, too",
     {MINIMUM(500, 600), SWITCHES_UNSET},
     {MINIMUM(0, 0), SWITCHES_UNSET},
     {OWNER, MINIMUM(0, 0), SWITCHES_OFF}},

    {"a default at the server",
     {DEFAULT(TENANT, SERVER), SWITCHES_UNSET},
     {SWITCHES_UNSET},
     {OWNER, NO_MINIMUM, DEFAULT(TENANT, SERVER), SWITCHES_OFF}},
    {"a default at the host",
     {SWITCHES_UNSET},
     {DEFAULT(TENANT, SERVER), SWITCHES_UNSET},
     {OWNER, NO_MINIMUM, DEFAULT(TENANT, SERVER), SWITCHES_OFF}},
    {"a default in both",
     {DEFAULT(STRANGER, STRANGER), SWITCHES_UNSET},
     {DEFAULT(TENANT, SERVER), SWITCHES_UNSET},
     {OWNER, NO_MINIMUM, DEFAULT(TENANT, SERVER), SWITCHES_OFF}},

    {"each directive from another place",
     {PIN(TENANT, SERVER), DEFAULT(STRANGER, STRANGER), .root_enable = PS_ON,
      .cap_dac_override = PS_UNSET},
     {MINIMUM(0, 7), .root_enable = PS_UNSET, .cap_dac_override = PS_ON},
     {PIN(TENANT, SERVER), MINIMUM(0, 7), DEFAULT(STRANGER, STRANGER),
      .root_enable = PS_ON, .cap_dac_override = PS_ON}},
};

static bool same_tenant(const struct ps_identity *a,
                        const struct ps_identity *b)
{
    return a->uid == b->uid && a->gid == b->gid && a->ngroups == b->ngroups
           && a->groups == b->groups;
}

static bool same_word(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

START_TEST(host_merge)
{
    const struct row *row = &rows[_i];
    const struct ps_host_settings *want = &row->want;
    struct ps_host_settings got;
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    got = ps_host_effective(ps_host_merge(pool, &row->base, &row->over));
    ck_assert_msg(got.tenancy == want->tenancy, "%s: tenancy %d", row->name,
                  got.tenancy);
    ck_assert_msg(got.named == want->named, "%s: named %d", row->name,
                  got.named);
    ck_assert_msg(same_tenant(&got.tenant, &want->tenant), "%s: tenant %u:%u",
                  row->name, got.tenant.uid, got.tenant.gid);
    ck_assert_msg(same_word(got.user, want->user), "%s: user", row->name);
    ck_assert_msg(same_word(got.group, want->group), "%s: group", row->name);
    ck_assert_msg(got.minimum_set && got.min_uid == want->min_uid
                      && got.min_gid == want->min_gid,
                  "%s: minimum %u %u", row->name, got.min_uid, got.min_gid);
    ck_assert_msg(
        got.default_set == want->default_set
            && same_tenant(&got.default_tenant, &want->default_tenant),
        "%s: default tenant", row->name);
    ck_assert_msg(got.root_enable == want->root_enable
                      && got.cap_dac_override == want->cap_dac_override,
                  "%s: switches", row->name);
    apr_pool_destroy(pool);
}
END_TEST

/* A record as httpd gets it says nothing, whatever the defaults are. */
START_TEST(host_create)
{
    struct ps_host_settings *host;
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    host = ps_host_create(pool);
    ck_assert_int_eq(host->tenancy, PS_TENANCY_UNSET);
    ck_assert(!host->named);
    ck_assert(!host->minimum_set);
    ck_assert(!host->default_set);
    ck_assert_int_eq(host->root_enable, PS_UNSET);
    ck_assert_int_eq(host->cap_dac_override, PS_UNSET);
    apr_pool_destroy(pool);
}
END_TEST

Suite *settings_host_suite(void)
{
    Suite *suite = suite_create("settings: host");
    TCase *tc = tcase_create("host");

    tcase_add_test(tc, host_create);
    tcase_add_loop_test(tc, host_merge, 0, (int)ROWS(rows));
    suite_add_tcase(suite, tc);
    return suite;
}
