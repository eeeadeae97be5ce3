/*
 * settings - what the directives say, and what they mean together
 */
#include "settings.h"

#include <string.h>
#include <strings.h>

const struct ps_dir_settings ps_dir_defaults = {
    .all = PS_OFF,
    .pinned = PS_UNSET,
    .cgi = PS_OFF,
    .check_suexec = PS_OFF,
    .trusted_path = PS_ON,
    .keep_open_file = PS_OFF,
    .cgi_spawn = PS_ON,
};

const struct ps_host_settings ps_host_defaults = {
    .tenancy = PS_TENANCY_OWNER,
    .minimum_set = true,
    .min_uid = 100,
    .min_gid = 100,
    .root_enable = PS_OFF,
    .cap_dac_override = PS_OFF,
};

struct ps_dir_settings *ps_dir_create(apr_pool_t *p)
{
    struct ps_dir_settings *dir = apr_pcalloc(p, sizeof(*dir));

    dir->all = PS_UNSET;
    dir->pinned = PS_UNSET;
    dir->cgi = PS_UNSET;
    dir->check_suexec = PS_UNSET;
    dir->trusted_path = PS_UNSET;
    dir->keep_open_file = PS_UNSET;
    dir->cgi_spawn = PS_UNSET;
    return dir;
}

struct ps_host_settings *ps_host_create(apr_pool_t *p)
{
    struct ps_host_settings *host = apr_pcalloc(p, sizeof(*host));

    host->root_enable = PS_UNSET;
    host->cap_dac_override = PS_UNSET;
    return host;
}

static enum ps_switch prefer(enum ps_switch over, enum ps_switch base)
{
    return over != PS_UNSET ? over : base;
}

/* PSExAll where it stands, else what PSUserGroup in the same place means. */
static enum ps_switch covers_all(const struct ps_dir_settings *dir)
{
    return prefer(dir->all, dir->pinned);
}

static void merge_dir(struct ps_dir_settings *out,
                      const struct ps_dir_settings *base,
                      const struct ps_dir_settings *over)
{
    out->all = prefer(covers_all(over), covers_all(base));
    out->pinned = PS_UNSET;
    out->cgi = prefer(over->cgi, base->cgi);
    out->check_suexec = prefer(over->check_suexec, base->check_suexec);
    out->trusted_path = prefer(over->trusted_path, base->trusted_path);
    out->keep_open_file = prefer(over->keep_open_file, base->keep_open_file);
    out->cgi_spawn = prefer(over->cgi_spawn, base->cgi_spawn);
    out->cgi_timeout =
        over->cgi_timeout ? over->cgi_timeout : base->cgi_timeout;
    out->extensions = over->extensions ? over->extensions : base->extensions;
    out->handlers = over->handlers ? over->handlers : base->handlers;
    out->ignored = over->ignored ? over->ignored : base->ignored;
}

struct ps_dir_settings *ps_dir_merge(apr_pool_t *p,
                                     const struct ps_dir_settings *base,
                                     const struct ps_dir_settings *over)
{
    struct ps_dir_settings *out = apr_palloc(p, sizeof(*out));

    merge_dir(out, base, over);
    return out;
}

struct ps_dir_settings ps_dir_effective(const struct ps_dir_settings *said)
{
    struct ps_dir_settings out;

    merge_dir(&out, &ps_dir_defaults, said);
    return out;
}

static void merge_host(struct ps_host_settings *out,
                       const struct ps_host_settings *base,
                       const struct ps_host_settings *over)
{
    const struct ps_host_settings *from;

    from = over->tenancy != PS_TENANCY_UNSET ? over : base;
    out->tenancy = from->tenancy;
    out->named = from->named;
    out->tenant = from->tenant;
    out->user = from->user;
    out->group = from->group;

    from = over->minimum_set ? over : base;
    out->minimum_set = from->minimum_set;
    out->min_uid = from->min_uid;
    out->min_gid = from->min_gid;

    from = over->default_set ? over : base;
    out->default_set = from->default_set;
    out->default_tenant = from->default_tenant;

    out->root_enable = prefer(over->root_enable, base->root_enable);
    out->cap_dac_override =
        prefer(over->cap_dac_override, base->cap_dac_override);
    out->covers = over->covers;
}

struct ps_host_settings *ps_host_merge(apr_pool_t *p,
                                       const struct ps_host_settings *base,
                                       const struct ps_host_settings *over)
{
    struct ps_host_settings *out = apr_palloc(p, sizeof(*out));

    merge_host(out, base, over);
    return out;
}

struct ps_host_settings ps_host_effective(const struct ps_host_settings *said)
{
    struct ps_host_settings out;

    merge_host(&out, &ps_host_defaults, said);
    return out;
}

static bool is_filled(const apr_array_header_t *list)
{
    return list && list->nelts > 0;
}

bool ps_dir_covers(const struct ps_dir_settings *dir)
{
    return covers_all(dir) == PS_ON || dir->cgi == PS_ON
           || is_filled(dir->extensions) || is_filled(dir->handlers);
}

static bool ends_so(const char *name, size_t length, const char *suffix)
{
    size_t n = strlen(suffix);

    return length >= n && strncasecmp(name + length - n, suffix, n) == 0;
}

/*
 * Upper or lower case, as mod_mime has it: AddHandler for .php also takes
 * x.PHP.
 */
static bool has_extension(const apr_array_header_t *list, const char *name)
{
    for (int i = 0; list && i < list->nelts; i++) {
        if (ends_so(name, strlen(name), APR_ARRAY_IDX(list, i, char *))) {
            return true;
        }
    }
    return false;
}

/* As above, before any dot: mod_mime runs x.php.en as PHP, too. */
static bool has_extension_anywhere(const apr_array_header_t *list,
                                   const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    for (int i = 0; list && i < list->nelts; i++) {
        const char *suffix = APR_ARRAY_IDX(list, i, char *);

        for (const char *end = name; *end; end++) {
            if ((end[1] == '\0' || end[1] == '.')
                && ends_so(name, (size_t)(end + 1 - name), suffix)) {
                return true;
            }
        }
    }
    return false;
}

static bool has_handler(const apr_array_header_t *list, const char *handler)
{
    for (int i = 0; list && handler && i < list->nelts; i++) {
        if (strcasecmp(APR_ARRAY_IDX(list, i, char *), handler) == 0) {
            return true;
        }
    }
    return false;
}

bool ps_covers(const struct ps_dir_settings *dir, const struct ps_content *what)
{
    if (has_extension_anywhere(dir->extensions, what->name)
        || has_handler(dir->handlers, what->handler)
        || (dir->cgi == PS_ON && what->is_cgi)) {
        return true;
    }
    if (covers_all(dir) != PS_ON) {
        return false;
    }
    return !(what->reads_only && has_extension(dir->ignored, what->name));
}
