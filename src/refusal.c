/*
 * refusal - why a request was refused, for the error log
 */
#include "refusal.h"

#include "tag.h"

#include <apr_strings.h>

static const char *distrust_text(enum ps_distrust distrust)
{
    switch (distrust) {
    case PS_FOREIGN_OWNER:
        return "is owned by neither root nor the file's owner";
    case PS_OTHERS_WRITE:
        return "can be written by others";
    case PS_GROUP_WRITES:
        return "can be written by a group other than the file's";
    case PS_TRUSTED:
        break;
    }
    return "is trusted";
}

static void log_path(request_rec *r, int level, const char *what,
                     const struct ps_verdict *v, const struct ps_facts *facts)
{
    const struct ps_component *c = &facts->path[v->component];

    ap_log_rerror(APLOG_MARK, level, 0, r,
                  PS_TAG_PATH "%s: refused: path not trusted for uid %u, gid "
                              "%u: component %" APR_SIZE_T_FMT
                              " '%s' (uid %u, gid %u, "
                              "mode %04o) %s",
                  what, v->uid, v->gid, v->component, c->name, c->uid, c->gid,
                  (unsigned)(c->mode & 07777), distrust_text(v->distrust));
}

void ps_log_refusal(request_rec *r, int level, const char *what,
                    const struct ps_verdict *v, const struct ps_facts *facts,
                    const struct ps_rules *rules)
{
    switch (v->reason) {
    case PS_REASON_ROOT:
        ap_log_rerror(APLOG_MARK, level, 0, r,
                      PS_TAG_ROOT "%s: refused: uid %u, gid %u: root is no "
                                  "tenant%s",
                      what, v->uid, v->gid,
                      r->handler ? apr_psprintf(
                          r->pool,
                          ", and handler '%s' (or a filter) would do more "
                          "than read it",
                          r->handler)
                                 : "");
        break;
    case PS_REASON_MINIMUM:
        ap_log_rerror(APLOG_MARK, level, 0, r,
                      PS_TAG_MINIMUM "%s: refused: uid %u, gid %u: below the "
                                     "minimum of %u, %u",
                      what, v->uid, v->gid, rules->min_uid, rules->min_gid);
        break;
    case PS_REASON_SUEXEC:
        ap_log_rerror(APLOG_MARK, level, 0, r,
                      PS_TAG_SUEXEC "%s: refused: owned by uid %u, gid %u, "
                                    "not by those of SuexecUserGroup (%s)",
                      what, facts->owner, facts->group,
                      facts->suexec_known
                          ? apr_psprintf(r->pool, "%u, %u", facts->suexec_uid,
                                         facts->suexec_gid)
                          : "none");
        break;
    case PS_REASON_PATH:
        log_path(r, level, what, v, facts);
        break;
    case PS_REASON_NONE:
        break;
    }
}

int ps_refuse_start(request_rec *r, const char *path,
                    const struct ps_identity *who, struct ps_outcome outcome)
{
    const char *program =
        path == r->filename
            ? path
            : apr_pstrcat(r->pool, r->filename, ": ", path, NULL);
    bool reaching =
        outcome.step == PS_STEP_CHDIR || outcome.step == PS_STEP_FILE;

    if (reaching && (outcome.err == ENOENT || outcome.err == ENOTDIR)) {
        return HTTP_NOT_FOUND; /* gone since it was found */
    }
    if (outcome.step == PS_STEP_CHANGED) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      PS_TAG_CHANGED "%s: refused: it is not the file decided "
                                     "on any more",
                      program);
        return HTTP_FORBIDDEN;
    }
    if ((reaching || outcome.step == PS_STEP_EXEC) && outcome.err == EACCES) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, outcome.err, r,
                      PS_TAG_NO_EXEC "%s: refused: %s failed for uid %u, gid "
                                     "%u",
                      program, ps_step_name(outcome.step), who->uid, who->gid);
        return HTTP_FORBIDDEN;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, outcome.err, r,
                  PS_TAG_SPAWN "%s: not run: %s failed for uid %u, gid %u",
                  program, ps_step_name(outcome.step), who->uid, who->gid);
    return HTTP_INTERNAL_SERVER_ERROR;
}
