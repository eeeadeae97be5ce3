/*
 * caps - which capabilities a thread has
 */
#include "caps.h"

#include <string.h>

static const cap_value_t switching_list[] = {CAP_SETUID, CAP_SETGID};

bool ps_caps_are(const struct ps_kernel *k, bool may_switch)
{
    cap_t want = cap_init();
    cap_t have = k->cap_get_proc();
    bool same;

    if (want && may_switch
        && cap_set_flag(want, CAP_PERMITTED, 2, switching_list, CAP_SET)) {
        cap_free(want);
        want = NULL;
    }
    same = want && have && cap_compare(want, have) == 0;
    cap_free(want);
    cap_free(have);
    return same;
}

bool ps_may_switch(void)
{
    cap_t have = cap_get_proc();
    bool may = have != NULL;

    for (size_t i = 0; may && i < 2; i++) {
        cap_flag_value_t held = CAP_CLEAR;

        may = cap_get_flag(have, switching_list[i], CAP_PERMITTED, &held) == 0
              && held == CAP_SET;
    }
    cap_free(have);
    return may;
}

/* One plain call: each request asks, and libcap takes six. */
static bool
get_caps(const struct ps_kernel *k,
         struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
    struct __user_cap_header_struct hdr = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };

    /* A call that changes nothing must not read as "none". */
    memset(data, 0xff, _LINUX_CAPABILITY_U32S_3 * sizeof(*data));
    return k->capget(&hdr, data) == 0;
}

bool ps_caps_are_none(const struct ps_kernel *k)
{
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    return get_caps(k, data)
           && (data[0].effective | data[0].permitted | data[0].inheritable) == 0
           && (data[1].effective | data[1].permitted | data[1].inheritable)
                  == 0;
}

bool ps_caps_are_idle(const struct ps_kernel *k)
{
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    return get_caps(k, data) && data[0].effective == 0
           && data[1].effective == 0;
}
