/*
 * pipes - the pipes between httpd and a program
 */
#include "pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void close_all(int fd[3])
{
    for (int i = 0; i < 3; i++) {
        if (fd[i] >= 0) {
            close(fd[i]);
            fd[i] = -1;
        }
    }
}

void ps_pipes_close_theirs(struct ps_pipes *p)
{
    close_all(p->theirs);
}

void ps_pipes_close(struct ps_pipes *p)
{
    close_all(p->theirs);
    close_all(p->ours);
}

static bool open_one(struct ps_pipes *p, int i)
{
    int end[2];

    if (pipe2(end, O_CLOEXEC) != 0) {
        return false;
    }
    p->theirs[i] = end[i == 0 ? 0 : 1];
    p->ours[i] = end[i == 0 ? 1 : 0];
    return fcntl(p->ours[i], F_SETFL, O_NONBLOCK) == 0;
}

/* An empty pipe where a ChrootDir has no /dev/null. */
static bool open_empty(struct ps_pipes *p)
{
    p->theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (p->theirs[0] < 0 && open_one(p, 0)) {
        close(p->ours[0]);
        p->ours[0] = -1;
    }
    return p->theirs[0] >= 0;
}

bool ps_pipes_open(struct ps_pipes *p, bool feeds)
{
    for (int i = 0; i < 3; i++) {
        p->theirs[i] = p->ours[i] = -1;
    }
    for (int i = 0; i < 3; i++) {
        bool opened;

        if (i == 0 && !feeds) {
            opened = open_empty(p);
        }
        else {
            opened = open_one(p, i);
        }
        /* They become 0, 1 and 2, none in another's place. */
        if (opened && p->theirs[i] < 3) {
            errno = EBADF;
            opened = false;
        }
        if (!opened) {
            int err = errno;

            ps_pipes_close(p);
            errno = err;
            return false;
        }
    }
    return true;
}
