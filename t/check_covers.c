/*
 * Checks settings: which requests a configuration covers, each of them beside
 * one that it does not.
 */
#include "settings.h"
#include "suites.h"
#include "support.h"

#include <apr_strings.h>

/* A directory's settings, as words; NULL: the directive does not stand. */
struct said
{
    enum ps_switch all, cgi;
    const char *extensions, *handlers, *ignored;
};

#define PHP                                                                    \
    {                                                                          \
        PS_OFF, PS_OFF, ".php", NULL, NULL                                     \
    }
#define TWO                                                                    \
    {                                                                          \
        PS_OFF, PS_OFF, ".php .tar.gz", NULL, NULL                             \
    }
#define HANDLER                                                                \
    {                                                                          \
        PS_OFF, PS_OFF, NULL, "lua-script php-script", NULL                    \
    }
#define CGI                                                                    \
    {                                                                          \
        PS_OFF, PS_ON, NULL, NULL, NULL                                        \
    }
#define ALL                                                                    \
    {                                                                          \
        PS_ON, PS_OFF, NULL, NULL, NULL                                        \
    }
#define NOT_CSS                                                                \
    {                                                                          \
        PS_ON, PS_OFF, NULL, NULL, ".css .JS"                                  \
    }
#define NOTHING                                                                \
    {                                                                          \
        PS_OFF, PS_OFF, NULL, NULL, NULL                                       \
    }

static const struct row
{
    const char *name;
    struct said said;
    struct ps_content what;
    bool covered;
} rows[] = {
    {"nothing said", NOTHING, {.name = "/w/x.php", .handler = "php"}, false},
    {"nothing said, CGI", NOTHING, {.name = "/w/x", .is_cgi = true}, false},

    {"the extension", PHP, {.name = "/w/x.php"}, true},
    {"the extension, only read",
     PHP,
     {.name = "/w/x.php", .reads_only = true},
     true},
    {"another extension", PHP, {.name = "/w/x.html"}, false},
    {"upper case", PHP, {.name = "/w/X.PHP"}, true},
    {"before a language", PHP, {.name = "/w/x.php.en"}, true},
    {"before two more", PHP, {.name = "/w/x.php.en.gz"}, true},
    {"upper case before a language", PHP, {.name = "/w/x.pHp.en"}, true},
    {"before a dot at the end", PHP, {.name = "/w/x.php."}, true},
    {"more letters", PHP, {.name = "/w/x.phpx"}, false},
    {"fewer letters", PHP, {.name = "/w/x.ph"}, false},
    {"no dot before it", PHP, {.name = "/w/xphp"}, false},
    {"the name is the extension", PHP, {.name = "/w/.php"}, true},
    {"the name without its dot", PHP, {.name = "/w/php"}, false},
    {"a folder has the extension", PHP, {.name = "/w/x.php/y.html"}, false},
    {"a folder has it before a dot", PHP, {.name = "/w.php.d/x.html"}, false},
    {"a folder has dots", PHP, {.name = "/w.php.d/v1.2/x.php"}, true},
    {"a folder's name, all of it", PHP, {.name = "/x.php/"}, false},
    {"a name without a folder", PHP, {.name = "x.php"}, true},
    {"no name", PHP, {.name = ""}, false},
    {"the second of two", TWO, {.name = "/w/x.tar.gz"}, true},
    {"half of the second", TWO, {.name = "/w/x.gz"}, false},
    {"the second, taken apart", TWO, {.name = "/w/x.tar.en.gz"}, false},

    {"the handler", HANDLER, {.name = "/w/x", .handler = "php-script"}, true},
    {"the handler in upper case",
     HANDLER,
     {.name = "/w/x", .handler = "PHP-Script"},
     true},
    {"another handler", HANDLER, {.name = "/w/x", .handler = "php"}, false},
    {"a longer handler",
     HANDLER,
     {.name = "/w/x", .handler = "php-script2"},
     false},
    {"no handler", HANDLER, {.name = "/w/php-script"}, false},

    {"CGI", CGI, {.name = "/w/x", .is_cgi = true}, true},
    {"not CGI", CGI, {.name = "/w/x.cgi"}, false},

    {"all: a script", ALL, {.name = "/w/x.php", .handler = "php"}, true},
    {"all: CGI", ALL, {.name = "/w/x", .is_cgi = true}, true},
    {"all: only read", ALL, {.name = "/w/x.css", .reads_only = true}, true},
    {"all: a folder", ALL, {.name = "/w/", .reads_only = true}, true},

    {"ignored", NOT_CSS, {.name = "/w/x.css", .reads_only = true}, false},
    {"ignored, upper case",
     NOT_CSS,
     {.name = "/w/x.CSS", .reads_only = true},
     false},
    {"ignored, written in upper case",
     NOT_CSS,
     {.name = "/w/x.js", .reads_only = true},
     false},
    {"ignored, but run", NOT_CSS, {.name = "/w/x.css"}, true},
    {"ignored, but run as CGI",
     NOT_CSS,
     {.name = "/w/x.css", .handler = "cgi-script", .is_cgi = true},
     true},
    {"not ignored", NOT_CSS, {.name = "/w/x.png", .reads_only = true}, true},
    {"ignored before a language: not at the end",
     NOT_CSS,
     {.name = "/w/x.css.en", .reads_only = true},
     true},
    {"a folder is ignored, the file is not",
     NOT_CSS,
     {.name = "/w.css/x", .reads_only = true},
     true},
    {"ignored, but one of the extensions",
     {PS_ON, PS_OFF, ".css", NULL, ".css"},
     {.name = "/w/x.css", .reads_only = true},
     true},
    {"ignored, but one of the handlers",
     {PS_ON, PS_OFF, NULL, "lua-script", ".css"},
     {.name = "/w/x.css", .handler = "lua-script", .reads_only = true},
     true},
};

