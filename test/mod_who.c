/*
 * mod_who - for the tests: what the kernel says of the thread that serves
 *
 * Each request's answer carries X-Who, made where its handler runs, just
 * before it runs. The handler "who" answers with the status of every thread
 * of its process; "who-leaves" leaves a clean-up in the request's pool, which
 * notes in the file named by WhoNote who runs it, and when.
 */
#include <httpd.h>

#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

module AP_MODULE_DECLARE_DATA who_module;

static const char *read_file(apr_pool_t *p, const char *path)
{
    char text[8192];
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    return apr_pstrndup(p, text, n > 0 ? (apr_size_t)n : 0);
}

/* "Uid: 1 1 1 1; Gid: ...; Groups: ...; CapPrm: ...; ..." on one line */
static char *who(apr_pool_t *p)
{
    static const char *const wanted[] = {
        "Uid:",    "Gid:",    "Groups:", "CapInh:",
        "CapPrm:", "CapEff:", "CapAmb:", NULL};
    char *text = apr_pstrdup(p, read_file(p, "/proc/thread-self/status"));
    char *state;
    char *out = "";

    for (char *line = apr_strtok(text, "\n", &state); line;
         line = apr_strtok(NULL, "\n", &state)) {
        for (int i = 0; wanted[i]; i++) {
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0) {
                out = apr_pstrcat(p, out, line, "; ", NULL);
            }
        }
    }
    for (char *c = out; *c; c++) {
        *c = *c == '\t' ? ' ' : *c;
    }
    return out;
}

static int say_who(request_rec *r)
{
    if (!r->main) {
        apr_table_setn(r->err_headers_out, "X-Who", who(r->pool));
    }
    return DECLINED;
}

static void print_threads(request_rec *r)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *e;

    while (tasks && (e = readdir(tasks))) {
        if (e->d_name[0] != '.') {
            ap_rprintf(
                r, "thread %s\n%s", e->d_name,
                read_file(r->pool,
                          apr_psprintf(r->pool, "/proc/self/task/%s/status",
                                       e->d_name)));
        }
    }
    if (tasks) {
        closedir(tasks);
    }
}

static int answer(request_rec *r)
{
    if (strcmp(r->handler, "who") != 0) {
        return DECLINED;
    }
    ap_set_content_type(r, "text/plain");
    ap_rprintf(r, "%s\n", who(r->pool));
    print_threads(r);
    return OK;
}

static apr_status_t note(void *data)
{
    const char *path = data;
    apr_pool_t *p;
    FILE *f;

    apr_pool_create(&p, NULL);
    f = fopen(path, "a");
    if (f) {
        fprintf(f, "%s\n", who(p));
        fclose(f);
    }
    apr_pool_destroy(p);
    return APR_SUCCESS;
}

static int leave(request_rec *r)
{
    const char *path;

    if (strcmp(r->handler, "who-leaves") != 0) {
        return DECLINED;
    }
    path = ap_get_module_config(r->server->module_config, &who_module);
    path = *(const char *const *)path;
    if (path) {
        apr_pool_t *child;

        apr_pool_create(&child, r->pool);
        apr_pool_cleanup_register(child, path, note, apr_pool_cleanup_null);
        apr_pool_cleanup_register(r->pool, path, note, apr_pool_cleanup_null);
    }
    ap_set_content_type(r, "text/plain");
    ap_rprintf(r, "%s\n", who(r->pool));
    return OK;
}

static void *create(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return apr_pcalloc(p, sizeof(char *));
}

static const char *set_note(cmd_parms *cmd, void *dir, const char *path)
{
    const char **conf =
        ap_get_module_config(cmd->server->module_config, &who_module);

    (void)dir;
    *conf = path;
    return NULL;
}

static const command_rec directives[] = {
    AP_INIT_TAKE1("WhoNote", set_note, NULL, RSRC_CONF,
                  "file for what a clean-up has to say"),
    {NULL}};

static void hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(say_who, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(answer, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(leave, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(who) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, create, NULL, directives, hooks,
#if defined(AP_MODULE_FLAG_NONE)
    AP_MODULE_FLAG_NONE
#endif
};
