/*
 * Checks settings: what holds where nothing was said, and what two or three
 * places say together, field by field.
 */
#include "settings.h"
#include "suites.h"
#include "support.h"

#include <stddef.h>
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

/* Every field, PSUserGroup's mark aside. Lists are compared as such. */
static void assert_same_dir(const char *name, const struct ps_dir_settings *a,
                            const struct ps_dir_settings *b)
{
    ck_assert_msg(a->all == b->all, "%s: all: %d, %d", name, a->all, b->all);
    ck_assert_msg(a->pinned == b->pinned, "%s: pinned", name);
    ck_assert_msg(a->cgi == b->cgi, "%s: cgi", name);
    ck_assert_msg(a->check_suexec == b->check_suexec, "%s: check_suexec", name);
    ck_assert_msg(a->trusted_path == b->trusted_path, "%s: trusted_path", name);
    ck_assert_msg(a->keep_open_file == b->keep_open_file, "%s: keep_open_file",
                  name);
    ck_assert_msg(a->cgi_spawn == b->cgi_spawn, "%s: cgi_spawn", name);
    ck_assert_msg(a->cgi_timeout == b->cgi_timeout, "%s: cgi_timeout", name);
    ck_assert_msg(a->extensions == b->extensions, "%s: extensions", name);
    ck_assert_msg(a->handlers == b->handlers, "%s: handlers", name);
    ck_assert_msg(a->ignored == b->ignored, "%s: ignored", name);
}

/* ---- a switch, in each of two places unset, off or on ---- */

static const struct switch_row
{
    const char *name;
    bool of_host;
    size_t offset;
    enum ps_switch by_default;
} switch_rows[] = {
    {"PSExAll", false, offsetof(struct ps_dir_settings, all), PS_OFF},
    {"PSExCGI", false, offsetof(struct ps_dir_settings, cgi), PS_OFF},
    {"PSCheckSuexecids", false, offsetof(struct ps_dir_settings, check_suexec),
     PS_OFF},
    {"PSTrustedPath", false, offsetof(struct ps_dir_settings, trusted_path),
     PS_ON},
    {"PSKeepOpenFile", false, offsetof(struct ps_dir_settings, keep_open_file),
     PS_OFF},
    {"PSCgiSpawn", false, offsetof(struct ps_dir_settings, cgi_spawn), PS_ON},
    {"PSRootEnable", true, offsetof(struct ps_host_settings, root_enable),
     PS_OFF},
    {"PSCapDacOverride", true,
     offsetof(struct ps_host_settings, cap_dac_override), PS_OFF},
};

static const struct
{
    enum ps_switch base, over, want;
} places[] = {
    {PS_UNSET, PS_UNSET, PS_UNSET}, {PS_UNSET, PS_OFF, PS_OFF},
    {PS_UNSET, PS_ON, PS_ON},       {PS_OFF, PS_UNSET, PS_OFF},
    {PS_OFF, PS_OFF, PS_OFF},       {PS_OFF, PS_ON, PS_ON},
    {PS_ON, PS_UNSET, PS_ON},       {PS_ON, PS_OFF, PS_OFF},
    {PS_ON, PS_ON, PS_ON},
};

static enum ps_switch *field(void *record, const struct switch_row *row)
{
    return (enum ps_switch *)((char *)record + row->offset);
}

/* The merged record, and with defaults; of the kind that the row is about. */
static void merge_switch(const struct switch_row *row, enum ps_switch base,
                         enum ps_switch over, enum ps_switch got[2])
{
    struct ps_host_settings *hosts[] = {ps_host_create(pool),
                                        ps_host_create(pool), NULL};
    struct ps_dir_settings *dirs[] = {ps_dir_create(pool), ps_dir_create(pool),
                                      NULL};
    struct ps_host_settings host;
    struct ps_dir_settings dir;

    *field(row->of_host ? (void *)hosts[0] : dirs[0], row) = base;
    *field(row->of_host ? (void *)hosts[1] : dirs[1], row) = over;
    hosts[2] = ps_host_merge(pool, hosts[0], hosts[1]);
    dirs[2] = ps_dir_merge(pool, dirs[0], dirs[1]);
    host = ps_host_effective(hosts[2]);
    dir = ps_dir_effective(dirs[2]);
    got[0] = *field(row->of_host ? (void *)hosts[2] : dirs[2], row);
    got[1] = *field(row->of_host ? (void *)&host : &dir, row);
}

START_TEST(switches)
{
    const struct switch_row *row = &switch_rows[_i];

    for (size_t i = 0; i < ROWS(places); i++) {
        enum ps_switch want = places[i].want;
        enum ps_switch got[2];

        merge_switch(row, places[i].base, places[i].over, got);
        ck_assert_msg(got[0] == want, "%s: %d under %d is %d, not %d",
                      row->name, places[i].base, places[i].over, got[0], want);
        want = want == PS_UNSET ? row->by_default : want;
        ck_assert_msg(got[1] == want, "%s: %d under %d has the effect %d",
                      row->name, places[i].base, places[i].over, got[1]);
    }
}
END_TEST

