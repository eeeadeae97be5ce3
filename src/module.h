/*
 * module - the module's record, for the parts that reach its configuration
 */
#ifndef PS_MODULE_H
#define PS_MODULE_H

#include "settings.h"

#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <stdbool.h>

/** The one symbol that httpd looks for; all others stay inside. */
extern module AP_MODULE_DECLARE_DATA process_security_module
    __attribute__((visibility("default")));

/** A server's or virtual host's settings; never NULL, any thread. */
static inline struct ps_host_settings *ps_host_of(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &process_security_module);
}

/** A directory section's settings; may be NULL in a raw section. */
static inline struct ps_dir_settings *ps_dir_of(const ap_conf_vector_t *v)
{
    return ap_get_module_config(v, &process_security_module);
}

/**
 * Whether this is the first of the two times that a start reads the
 * configuration, which is for errors only. Not configtest.
 */
static inline bool ps_is_rehearsal(void)
{
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL
           && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
}

#endif /* PS_MODULE_H */
