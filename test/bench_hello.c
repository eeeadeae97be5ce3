/*
 * bench_hello - bench_cgi.py's CGI script: says as whom it runs, after as many
 * seconds as the query says
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    const char *query = getenv("QUERY_STRING");

    if (query && *query) {
        sleep((unsigned)atoi(query));
    }
    printf("Content-Type: text/plain\n\nuid=%u euid=%u gid=%u\n", getuid(),
           geteuid(), getgid());
    return 0;
}
