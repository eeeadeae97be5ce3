/*
 * tag - the tags of log lines; README explains each
 *
 * A tag names one event for ever: it is never reused, and an operator may
 * search for it. Every line of this module that an operator could be
 * waiting for begins with one.
 */
#ifndef PS_TAG_H
#define PS_TAG_H

#include "module.h"

#include <http_log.h>

APLOG_USE_MODULE(process_security);

/* clang-format off */

/* A request was refused: 403 */
#define PS_TAG_ROOT "PS0101: " /* uid or gid 0 */
#define PS_TAG_MINIMUM "PS0102: " /* below PSMinUidGid */
#define PS_TAG_SUEXEC "PS0103: " /* PSCheckSuexecids */
#define PS_TAG_PATH "PS0104: " /* the path rule */
#define PS_TAG_UNSEEN "PS0105: " /* the path could not be looked at */
#define PS_TAG_CHANGED "PS0106: " /* not the file decided on any more */
#define PS_TAG_UNREACHED "PS0107: " /* the tenant cannot reach the file */
#define PS_TAG_TWO_TENANTS "PS0108: " /* redirected to another's file */
#define PS_TAG_HTACCESS "PS0109: " /* anybody's .htaccess took effect */
#define PS_TAG_NO_FILE "PS0110: " /* a FIFO, socket or device */
#define PS_TAG_NO_EXEC "PS0111: " /* the tenant may not execute it */
#define PS_TAG_NO_CGI "PS0112: " /* not to be run as a CGI script */
#define PS_TAG_PAGE "PS0113: " /* included by a page of another's */

/* A request failed: 500 */
#define PS_TAG_DROP "PS0201: " /* the drop failed */
#define PS_TAG_THREAD "PS0202: " /* no thread could be started */
#define PS_TAG_CGID "PS0203: " /* mod_cgid would run it as the server */
#define PS_TAG_IDENTITY "PS0204: " /* a thread that is not the server's */
#define PS_TAG_LEFT_OVER "PS0205: " /* what is left cannot be cleared */
#define PS_TAG_SUSPENDED "PS0206: " /* the handler wants to go on later */
#define PS_TAG_TAKE "PS0207: " /* no file-system identity of the tenant's */
#define PS_TAG_SPAWN "PS0208: " /* a script could not be started */
#define PS_TAG_SLOW "PS0209: " /* PSCgiTimeout without output */
#define PS_TAG_BODY "PS0210: " /* the request's body could not be read */
#define PS_TAG_HEADERS "PS0211: " /* a script's header lines are not right */

/* A child could not start */
#define PS_TAG_CHILD "PS0301: "

/* The configuration is refused */
#define PS_TAG_CONF_CGID "PS0401: "
#define PS_TAG_CONF_NOT_ROOT "PS0402: "
#define PS_TAG_CONF_NO_CAPS "PS0403: "
#define PS_TAG_CONF_DUMPABLE "PS0404: "
#define PS_TAG_CONF_TENANT "PS0405: "
#define PS_TAG_CONF_LUA_SCOPE "PS0406: "
#define PS_TAG_CONF_UNSHARE "PS0407: "
#define PS_TAG_CONF_CLOSE_RANGE "PS0408: "

/* The configuration is questionable */
#define PS_TAG_WARN_ROOT "PS0501: "
#define PS_TAG_WARN_DAC "PS0502: "
#define PS_TAG_WARN_HTACCESS "PS0503: "
#define PS_TAG_WARN_UNCOVERED "PS0504: "
#define PS_TAG_WARN_SERVER_USER "PS0505: "
#define PS_TAG_WARN_SUEXEC "PS0506: "
#define PS_TAG_WARN_STACK "PS0507: "
#define PS_TAG_WARN_CORE "PS0508: "
#define PS_TAG_WARN_FCGID "PS0509: "
#define PS_TAG_WARN_DAV_LOCKS "PS0510: "
#define PS_TAG_WARN_CACHE "PS0511: "
#define PS_TAG_WARN_NO_SUEXEC "PS0512: "
#define PS_TAG_WARN_CACHE_LOCK "PS0513: "
#define PS_TAG_WARN_TLS_SESSIONS "PS0514: "
#define PS_TAG_WARN_MOD_CGI "PS0515: "

/* Of scripts */
#define PS_TAG_STDERR "PS0601: " /* a line of standard error */
#define PS_TAG_STDERR_FULL "PS0602: " /* more than is logged */
#define PS_TAG_ENDED "PS0603: " /* TERM, or KILL, and why */
#define PS_TAG_STUCK "PS0604: " /* stopped before it ran */
#define PS_TAG_NO_EXEC_TAG "PS0605: " /* a #exec that was not run */

/* clang-format on */

#endif /* PS_TAG_H */
