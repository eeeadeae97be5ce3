/*
 * decision_rows - how a row on whom a request runs as is written and checked
 */
#include "decision_rows.h"

#include <sys/stat.h>

/* / home www x.php: root's folders, then the tenant's folder and file. */
const struct ps_component own_path[4] = {
    {0, 0, S_IFDIR | 0755, "/"},
    {0, 0, S_IFDIR | 0755, "home"},
    {TENANT, TENANT, S_IFDIR | 0750, "www"},
    {TENANT, TENANT, S_IFREG | 0644, "x.php"}};
const struct ps_component root_path[3] = {{0, 0, S_IFDIR | 0755, "/"},
                                          {0, 0, S_IFDIR | 0755, "usr"},
                                          {0, 0, S_IFREG | 0644, "x.php"}};
/* Below the minimum: a daemon's. */
const struct ps_component daemon_path[2] = {{0, 0, S_IFDIR | 0755, "/"},
                                            {99, 99, S_IFREG | 0644, "x.php"}};
const struct ps_component foreign_path[3] = {
    {0, 0, S_IFDIR | 0755, "/"},
    {0, 0, S_IFDIR | 0755, "home"},
    {STRANGER, STRANGER, S_IFDIR | 0755, "www"}};
const struct ps_component open_path[2] = {{0, 0, S_IFDIR | 0755, "/"},
                                          {0, 0, S_IFDIR | 0777, "srv"}};
const struct ps_component group_path[2] = {
    {0, 0, S_IFDIR | 0755, "/"}, {0, STRANGER, S_IFDIR | 0775, "srv"}};

static const char *action_name(enum ps_action action)
{
    static const char *const names[] = {"leave", "run", "refuse"};

    return names[action];
}

void check_verdict(const struct decision_row *row, struct ps_verdict got)
{
    const struct ps_verdict *want = &row->want;

    ck_assert_msg(got.action == want->action, "%s: %s (reason %d), not %s",
                  row->name, action_name(got.action), (int)got.reason,
                  action_name(want->action));
    ck_assert_msg(got.reason == want->reason, "%s: reason %d, not %d",
                  row->name, (int)got.reason, (int)want->reason);
    ck_assert_msg(got.uid == want->uid && got.gid == want->gid,
                  "%s: %u:%u, not %u:%u", row->name, got.uid, got.gid,
                  want->uid, want->gid);
    ck_assert_msg(
        got.distrust == want->distrust && got.component == want->component,
        "%s: distrust %d at %zu, not %d at %zu", row->name, (int)got.distrust,
        got.component, (int)want->distrust, want->component);
}

void check_decision_row(const struct decision_row *row)
{
    check_verdict(row, ps_decide(&row->facts, &row->rules));
}
