/*
 * spawning - a program that is started by a check, and what it said
 */
#ifndef PS_SPAWNING_H
#define PS_SPAWNING_H

#include "spawn.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/**
 * Unchecked fixtures: a tree (tree.h) with the program, and all that the
 * checks need of files; and its end.
 */
void spawning_begin(void);
void spawning_end(void);

/**
 * A start, from its program, which the caller sets, to its end. Room for a
 * report of as many groups as there can be.
 */
struct start
{
    struct ps_program program;
    int ours[3];   /* of its pipes; -1: closed */
    int theirs[3]; /* the same */
    pid_t pid;
    struct ps_outcome outcome;
    char said[16 * 1024]; /* on standard output */
    int status;           /* as waitpid(2) has it; -1: not waited for */
};

/** The report, in /, with nothing said of all else. Descriptors: see above. */
struct ps_program report_program(const struct ps_identity *who);

/** Pipes for its descriptors; asserted. */
void open_pipes(struct start *start);

/** Close those that are its. */
void close_theirs(struct start *start);

/** Read what it says to the end, wait for it, close all. Asserts nothing. */
void finish(struct start *start);

/** ps_spawn() with pipes, and all of the above. In any thread. */
void run_program(struct start *start);

/**
 * Assert that it came to this; on failure, that it said nothing and is not
 * there, on success, that it ended by itself.
 */
void assert_start(const char *name, const struct start *start,
                  enum ps_step step, int err);

/**
 * Whether a program with this status ended by this signal, or, where one can
 * be caught, saw to that itself before it executed.
 */
bool is_end_by(int signal, int status);

/** Assert that there is a line of this key, and what follows. */
void assert_said(const char *name, const struct start *start, const char *key,
                 const char *want);

/** A thread and its process, as far as a start could change them. */
struct snapshot
{
    char text[8192];
    void (*handlers[65])(int);
    size_t descriptors;
};

void take_snapshot(struct snapshot *out);
void assert_same(const char *name, const struct snapshot *before,
                 const struct snapshot *after);

/** Assert that this process has no child, not even one that has ended. */
void assert_no_child(const char *name);

#endif /* PS_SPAWNING_H */