/* A record as httpd gets it says nothing, whatever the defaults are. */
START_TEST(dir_create)
{
    struct ps_dir_settings *dir = ps_dir_create(pool);

    ck_assert_int_eq(dir->pinned, PS_UNSET);
    ck_assert_int_eq(dir->cgi_timeout, 0);
    for (size_t i = 0; i < ROWS(switch_rows); i++) {
        ck_assert_msg(switch_rows[i].of_host
                          || *field(dir, &switch_rows[i]) == PS_UNSET,
                      "%s", switch_rows[i].name);
    }
    ck_assert_ptr_null(dir->extensions);
    ck_assert_ptr_null(dir->handlers);
    ck_assert_ptr_null(dir->ignored);
}
END_TEST

/* ---- PSCgiTimeout: where nobody says it, the host's Timeout holds ---- */

static const struct timeout_row
{
    const char *name;
    apr_interval_time_t base, over, want;
} timeout_rows[] = {
    {"nothing said", 0, 0, 0},
    {"outside", apr_time_from_sec(7), 0, apr_time_from_sec(7)},
    {"here", 0, apr_time_from_sec(7), apr_time_from_sec(7)},
    {"more here", apr_time_from_sec(7), apr_time_from_sec(9),
     apr_time_from_sec(9)},
    {"less here", apr_time_from_sec(9), apr_time_from_msec(7),
     apr_time_from_msec(7)},
    {"more than 32 bits hold", 1, apr_time_from_sec(1000000),
     apr_time_from_sec(1000000)},
};

START_TEST(timeouts)
{
    const struct timeout_row *row = &timeout_rows[_i];
    struct ps_dir_settings *base = ps_dir_create(pool);
    struct ps_dir_settings *over = ps_dir_create(pool);
    struct ps_dir_settings want = *ps_dir_create(pool);
    struct ps_dir_settings *got;

    base->cgi_timeout = row->base;
    over->cgi_timeout = row->over;
    want.cgi_timeout = row->want;
    got = ps_dir_merge(pool, base, over);
    assert_same_dir(row->name, got, &want);
    ck_assert_msg(ps_dir_effective(got).cgi_timeout == row->want,
                  "%s: the effect is %ld", row->name,
                  (long)ps_dir_effective(got).cgi_timeout);
    ck_assert_msg(base->cgi_timeout == row->base
                      && over->cgi_timeout == row->over,
                  "%s: a merge changes what it reads", row->name);
}
END_TEST

/* ---- a list replaces a list ---- */

static const struct
{
    const char *name;
    size_t offset;
} list_rows[] = {
    {"PSExtensions", offsetof(struct ps_dir_settings, extensions)},
    {"PSHandlers", offsetof(struct ps_dir_settings, handlers)},
    {"PSIgnoreExtensions", offsetof(struct ps_dir_settings, ignored)},
};

static apr_array_header_t **list(struct ps_dir_settings *dir, int row)
{
    return (apr_array_header_t **)((char *)dir + list_rows[row].offset);
}

START_TEST(lists)
{
    apr_array_header_t *some = apr_array_make(pool, 1, sizeof(char *));
    apr_array_header_t *empty = apr_array_make(pool, 1, sizeof(char *));
    apr_array_header_t *said[] = {NULL, some, empty};
    const char *name = list_rows[_i].name;

    APR_ARRAY_PUSH(some, const char *) = ".x";
    for (size_t i = 0; i < 9; i++) {
        struct ps_dir_settings *base = ps_dir_create(pool);
        struct ps_dir_settings *over = ps_dir_create(pool);
        struct ps_dir_settings *out;
        struct ps_dir_settings want;

        *list(base, _i) = said[i / 3];
        *list(over, _i) = said[i % 3];
        out = ps_dir_merge(pool, base, over);
        want = *ps_dir_create(pool);
        *list(&want, _i) = said[i % 3] ? said[i % 3] : said[i / 3];
        assert_same_dir(name, out, &want);
        ck_assert_msg(some->nelts == 1 && empty->nelts == 0,
                      "%s: a merge changes what it reads", name);
        want = ps_dir_effective(out);
        ck_assert_msg(*list(&want, _i) == *list(out, _i),
                      "%s: the effect is another list", name);
    }
}
END_TEST

/* ---- PSUserGroup covers all, unless PSExAll says otherwise ---- */

