/*
 * directives - the PS directives as httpd reads them
 *
 * Each checks its arguments and its place when it is read, and fills in a
 * field of settings.h. Main thread, while the configuration is read.
 */
#ifndef PS_DIRECTIVES_H
#define PS_DIRECTIVES_H

#include <httpd.h>

#include <http_config.h>

/** The module's command table, ended as httpd wants it. */
extern const command_rec ps_directives[];

/** The module's create and merge functions, for its record. */
void *ps_create_dir_config(apr_pool_t *p, char *dir);
void *ps_merge_dir_config(apr_pool_t *p, void *base, void *over);
void *ps_create_server_config(apr_pool_t *p, server_rec *s);
void *ps_merge_server_config(apr_pool_t *p, void *base, void *over);

#endif /* PS_DIRECTIVES_H */
