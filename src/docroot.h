/*
 * docroot - the document root of a request, before it is mapped to a file
 *
 * For PSUserGroup docroot: whose folder a request is about must be known
 * before httpd walks into it. The request's own thread.
 */
#ifndef PS_DOCROOT_H
#define PS_DOCROOT_H

#include <httpd.h>

/**
 * Find mod_vhost_alias among the modules that map URLs, as its
 * VirtualDocumentRoot depends on the request. post_config, when all hooks are
 * sorted; once per start.
 */
void ps_docroot_learn(void);

/**
 * The request's document root: what a module has said for this request, else
 * VirtualDocumentRoot's, else DocumentRoot. Also where something else maps the
 * URL (Alias). Never NULL.
 */
const char *ps_docroot_of(request_rec *r);

#endif /* PS_DOCROOT_H */
