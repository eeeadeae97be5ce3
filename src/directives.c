/*
 * directives - the PS directives as httpd reads them
 */
#include "directives.h"

#include "content.h"
#include "lookup.h"
#include "module.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

/* Where directives may stand. Never .htaccess: that is a tenant's. */
#define IN_HOSTS RSRC_CONF
#define IN_HOSTS_AND_DIRS (RSRC_CONF | ACCESS_CONF)

void *ps_create_dir_config(apr_pool_t *p, char *dir)
{
    (void)dir;
    return ps_dir_create(p);
}

void *ps_merge_dir_config(apr_pool_t *p, void *base, void *over)
{
    return ps_dir_merge(p, base, over);
}

void *ps_create_server_config(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return ps_host_create(p);
}

void *ps_merge_server_config(apr_pool_t *p, void *base, void *over)
{
    return ps_host_merge(p, base, over);
}

/*
 * <Limit> would not limit them: they would hold for every method. And
 * AllowOverrideList could name one, whatever this table says of .htaccess.
 */
static const char *check_place(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, NOT_IN_LIMIT | NOT_IN_HTACCESS);
}

static const char *says(cmd_parms *cmd, const char *what, const char *wrong)
{
    return apr_psprintf(cmd->pool, "%s: %s%s%s", cmd->cmd->name, what,
                        *what ? " " : "", wrong);
}

/* The field whose offset the command table gives. */
static enum ps_switch *field(cmd_parms *cmd, void *record)
{
    return (enum ps_switch *)((char *)record + (apr_size_t)cmd->info);
}

static const char *set_dir_switch(cmd_parms *cmd, void *dir, int on)
{
    const char *wrong = check_place(cmd);

    if (!wrong) {
        *field(cmd, dir) = on ? PS_ON : PS_OFF;
    }
    return wrong;
}

static const char *set_host_switch(cmd_parms *cmd, void *dir, int on)
{
    const char *wrong = check_place(cmd);

    (void)dir;
    if (!wrong) {
        *field(cmd, ps_host_of(cmd->server)) = on ? PS_ON : PS_OFF;
    }
    return wrong;
}

static const char *check_extension(cmd_parms *cmd, const char *word)
{
    if (word[0] != '.' || word[1] == '\0' || ap_strchr_c(word, '/')) {
        return says(cmd, word, "is not an extension such as .php");
    }
    return NULL;
}

static const char *check_handler(cmd_parms *cmd, const char *word)
{
    char *lower = apr_pstrdup(cmd->pool, word);

    ap_str_tolower(lower);
    if (*word == '\0') {
        return says(cmd, word, "an empty name is no handler");
    }
    if (strcmp(lower, "server-parsed") == 0) {
        return says(cmd, word,
                    "is no handler any more when requests run (mod_include "
                    "replaces it): use PSExtensions .shtml, or PSExAll On");
    }
    if (ps_hands_over(lower)) {
        return says(cmd, word,
                    "hands requests to another process, which sees nothing "
                    "of a tenant's identity here: it cannot be covered");
    }
    return NULL;
}

typedef const char *check_word(cmd_parms *cmd, const char *word);

/* Adds words to a list of this place; ap_getword_conf() reads quotes. */
static const char *add_words(cmd_parms *cmd, apr_array_header_t **list,
                             const char *args, check_word *check)
{
    const char *wrong = check_place(cmd);

    if (!wrong && *args == '\0') {
        wrong = says(cmd, "", "an empty list");
    }
    if (!wrong && !*list) {
        *list = apr_array_make(cmd->pool, 4, sizeof(char *));
    }
    while (!wrong && *args) {
        char *word = ap_getword_conf(cmd->pool, &args);

        wrong = check(cmd, word);
        if (!wrong) {
            APR_ARRAY_PUSH(*list, char *) = word;
        }
    }
    return wrong;
}

