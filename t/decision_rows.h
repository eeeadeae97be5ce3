/*
 * decision_rows - how a row on whom a request runs as is written and checked
 */
#ifndef PS_DECISION_ROWS_H
#define PS_DECISION_ROWS_H

#include "support.h"

#include "decision.h"

/** The tenant that PSDefaultUidGid names. */
#define DEFAULT 30009

/** Paths; whose they are and what is wrong with them, by name. */
extern const struct ps_component own_path[4];
extern const struct ps_component root_path[3];
extern const struct ps_component daemon_path[2];  /* of 99:99 */
extern const struct ps_component foreign_path[3]; /* at 2: STRANGER's */
extern const struct ps_component open_path[2];    /* at 1: others write */
extern const struct ps_component group_path[2];   /* at 1: STRANGER's group */

/** Facts. */
#define ON(p) .path = (p), .path_length = ROWS(p)
#define FILE_OF(u, g) .exists = true, .owner = (u), .group = (g)
#define FOLDER_OF(u, g) .exists = false, .owner = (u), .group = (g)
#define OWN FILE_OF(TENANT, TENANT), ON(own_path)
#define ROOTS FILE_OF(0, 0), ON(root_path)
#define READ .reads_only = true
#define SUEXEC(u, g) .suexec_known = true, .suexec_uid = (u), .suexec_gid = (g)
#define PINNED_HOST .pinned = true

/** Configuration. */
#define MIN(u, g) .min_uid = (u), .min_gid = (g)
#define USUAL MIN(100, 100), .trusted_path = true
#define AS_DEFAULT(u, g)                                                       \
    .has_default = true, .default_uid = (u), .default_gid = (g)
#define ROOT_ON .root_enable = true
#define SUEXEC_ON .check_suexec = true
#define PINNED(u, g) .pinned_uid = (u), .pinned_gid = (g)

/** Verdicts. */
#define LEFT                                                                   \
    {                                                                          \
        .action = PS_LEAVE                                                     \
    }
#define RUNS(u, g)                                                             \
    {                                                                          \
        .action = PS_RUN, .uid = (u), .gid = (g)                               \
    }
#define REFUSED(why, u, g)                                                     \
    {                                                                          \
        .action = PS_REFUSE, .uid = (u), .gid = (g), .reason = PS_REASON_##why \
    }
#define DISTRUSTED(u, g, what, at)                                             \
    {                                                                          \
        .action = PS_REFUSE, .uid = (u), .gid = (g), .reason = PS_REASON_PATH, \
        .distrust = (what), .component = (at)                                  \
    }

struct decision_row
{
    const char *name;
    struct ps_facts facts;
    struct ps_rules rules;
    struct ps_verdict want;
};

/** Assert that `got` is, in every field, the verdict that the row wants. */
void check_verdict(const struct decision_row *row, struct ps_verdict got);

/** The same of ps_decide()'s verdict. */
void check_decision_row(const struct decision_row *row);

#endif /* PS_DECISION_ROWS_H */
