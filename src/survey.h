/*
 * survey - what a whole configuration covers, for checks and the dump
 *
 * Looks through every section of a host. Main thread, when the configuration
 * has been read and merged.
 */
#ifndef PS_SURVEY_H
#define PS_SURVEY_H

#include "settings.h"

#include <httpd.h>

/** What the places of one host say, taken together. */
struct ps_survey
{
    bool covers;            /* any request at all can be covered */
    bool reaches_cgi;       /* a covered request can have mod_cgi's handler */
    bool cgi_in_thread;     /* PSCgiSpawn Off somewhere */
    bool checks_suexec;     /* PSCheckSuexecids somewhere */
    bool htaccess;          /* AllowOverride lets a .htaccess say something */
    bool htaccess_auth;     /* ... what AuthConfig allows, included */
    bool uncovered_scripts; /* ... AddHandler and SetHandler included, where
                               not all is covered */
    unsigned sections;      /* sections that change what is covered */
};

/** Survey the host `s`, whose own settings are merged with the main server's.
 */
struct ps_survey ps_survey_host(server_rec *s);

/** Whether any host of the list covers anything. */
bool ps_survey_any_covers(server_rec *first);

/** "name:port", for messages about a host; from `p`. */
const char *ps_host_name(apr_pool_t *p, const server_rec *s);

#endif /* PS_SURVEY_H */