static const char *set_extensions(cmd_parms *cmd, void *dir, const char *args)
{
    return add_words(cmd, &((struct ps_dir_settings *)dir)->extensions, args,
                     check_extension);
}

static const char *set_ignored(cmd_parms *cmd, void *dir, const char *args)
{
    return add_words(cmd, &((struct ps_dir_settings *)dir)->ignored, args,
                     check_extension);
}

static const char *set_handlers(cmd_parms *cmd, void *dir, const char *args)
{
    return add_words(cmd, &((struct ps_dir_settings *)dir)->handlers, args,
                     check_handler);
}

/* PSUserGroup WORD: where else the tenant comes from. */
static const char *set_tenancy(cmd_parms *cmd, struct ps_dir_settings *dir,
                               const char *word)
{
    static const struct
    {
        const char *word;
        enum ps_tenancy tenancy;
        enum ps_switch pinned;
    } words[] = {
        {"owner", PS_TENANCY_OWNER, PS_UNSET},
        {"docroot", PS_TENANCY_DOCROOT, PS_ON},
        {"suexec", PS_TENANCY_SUEXEC, PS_ON},
    };
    struct ps_host_settings *host = ps_host_of(cmd->server);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            host->tenancy = words[i].tenancy;
            host->named = false;
            dir->pinned = words[i].pinned;
            return NULL;
        }
    }
    return says(cmd, word,
                "wants a group too (one word alone can only be: owner, "
                "docroot, suexec)");
}

static const char *set_user_group(cmd_parms *cmd, void *dir, const char *user,
                                  const char *group)
{
    struct ps_host_settings *host = ps_host_of(cmd->server);
    const char *wrong = check_place(cmd);

    if (wrong || !group) {
        return wrong ? wrong : set_tenancy(cmd, dir, user);
    }
    /* Groups cost, with many hosts. */
    wrong = ps_find_tenant(cmd->pool, user, group, !ps_is_rehearsal(),
                           &host->tenant);
    if (wrong) {
        return says(cmd, "", wrong);
    }
    host->tenancy = PS_TENANCY_PINNED;
    host->named = true;
    host->user = user;
    host->group = group;
    ((struct ps_dir_settings *)dir)->pinned = PS_ON;
    return NULL;
}

static const char *set_minimum(cmd_parms *cmd, void *dir, const char *uid,
                               const char *gid)
{
    struct ps_host_settings *host = ps_host_of(cmd->server);
    const char *wrong = check_place(cmd);

    (void)dir;
    if (wrong) {
        return wrong;
    }
    wrong = ps_parse_id(uid, &host->min_uid);
    if (wrong) {
        return says(cmd, uid, wrong);
    }
    wrong = ps_parse_id(gid, &host->min_gid);
    if (wrong) {
        return says(cmd, gid, wrong);
    }
    host->minimum_set = true;
    return NULL;
}

/* "48" as "#48" */
static const char *hash_number(cmd_parms *cmd, const char *word)
{
    return apr_isdigit(word[0]) ? apr_pstrcat(cmd->pool, "#", word, NULL)
                                : word;
}

/*
 * Plain numbers too, as in configurations of the earlier module; without
 * supplementary groups, as in all of owner mode.
 */
static const char *set_default(cmd_parms *cmd, void *dir, const char *user,
                               const char *group)
{
    struct ps_identity *who = &ps_host_of(cmd->server)->default_tenant;
    const char *wrong = check_place(cmd);

    (void)dir;
    if (wrong) {
        return wrong;
    }
    wrong = ps_find_user(cmd->pool, hash_number(cmd, user), &who->uid);
    if (!wrong) {
        wrong = ps_find_group(cmd->pool, hash_number(cmd, group), &who->gid);
    }
    if (wrong) {
        return says(cmd, "", wrong);
    }
    ps_host_of(cmd->server)->default_set = true;
    return NULL;
}

