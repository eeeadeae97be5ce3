/*
 * dump - apachectl -t -D DUMP_PROCESS_SECURITY
 */
#ifndef PS_DUMP_H
#define PS_DUMP_H

#include <httpd.h>

/**
 * test_config: a line a host on standard output, where it was asked for:
 * what is covered, who it runs as, which way each kind of content runs.
 */
void ps_dump_config(apr_pool_t *pconf, server_rec *s);

#endif /* PS_DUMP_H */
