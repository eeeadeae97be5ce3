/*
 * report - the program that the checks of spawn run: it says what it is
 */
#include "report.h"

#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of /proc/self/status; each is one line. */
static const char *const keys[] = {
    "Umask",  "Uid",    "Gid",    "Groups", "SigPnd", "ShdPnd", "SigBlk",
    "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapAmb",
};

static bool is_asked_for(const char *line)
{
    for (size_t i = 0; i < ROWS(keys); i++) {
        size_t n = strlen(keys[i]);

        if (strncmp(line, keys[i], n) == 0 && line[n] == ':') {
            return true;
        }
    }
    return false;
}

static void say_status(void)
{
    static char line[16 * 1024];
    FILE *f = fopen("/proc/self/status", "re");

    while (f && fgets(line, sizeof(line), f)) {
        if (is_asked_for(line)) {
            const char *space = "";

            for (char *word = strtok(line, " \t\n"); word;
                 word = strtok(NULL, " \t\n")) {
                printf("%s%s", space, word);
                space = " ";
            }
            putchar('\n');
        }
    }
    if (f) {
        fclose(f);
    }
}

/* Each with its inode, by which the caller knows it. */
static void say_descriptors(void)
{
    struct dirent *entry;
    struct stat st;
    DIR *d = opendir("/proc/self/fd");

    printf("fd:");
    while (d && (entry = readdir(d))) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && fd != dirfd(d) && fstat(fd, &st) == 0) {
            printf(" %d=%llu", fd, (unsigned long long)st.st_ino);
        }
    }
    putchar('\n');
    if (d) {
        closedir(d);
    }
}

static void say_limit(const char *name, int resource)
{
    struct rlimit limit = {0, 0};

    getrlimit(resource, &limit);
    printf("%s: %llu %llu\n", name, (unsigned long long)limit.rlim_cur,
           (unsigned long long)limit.rlim_max);
}

static void say_words(const char *name, char *const *words)
{
    printf("%s:", name);
    for (; *words; words++) {
        printf(" [%s]", *words);
    }
    putchar('\n');
}

int report(char **argv)
{
    char cwd[4096] = "";
    char rest[64];

    say_status();
    say_descriptors();
    say_words("argv", argv);
    say_words("envp", environ);
    printf("cwd: %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
    printf("pid: %d\nppid: %d\n", (int)getpid(), (int)getppid());
    printf("pgrp: %d\n", (int)getpgrp());
    say_limit("cpu", RLIMIT_CPU);
    say_limit("nproc", RLIMIT_NPROC);
    say_limit("as", RLIMIT_AS);
    puts("end: all said");
    fflush(stdout);
    if (argv[1] && strcmp(argv[1], "stay") == 0) {
        while (read(STDIN_FILENO, rest, sizeof(rest)) > 0) {
        }
    }
    return ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