static const char *set_cgi_timeout(cmd_parms *cmd, void *dir, const char *text)
{
    apr_interval_time_t time = 0;
    const char *wrong = check_place(cmd);

    if (!wrong
        && (ap_timeout_parameter_parse(text, &time, "s") != APR_SUCCESS
            || time <= 0)) {
        wrong = says(cmd, text, "is not a time such as 60 or 5min");
    }
    if (!wrong) {
        ((struct ps_dir_settings *)dir)->cgi_timeout = time;
    }
    return wrong;
}

#define DIR_FIELD(name) ((void *)APR_OFFSETOF(struct ps_dir_settings, name))
#define HOST_FIELD(name) ((void *)APR_OFFSETOF(struct ps_host_settings, name))

/* clang-format off */
const command_rec ps_directives[] = {
    AP_INIT_FLAG("PSExAll", set_dir_switch, DIR_FIELD(all),
                 IN_HOSTS_AND_DIRS,
                 "On: cover every request that maps to a file or directory"),
    AP_INIT_FLAG("PSExCGI", set_dir_switch, DIR_FIELD(cgi),
                 IN_HOSTS_AND_DIRS,
                 "On: cover what the cgi-script handler would run"),
    AP_INIT_RAW_ARGS("PSExtensions", set_extensions, NULL,
                     IN_HOSTS_AND_DIRS,
                     "extensions of files to cover: .php .pl ..."),
    AP_INIT_RAW_ARGS("PSHandlers", set_handlers, NULL,
                     IN_HOSTS_AND_DIRS,
                     "handlers whose files to cover"),
    AP_INIT_RAW_ARGS("PSIgnoreExtensions", set_ignored, NULL,
                     IN_HOSTS_AND_DIRS,
                     "extensions of files that PSExAll leaves to the server "
                     "where they would only be read"),
    AP_INIT_TAKE12("PSUserGroup", set_user_group, NULL, IN_HOSTS,
                   "the host's tenant: USER GROUP (names or #numbers), or: "
                   "owner, docroot, suexec"),
    AP_INIT_TAKE2("PSMinUidGid", set_minimum, NULL, IN_HOSTS,
                  "lowest uid and gid that a tenant may have"),
    AP_INIT_TAKE2("PSDefaultUidGid", set_default, NULL, IN_HOSTS,
                  "tenant for files whose owner is below the minimum"),
    AP_INIT_FLAG("PSRootEnable", set_host_switch, HOST_FIELD(root_enable),
                 IN_HOSTS,
                 "On: allow uid or gid 0 as a tenant"),
    AP_INIT_FLAG("PSCheckSuexecids", set_dir_switch, DIR_FIELD(check_suexec),
                 IN_HOSTS_AND_DIRS,
                 "On: refuse files not owned by SuexecUserGroup's ids"),
    AP_INIT_FLAG("PSTrustedPath", set_dir_switch, DIR_FIELD(trusted_path),
                 IN_HOSTS_AND_DIRS,
                 "Off: do not ask who else can change the path to a file"),
    AP_INIT_FLAG("PSCapDacOverride", set_host_switch,
                 HOST_FIELD(cap_dac_override), IN_HOSTS,
                 "without effect; kept for old configurations"),
    AP_INIT_FLAG("PSKeepOpenFile", set_dir_switch, DIR_FIELD(keep_open_file),
                 IN_HOSTS_AND_DIRS,
                 "On: keep the request's file open while its handler runs"),
    AP_INIT_FLAG("PSCgiSpawn", set_dir_switch, DIR_FIELD(cgi_spawn),
                 IN_HOSTS_AND_DIRS,
                 "Off: leave CGI scripts to mod_cgi, in a tenant's thread"),
    AP_INIT_TAKE1("PSCgiTimeout", set_cgi_timeout, NULL, IN_HOSTS_AND_DIRS,
                  "how long a CGI script may be silent; else Timeout"),
    {NULL}
};
/* clang-format on */
