/*
 * report - the program that the checks of spawn run: it says what it is
 *
 * It is this program, unit, under another name: see main.c.
 */
#ifndef PS_REPORT_H
#define PS_REPORT_H

/** Its argv[0]. */
#define REPORT "report"

/**
 * Write to standard output, in lines of a key, ": " and words, what the
 * kernel says of this process, and what main() got. Where argv[1] is "stay",
 * wait for the end of standard input. The exit status.
 */
int report(char **argv);

#endif /* PS_REPORT_H */