static const struct all_row
{
    const char *name;
    enum ps_switch outer_all, outer_pinned, inner_all, inner_pinned;
    enum ps_switch want;
} all_rows[] = {
    {"nothing said", PS_UNSET, PS_UNSET, PS_UNSET, PS_UNSET, PS_OFF},
    {"pinned here", PS_UNSET, PS_UNSET, PS_UNSET, PS_ON, PS_ON},
    {"pinned outside", PS_UNSET, PS_ON, PS_UNSET, PS_UNSET, PS_ON},
    {"pinned and on here", PS_UNSET, PS_UNSET, PS_ON, PS_ON, PS_ON},
    {"pinned and off here", PS_UNSET, PS_UNSET, PS_OFF, PS_ON, PS_OFF},
    {"pinned and off outside", PS_OFF, PS_ON, PS_UNSET, PS_UNSET, PS_OFF},
    {"pinned here, off outside", PS_OFF, PS_UNSET, PS_UNSET, PS_ON, PS_ON},
    {"pinned outside, off here", PS_UNSET, PS_ON, PS_OFF, PS_UNSET, PS_OFF},
    {"pinned outside, on here", PS_UNSET, PS_ON, PS_ON, PS_UNSET, PS_ON},
    {"pinned and off outside, on here", PS_OFF, PS_ON, PS_ON, PS_UNSET, PS_ON},
    {"pinned and off outside, pinned here", PS_OFF, PS_ON, PS_UNSET, PS_ON,
     PS_ON},
    {"pinned and off here, on outside", PS_ON, PS_UNSET, PS_OFF, PS_ON, PS_OFF},
};

START_TEST(pinned_covers_all)
{
    const struct all_row *row = &all_rows[_i];
    struct ps_dir_settings *outer = ps_dir_create(pool);
    struct ps_dir_settings *inner = ps_dir_create(pool);
    struct ps_dir_settings *merged;
    struct ps_content page = {.name = "/x"};

    outer->all = row->outer_all;
    outer->pinned = row->outer_pinned;
    inner->all = row->inner_all;
    inner->pinned = row->inner_pinned;
    merged = ps_dir_merge(pool, outer, inner);
    ck_assert_msg(ps_dir_effective(merged).all == row->want,
                  "%s: the effect is %d", row->name,
                  ps_dir_effective(merged).all);
    ck_assert_msg(ps_covers(merged, &page) == (row->want == PS_ON),
                  "%s: covered", row->name);
    ck_assert_msg(ps_dir_covers(merged) == (row->want == PS_ON),
                  "%s: anything covered", row->name);
}
END_TEST

/* ---- (a under b) under c is a under (b under c): httpd does either ---- */

static const struct place
{
    const char *name;
    enum ps_switch all, pinned;
    int list; /* of `lists_of_place`; 0: unset */
} place_rows[] = {
    {"nothing", PS_UNSET, PS_UNSET, 0}, {"off", PS_OFF, PS_UNSET, 1},
    {"on", PS_ON, PS_UNSET, 2},         {"pinned", PS_UNSET, PS_ON, 1},
    {"pinned, off", PS_OFF, PS_ON, 2},  {"pinned, on", PS_ON, PS_ON, 0},
};

static const struct ps_dir_settings *place(size_t i)
{
    static apr_array_header_t lists_of_place[3];
    struct ps_dir_settings *dir = ps_dir_create(pool);
    apr_array_header_t *words =
        place_rows[i].list ? &lists_of_place[place_rows[i].list] : NULL;

    dir->all = place_rows[i].all;
    dir->pinned = place_rows[i].pinned;
    dir->cgi = place_rows[i].all;
    dir->check_suexec = place_rows[i].pinned;
    dir->trusted_path = place_rows[i].all;
    dir->keep_open_file = place_rows[i].pinned;
    dir->cgi_spawn = place_rows[i].all;
    dir->cgi_timeout = place_rows[i].list;
    dir->extensions = words;
    dir->handlers = place_rows[i].all == PS_ON ? words : NULL;
    dir->ignored = place_rows[i].pinned == PS_ON ? words : NULL;
    return dir;
}

START_TEST(associative)
{
    const struct ps_dir_settings *a = place((size_t)_i);

    for (size_t i = 0; i < ROWS(place_rows) * ROWS(place_rows); i++) {
        const struct ps_dir_settings *b = place(i / ROWS(place_rows));
        const struct ps_dir_settings *c = place(i % ROWS(place_rows));
        struct ps_dir_settings *left =
            ps_dir_merge(pool, ps_dir_merge(pool, a, b), c);
        struct ps_dir_settings *right =
            ps_dir_merge(pool, a, ps_dir_merge(pool, b, c));
        struct ps_dir_settings effects[] = {ps_dir_effective(left),
                                            ps_dir_effective(right)};

        assert_same_dir(place_rows[_i].name, left, right);
        assert_same_dir(place_rows[_i].name, &effects[0], &effects[1]);
    }
}
END_TEST

Suite *settings_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *tc = tcase_create("directory");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, dir_create);
    tcase_add_loop_test(tc, switches, 0, (int)ROWS(switch_rows));
    tcase_add_loop_test(tc, timeouts, 0, (int)ROWS(timeout_rows));
    tcase_add_loop_test(tc, lists, 0, (int)ROWS(list_rows));
    tcase_add_loop_test(tc, pinned_covers_all, 0, (int)ROWS(all_rows));
    tcase_add_loop_test(tc, associative, 0, (int)ROWS(place_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
