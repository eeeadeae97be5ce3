/*
 * Checks identity: groups, as a kernel may list them. Needs no root: that
 * kernel is a table.
 */
#include "identity.h"
#include "suites.h"
#include "support.h"

#include <errno.h>
#include <string.h>

/* ---- a kernel with such groups ---- */

static const gid_t *listed;
static int nlisted;

static int list_groups(int size, gid_t *list)
{
    if (nlisted < 0 || (size > 0 && nlisted > size)) {
        errno = EINVAL;
        return -1;
    }
    if (size > 0 && nlisted > 0) {
        memcpy(list, listed, (size_t)nlisted * sizeof(*list));
    }
    return nlisted;
}

static int fsuid(uid_t uid)
{
    (void)uid;
    return TENANT;
}

static int fsgid(gid_t gid)
{
    (void)gid;
    return STRANGER;
}

static const struct ps_kernel kernel = {
    .getgroups = list_groups,
    .setfsuid = fsuid,
    .setfsgid = fsgid,
};

/* ---- whether they are the same ---- */

#define GROUPS(...)                                                            \
    ROWS(((const gid_t[]){__VA_ARGS__})),                                      \
    {                                                                          \
        __VA_ARGS__                                                            \
    }
#define NONE                                                                   \
    0,                                                                         \
    {                                                                          \
        0                                                                      \
    }

static const struct groups_row
{
    const char *name;
    size_t nlisted;
    gid_t listed[6];
    size_t nwanted;
    gid_t wanted[6];
    bool same;
} groups_rows[] = {
    {"none", NONE, NONE, true},
    {"none, for one", NONE, GROUPS(1), false},
    {"one, for none", GROUPS(1), NONE, false},
    {"group 0, for none", GROUPS(0), NONE, false},
    {"none, for group 0", NONE, GROUPS(0), false},
    {"one", GROUPS(7), GROUPS(7), true},
    {"another", GROUPS(7), GROUPS(8), false},
    {"in order", GROUPS(1, 2, 3, 4), GROUPS(1, 2, 3, 4), true},
    {"the other way round", GROUPS(4, 3, 2, 1), GROUPS(1, 2, 3, 4), true},
    {"the first last", GROUPS(2, 3, 4, 1), GROUPS(1, 2, 3, 4), true},
    {"the last first", GROUPS(4, 1, 2, 3), GROUPS(1, 2, 3, 4), true},
    {"mixed", GROUPS(3, 1, 6, 2, 5, 4), GROUPS(1, 2, 3, 4, 5, 6), true},
    {"large numbers", GROUPS(4294967295U, 2147483648U, 1, 2147483647),
     GROUPS(1, 2147483647, 2147483648U, 4294967295U), true},
    {"one more at the end", GROUPS(1, 2, 3, 4), GROUPS(1, 2, 3), false},
    {"one more at the beginning", GROUPS(0, 1, 2, 3), GROUPS(1, 2, 3), false},
    {"one less at the end", GROUPS(1, 2), GROUPS(1, 2, 3), false},
    {"one less at the beginning", GROUPS(2, 3), GROUPS(1, 2, 3), false},
    {"another last one", GROUPS(1, 2, 4), GROUPS(1, 2, 3), false},
    {"another first one", GROUPS(0, 2, 3), GROUPS(1, 2, 3), false},
    {"another amid them, in no order", GROUPS(3, 1, 9), GROUPS(1, 2, 3), false},
    {"one twice", GROUPS(1, 1, 2), GROUPS(1, 2), false},
    {"one twice, for another", GROUPS(1, 1), GROUPS(1, 2), false},
    {"one twice, wanted so", GROUPS(2, 1, 1), GROUPS(1, 1, 2), true},
};

START_TEST(groups)
{
    const struct groups_row *row = &groups_rows[_i];
    const struct ps_identity who = {TENANT, STRANGER, row->nwanted,
                                    row->nwanted ? row->wanted : NULL};
    struct ps_fs_identity read;

    listed = row->listed;
    nlisted = (int)row->nlisted;
    ck_assert_msg(ps_groups_are(&kernel, &who) == row->same, "%s", row->name);
    ck_assert_msg(ps_fs_read(&kernel, &read), "%s: not read", row->name);
    ck_assert_msg(read.who.uid == TENANT && read.who.gid == STRANGER,
                  "%s: read as %u, %u", row->name, read.who.uid, read.who.gid);
    ck_assert_msg(read.who.ngroups == row->nlisted
                      && !read.who.groups == (row->nlisted == 0),
                  "%s: read as %zu groups", row->name, read.who.ngroups);
    for (size_t i = 0; i + 1 < row->nlisted; i++) {
        ck_assert_msg(read.list[i] <= read.list[i + 1], "%s: read unsorted",
                      row->name);
    }
    ck_assert_msg(ps_groups_are(&kernel, &read.who),
                  "%s: what was read is not what is", row->name);
}
END_TEST

/* ---- as many as there may be, and more ---- */

static const struct many_row
{
    const char *name;
    int listed; /* -1: the kernel does not say */
    size_t wanted;
    bool same, read;
} many_rows[] = {
    {"as many as there may be", PS_GROUPS_MAX, PS_GROUPS_MAX, true, true},
    {"one less", PS_GROUPS_MAX - 1, PS_GROUPS_MAX, false, true},
    {"one less, wanted so", PS_GROUPS_MAX, PS_GROUPS_MAX - 1, false, true},
    {"one more", PS_GROUPS_MAX + 1, PS_GROUPS_MAX + 1, false, false},
    {"one more than was wanted", PS_GROUPS_MAX + 1, PS_GROUPS_MAX, false,
     false},
    {"no answer", -1, PS_GROUPS_MAX, false, false},
    {"no answer, for none", -1, 0, false, false},
};

START_TEST(many)
{
    static gid_t falling[PS_GROUPS_MAX + 1], rising[PS_GROUPS_MAX + 1];
    static struct ps_fs_identity read;
    const struct many_row *row = &many_rows[_i];
    const struct ps_identity who = {TENANT, TENANT, row->wanted, rising};

    for (int i = 0; i < row->listed; i++) {
        falling[i] = 100000U - (gid_t)i;
        rising[row->listed - 1 - i] = falling[i];
    }
    listed = falling;
    nlisted = row->listed;
    ck_assert_msg(ps_groups_are(&kernel, &who) == row->same, "%s", row->name);
    ck_assert_msg(ps_fs_read(&kernel, &read) == row->read, "%s: read",
                  row->name);
}
END_TEST

Suite *identity_suite(void)
{
    Suite *suite = suite_create("identity");
    TCase *tc = tcase_create("groups");

    tcase_add_loop_test(tc, groups, 0, (int)ROWS(groups_rows));
    tcase_add_loop_test(tc, many, 0, (int)ROWS(many_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
