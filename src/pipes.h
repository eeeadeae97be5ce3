/*
 * pipes - the pipes between httpd and a program
 */
#ifndef PS_PIPES_H
#define PS_PIPES_H

#include <stdbool.h>

/**
 * Standard input, output and error, the program's ends and ours. Ours are
 * non-blocking; all are closed when a program is executed. -1: not open.
 */
struct ps_pipes
{
    int theirs[3];
    int ours[3];
};

/**
 * Open them; without `feeds`, the program's input is /dev/null. False: errno
 * says why, and none is open.
 */
bool ps_pipes_open(struct ps_pipes *p, bool feeds);

void ps_pipes_close_theirs(struct ps_pipes *p);
void ps_pipes_close(struct ps_pipes *p);

#endif /* PS_PIPES_H */
