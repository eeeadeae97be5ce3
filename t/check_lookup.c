/*
 * Checks lookup: ids as a configuration writes them, and the users, groups
 * and supplementary groups that names stand for (userdb.h has them).
 */
#include "lookup.h"
#include "suites.h"
#include "support.h"
#include "userdb.h"

#include <string.h>

static apr_pool_t *pool;

static void setup(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

/* Nothing is wrong, or what is wrong names each part of `want`. */
static void assert_wrong(const char *name, const char *got, const char *want)
{
    if (!want) {
        ck_assert_msg(got == NULL, "%s: %s", name, got);
        return;
    }
    ck_assert_msg(got != NULL, "%s: taken", name);
    ck_assert_msg(strstr(got, want), "%s: \"%s\" does not say \"%s\"", name,
                  got, want);
}

/* ---- ids ---- */

#define NOT_A_NUMBER "is not a number"
#define OUT_OF_RANGE "is out of range"

static const struct id_row
{
    const char *word;
    const char *wrong;
    unsigned id;
} id_rows[] = {
    {"0", NULL, 0},
    {"1", NULL, 1},
    {"30001", NULL, 30001},
    {"010", NULL, 10},
    {"2147483648", NULL, 2147483648U},
    {"4294967294", NULL, 4294967294U},
    {"4294967295", OUT_OF_RANGE, 0},
    {"4294967296", OUT_OF_RANGE, 0},
    {"4294967297", OUT_OF_RANGE, 0},
    {"18446744073709551615", OUT_OF_RANGE, 0},
    {"18446744073709551616", OUT_OF_RANGE, 0},
    {"99999999999999999999999999999999", OUT_OF_RANGE, 0},
    {"-1", NOT_A_NUMBER, 0},
    {"-0", NOT_A_NUMBER, 0},
    {"+1", NOT_A_NUMBER, 0},
    {" 1", NOT_A_NUMBER, 0},
    {"\t1", NOT_A_NUMBER, 0},
    {"1 ", NOT_A_NUMBER, 0},
    {"1\n", NOT_A_NUMBER, 0},
    {"", NOT_A_NUMBER, 0},
    {"x", NOT_A_NUMBER, 0},
    {"1x", NOT_A_NUMBER, 0},
    {"0x10", NOT_A_NUMBER, 0},
    {"1.5", NOT_A_NUMBER, 0},
    {"1,2", NOT_A_NUMBER, 0},
    {"#1", NOT_A_NUMBER, 0},
};

START_TEST(parse_id)
{
    const struct id_row *row = &id_rows[_i];
    unsigned id = 4711;

    assert_wrong(row->word, ps_parse_id(row->word, &id), row->wrong);
    ck_assert_msg(id == (row->wrong ? 4711 : row->id), "\"%s\": %u", row->word,
                  id);
}
END_TEST

/* ---- users and groups ---- */

static const struct name_row
{
    const char *word;
    const char *wrong;
    unsigned id;
} user_rows[] = {
    {ALICE, NULL, ALICE_UID},
    {ALICE2, NULL, ALICE_UID},
    {"root", NULL, 0},
    {"#30001", NULL, 30001},
    {"#0", NULL, 0},
    {"#4294967294", NULL, 4294967294U},
    {"#4294967295", "user #4294967295 " OUT_OF_RANGE, 0},
    {"#x", "user #x " NOT_A_NUMBER, 0},
    {"#", "user # " NOT_A_NUMBER, 0},
    {"#-1", "user #-1 " NOT_A_NUMBER, 0},
    {"##1", "user ##1 " NOT_A_NUMBER, 0},
    {"ps-nobody", "unknown user ps-nobody", 0},
    {WEB, "unknown user " WEB, 0},
    {"30001", "unknown user 30001", 0},
    {"", "unknown user", 0},
};

static const struct name_row group_rows[] = {
    {WEB, NULL, WEB_GID},
    {"root", NULL, 0},
    {"#30001", NULL, 30001},
    {"#0", NULL, 0},
    {"#4294967294", NULL, 4294967294U},
    {"#4294967295", "group #4294967295 " OUT_OF_RANGE, 0},
    {"#x", "group #x " NOT_A_NUMBER, 0},
    {"#", "group # " NOT_A_NUMBER, 0},
    {"ps-nobody", "unknown group ps-nobody", 0},
    {ALICE, "unknown group " ALICE, 0},
    {"30001", "unknown group 30001", 0},
    {"", "unknown group", 0},
};

START_TEST(find_user)
{
    const struct name_row *row = &user_rows[_i];
    uid_t uid = 4711;

    assert_wrong(row->word, ps_find_user(pool, row->word, &uid), row->wrong);
    ck_assert_msg(row->wrong || uid == row->id, "%s: %u", row->word, uid);
}
END_TEST

START_TEST(find_group)
{
    const struct name_row *row = &group_rows[_i];
    gid_t gid = 4711;

    assert_wrong(row->word, ps_find_group(pool, row->word, &gid), row->wrong);
    ck_assert_msg(row->wrong || gid == row->id, "%s: %u", row->word, gid);
}
END_TEST

/* ---- tenants ---- */

static const struct tenant_row
{
    const char *name;
    const char *user, *group;
    const char *wrong;
    unsigned uid, gid;
    size_t ngroups;
    unsigned groups[4];
} tenant_rows[] = {
    {"groups ascending, the tenant's own among them",
     ALICE,
     WEB,
     NULL,
     ALICE_UID,
     WEB_GID,
     4,
     {ALICE_LOW, ALICE_MID, WEB_GID, ALICE_HIGH}},
    {"another name of the uid has its own groups",
     ALICE2,
     WEB,
     NULL,
     ALICE_UID,
     WEB_GID,
     2,
     {ALICE_LOW, WEB_GID}},
    {"a number has the groups of its first name",
     "#40001",
     WEB,
     NULL,
     ALICE_UID,
     WEB_GID,
     4,
     {ALICE_LOW, ALICE_MID, WEB_GID, ALICE_HIGH}},
    {"a number without a passwd entry has no groups",
     "#39999",
     WEB,
     NULL,
     39999,
     WEB_GID,
     0,
     {0}},
    {"all in numbers", "#39999", "#39998", NULL, 39999, 39998, 0, {0}},
    {"a group in numbers",
     ALICE2,
     "#39998",
     NULL,
     ALICE_UID,
     39998,
     2,
     {39998, ALICE_LOW}},
    {"too many groups",
     HOARDER,
     WEB,
     HOARDER " is in more than 1024 groups",
     HOARDER_UID,
     WEB_GID,
     0,
     {0}},
    {"an unknown user",
     "ps-nobody",
     WEB,
     "unknown user ps-nobody",
     0,
     0,
     0,
     {0}},
    {"an unknown group",
     ALICE,
     "ps-nobody",
     "unknown group ps-nobody",
     ALICE_UID,
     0,
     0,
     {0}},
    {"both unknown: the user is named",
     "ps-nobody",
     "ps-none",
     "unknown user ps-nobody",
     0,
     0,
     0,
     {0}},
    {"no number", "#x", WEB, "user #x " NOT_A_NUMBER, 0, 0, 0, {0}},
};

START_TEST(find_tenant)
{
    const struct tenant_row *row = &tenant_rows[_i];
    struct ps_identity who = {.ngroups = 99};

    assert_wrong(row->name,
                 ps_find_tenant(pool, row->user, row->group, true, &who),
                 row->wrong);
    ck_assert_msg(who.ngroups == row->ngroups, "%s: %zu groups", row->name,
                  who.ngroups);
    if (row->wrong) {
        return;
    }
    ck_assert_msg(who.uid == row->uid && who.gid == row->gid, "%s: %u:%u",
                  row->name, who.uid, who.gid);
    ck_assert_msg((who.ngroups == 0) == (who.groups == NULL),
                  "%s: a list of no groups", row->name);
    for (size_t i = 0; i < row->ngroups; i++) {
        ck_assert_msg(who.groups[i] == row->groups[i], "%s: group %zu is %u",
                      row->name, i, who.groups[i]);
    }
}
END_TEST

START_TEST(most_groups)
{
    struct ps_identity who;

    ck_assert_ptr_null(ps_find_tenant(pool, JOINER, WEB, true, &who));
    ck_assert_uint_eq(who.ngroups, PS_GROUPS_MAX);
    for (size_t i = 1; i < who.ngroups; i++) {
        ck_assert_uint_lt(who.groups[i - 1], who.groups[i]);
    }
}
END_TEST

/* The machine's own user database: root is in it, in its group at least. */
START_TEST(root)
{
    struct ps_identity who;

    ck_assert_ptr_null(ps_find_tenant(pool, "root", "root", true, &who));
    ck_assert_uint_eq(who.uid, 0);
    ck_assert_uint_eq(who.gid, 0);
    ck_assert_uint_ge(who.ngroups, 1);
    ck_assert_uint_eq(who.groups[0], 0);
}
END_TEST

Suite *lookup_suite(void)
{
    Suite *suite = suite_create("lookup");
    TCase *tc = tcase_create("lookup");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, parse_id, 0, (int)ROWS(id_rows));
    tcase_add_loop_test(tc, find_user, 0, (int)ROWS(user_rows));
    tcase_add_loop_test(tc, find_group, 0, (int)ROWS(group_rows));
    tcase_add_loop_test(tc, find_tenant, 0, (int)ROWS(tenant_rows));
    tcase_add_test(tc, most_groups);
    tcase_add_test(tc, root);
    suite_add_tcase(suite, tc);
    return suite;
}
