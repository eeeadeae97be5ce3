/*
 * settings - what the directives say, and what they mean together
 *
 * Two records, as httpd has it: one per server or virtual host, one per
 * directory. Each field has an explicit "not said", so that a merge can tell
 * a value from its absence; ps_*_defaults says what holds where nobody said
 * anything. Written while the configuration is read (and by httpd's merges,
 * which make new records); read only afterwards. Uses APR, not httpd.
 */
#ifndef PS_SETTINGS_H
#define PS_SETTINGS_H

#include "identity.h"

#include <apr_tables.h>
#include <apr_time.h>

/** A directive that is On or Off. */
enum ps_switch
{
    PS_UNSET = -1,
    PS_OFF = 0,
    PS_ON = 1
};

/** Directives that also stand in <Directory>, <Location> and <Files>. */
struct ps_dir_settings
{
    enum ps_switch all;              /* PSExAll */
    enum ps_switch pinned;           /* PSUserGroup stands in this place, which
                                        covers all, unless PSExAll stands in it
                                        too; On or unset */
    enum ps_switch cgi;              /* PSExCGI */
    enum ps_switch check_suexec;     /* PSCheckSuexecids */
    enum ps_switch trusted_path;     /* PSTrustedPath */
    enum ps_switch keep_open_file;   /* PSKeepOpenFile */
    enum ps_switch cgi_spawn;        /* PSCgiSpawn */
    apr_interval_time_t cgi_timeout; /* PSCgiTimeout; 0: unset,
                                        and the host's Timeout holds */
    apr_array_header_t *extensions;  /* PSExtensions; char *, NULL: unset */
    apr_array_header_t *handlers;    /* PSHandlers; the same */
    apr_array_header_t *ignored;     /* PSIgnoreExtensions; the same */
};

/** Where a host's tenants come from. */
enum ps_tenancy
{
    PS_TENANCY_UNSET,
    PS_TENANCY_OWNER,   /* PSUserGroup owner, and the default */
    PS_TENANCY_PINNED,  /* PSUserGroup USER GROUP */
    PS_TENANCY_DOCROOT, /* PSUserGroup docroot */
    PS_TENANCY_SUEXEC   /* PSUserGroup suexec */
};

/** Directives of a server or virtual host. */
struct ps_host_settings
{
    enum ps_tenancy tenancy;
    bool named;                /* one tenant for all of the host's requests:
                                  PSUserGroup's or SuexecUserGroup's */
    struct ps_identity tenant; /* where named */
    const char *user;          /* as written, for the dump; "#uid" */
    const char *group;

    bool minimum_set; /* PSMinUidGid */
    uid_t min_uid;
    gid_t min_gid;

    bool default_set;                  /* PSDefaultUidGid */
    struct ps_identity default_tenant; /* without groups: owner mode */

    enum ps_switch root_enable;      /* PSRootEnable */
    enum ps_switch cap_dac_override; /* PSCapDacOverride */

    bool covers; /* any request of the host can be covered; not a directive,
                    but known when all of them have been read */
};

/** What holds where nothing was said. */
extern const struct ps_dir_settings ps_dir_defaults;
extern const struct ps_host_settings ps_host_defaults;

/** New records with nothing said, for httpd's create hooks. */
struct ps_dir_settings *ps_dir_create(apr_pool_t *p);
struct ps_host_settings *ps_host_create(apr_pool_t *p);

/** New records: what `over` says, and `base` where it says nothing. */
struct ps_dir_settings *ps_dir_merge(apr_pool_t *p,
                                     const struct ps_dir_settings *base,
                                     const struct ps_dir_settings *over);
struct ps_host_settings *ps_host_merge(apr_pool_t *p,
                                       const struct ps_host_settings *base,
                                       const struct ps_host_settings *over);

/** The same records with the defaults filled in: nothing is unset. */
struct ps_dir_settings ps_dir_effective(const struct ps_dir_settings *said);
struct ps_host_settings ps_host_effective(const struct ps_host_settings *said);

/** Whether `dir` covers anything at all. */
bool ps_dir_covers(const struct ps_dir_settings *dir);

/** What ps_covers() asks about a request. */
struct ps_content
{
    const char *name;    /* the file's */
    const char *handler; /* that httpd is about to call; may be NULL */
    bool is_cgi;         /* the handler is mod_cgi's */
    bool reads_only;     /* the default handler would read it, no more */
};

/**
 * Whether a request for `what`, which maps to a file or directory, is
 * covered. Pure; any thread.
 */
bool ps_covers(const struct ps_dir_settings *dir,
               const struct ps_content *what);

#endif /* PS_SETTINGS_H */
