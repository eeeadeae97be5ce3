/*
 * target - a process of somebody's, which waits for what comes
 */
#include "target.h"

#include "attacks.h"
#include "support.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int wait_for_end(int fd, bool group)
{
    char byte = 0;

    if (group && (setpgid(0, 0) != 0 || fork() < 0)) {
        return EXIT_FAILURE;
    }
    return write(fd, &byte, 1) == 1 && read(fd, &byte, 1) >= 0 ? EXIT_SUCCESS
                                                               : EXIT_FAILURE;
}

struct target start_target(uid_t uid, bool group)
{
    struct target target;
    int ends[2];
    pid_t pid;
    char byte;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    pid = fork_as(uid);
    if (pid == 0) {
        close(ends[0]);
        _exit(wait_for_end(ends[1], group));
    }
    ck_assert_int_gt(pid, 0);
    close(ends[1]);
    for (int i = 0; i < (group ? 2 : 1); i++) {
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    }
    target.pid = group ? -pid : pid;
    target.fd = ends[0];
    return target;
}
