/*
 * mod_process_security - every request acts as its tenant
 *
 * This file is the module as httpd sees it: its record, and its hooks in the
 * order in which a server, and then a request, meets them. The parts are in
 * src/, one concern each; HACKING.md is their map.
 */
#include "src/directives.h"
#include "src/dump.h"
#include "src/exec_tag.h"
#include "src/module.h"
#include "src/neighbours.h"
#include "src/opened.h"
#include "src/reaper.h"
#include "src/request.h"
#include "src/startup.h"

#include <http_config.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

/* Before, and after, what other modules do first, or last. */
#define BEFORE_ALL (APR_HOOK_REALLY_FIRST - 10)
#define BEFORE_DEFAULT_HANDLER (APR_HOOK_REALLY_LAST - 1)
#define AFTER_ALL (APR_HOOK_REALLY_LAST + 10)

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ps_opened_register();
    /* Every start, and configtest: the whole configuration is checked. */
    ap_hook_check_config(ps_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(ps_dump_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* mod_include's #exec. */
    ap_hook_optional_fn_retrieve(ps_exec_tag_listen, NULL, NULL, BEFORE_ALL);
    ap_hook_optional_fn_retrieve(ps_exec_tag_take_over, NULL, NULL, AFTER_ALL);
    /* A real start: root, capabilities, the system's settings. */
    ap_hook_post_config(ps_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* Each child, around mod_unixd's change to the server's user. */
    ap_hook_drop_privileges(ps_before_unixd, NULL, NULL, BEFORE_ALL);
    ap_hook_drop_privileges(ps_after_unixd, NULL, NULL, AFTER_ALL);
    ap_hook_child_init(ps_child_init, NULL, NULL, BEFORE_ALL);
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 110)
    ap_hook_child_stopping(ps_reaper_child_stopping, NULL, NULL, BEFORE_ALL);
#endif
    /* Each connection begins, and ends, as the server's. */
    ap_hook_pre_close_connection(ps_end_connection, NULL, NULL, BEFORE_ALL);
    ap_hook_pre_connection(ps_begin_connection, NULL, NULL, BEFORE_ALL);
    ap_hook_process_connection(ps_resume_connection, NULL, NULL, BEFORE_ALL);
    ap_hook_pre_read_request(ps_before_reading, NULL, NULL, BEFORE_ALL);
    /* Each request: taken in as its tenant's, where that is known already. */
    ap_hook_post_read_request(ps_take_request, NULL, NULL, BEFORE_ALL);
    ap_hook_quick_handler(ps_before_quick_handlers, NULL, NULL, BEFORE_ALL);
    ap_hook_quick_handler(ps_after_quick_handlers, NULL, NULL, AFTER_ALL);
    ap_hook_translate_name(ps_refuse_request, NULL, NULL, BEFORE_ALL);
    ap_hook_map_to_storage(ps_take_request_again, NULL, NULL, BEFORE_ALL);
    ap_hook_fixups(ps_look_at_subrequest, NULL, NULL, AFTER_ALL);
    /* Then decided, and run where it is covered. */
    ap_hook_handler(ps_handle_request, NULL, NULL, BEFORE_ALL);
    ap_hook_handler(ps_handle_unwanted, NULL, NULL, BEFORE_DEFAULT_HANDLER);
    /* Error pages of the server's own thread. */
    ap_hook_insert_error_filter(ps_filter_error, NULL, NULL, AFTER_ALL);
    ap_hook_log_transaction(ps_before_logs, NULL, NULL, BEFORE_ALL);
}

/* clang-format off */
AP_DECLARE_MODULE(process_security) = {
    STANDARD20_MODULE_STUFF,
    ps_create_dir_config,
    ps_merge_dir_config,
    ps_create_server_config,
    ps_merge_server_config,
    ps_directives,
    register_hooks,
#if defined(AP_MODULE_FLAG_NONE)
    AP_MODULE_FLAG_NONE
#endif
};
/* clang-format on */