/* Whether anything is covered at all: a shortcut that must not lie. */
static const struct any_row
{
    const char *name;
    struct said said;
    bool any;
} any_rows[] = {
    {"nothing said", NOTHING, false},
    {"nothing said at all", {PS_UNSET, PS_UNSET, NULL, NULL, NULL}, false},
    {"all", ALL, true},
    {"CGI", CGI, true},
    {"extensions", PHP, true},
    {"handlers", HANDLER, true},
    {"an empty list of extensions", {PS_OFF, PS_OFF, "", NULL, NULL}, false},
    {"an empty list of handlers", {PS_OFF, PS_OFF, NULL, "", NULL}, false},
    {"only what to ignore", {PS_OFF, PS_OFF, NULL, NULL, ".css"}, false},
};

static apr_pool_t *pool;

static void setup(void)
{
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
}

static apr_array_header_t *words(const char *text)
{
    apr_array_header_t *list;
    char *last;
    char *word;

    if (!text) {
        return NULL;
    }
    list = apr_array_make(pool, 2, sizeof(char *));
    word = apr_strtok(apr_pstrdup(pool, text), " ", &last);
    for (; word; word = apr_strtok(NULL, " ", &last)) {
        APR_ARRAY_PUSH(list, char *) = word;
    }
    return list;
}

static struct ps_dir_settings settings_of(const struct said *said)
{
    struct ps_dir_settings *dir = ps_dir_create(pool);

    dir->all = said->all;
    dir->cgi = said->cgi;
    dir->extensions = words(said->extensions);
    dir->handlers = words(said->handlers);
    dir->ignored = words(said->ignored);
    return *dir;
}

START_TEST(covers)
{
    const struct row *row = &rows[_i];
    struct ps_dir_settings dir = settings_of(&row->said);
    struct ps_dir_settings effective = ps_dir_effective(&dir);

    ck_assert_msg(ps_covers(&dir, &row->what) == row->covered, "%s: %s",
                  row->name, row->covered ? "not covered" : "covered");
    ck_assert_msg(ps_covers(&effective, &row->what) == row->covered,
                  "%s: not so with the defaults filled in", row->name);
    ck_assert_msg(ps_dir_covers(&dir) || !row->covered,
                  "%s: nothing is said to be covered", row->name);
}
END_TEST

START_TEST(covers_anything)
{
    const struct any_row *row = &any_rows[_i];
    struct ps_dir_settings dir = settings_of(&row->said);
    struct ps_dir_settings effective = ps_dir_effective(&dir);

    ck_assert_msg(ps_dir_covers(&dir) == row->any, "%s", row->name);
    ck_assert_msg(ps_dir_covers(&effective) == row->any,
                  "%s: not so with the defaults filled in", row->name);
}
END_TEST

Suite *covers_suite(void)
{
    Suite *suite = suite_create("settings: covered");
    TCase *tc = tcase_create("covered");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, covers, 0, (int)ROWS(rows));
    tcase_add_loop_test(tc, covers_anything, 0, (int)ROWS(any_rows));
    suite_add_tcase(suite, tc);
    return suite;
}
