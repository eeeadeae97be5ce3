/*
 * bench_ask SECONDS CONNECTIONS PORT PATH BODY - asks bench.test for PATH,
 * over and over on kept connections, and says how many answers came in a second
 *
 * Unlike ab(1) it speaks HTTP/1.1, so that a script's answer, whose length
 * httpd may not know, leaves its connection open; and it compares each answer
 * with BODY. The first that is another, or that ends its connection, ends all.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double until;
static struct sockaddr_in to;
static char question[512];
static const char *body;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Joins chunks in `out`; whether the last one is there. */
static int joined(const char *chunk, char *out)
{
    const char *data;
    char *end;
    size_t size;

    for (;;) {
        size = strtoul(chunk, &end, 16);
        data = strstr(chunk, "\r\n");
        if (end == chunk || !data || strlen(data += 2) < size + 2) {
            return 0;
        }
        if (size == 0) {
            *out = '\0';
            return 1;
        }
        out = (char *)mempcpy(out, data, size);
        chunk = data + size + 2;
    }
}

/* 0: not yet whole; 1: right; -1: not. `text` has headers and what follows. */
static int judge(const char *text)
{
    const char *rest = strstr(text, "\r\n\r\n"), *length;
    char whole[4096];

    if (!rest) {
        return 0;
    }
    rest += 4;
    length = strcasestr(text, "\r\nContent-Length: ");
    if (length && length < rest) {
        if (strlen(rest) < (size_t)atol(length + 18)) {
            return 0;
        }
        strcpy(whole, rest);
    }
    else if (!joined(rest, whole)) {
        return 0;
    }
    return strncmp(text, "HTTP/1.1 200 ", 13) == 0 && strcmp(whole, body) == 0
               ? 1
               : -1;
}

static void ask(int s)
{
    char text[4096] = "";
    size_t have = 0;
    ssize_t got = 0;
    int right = 0;

    if (write(s, question, strlen(question)) != (ssize_t)strlen(question)) {
        perror("bench_ask: write");
        exit(1);
    }
    while (right == 0 && have + 1 < sizeof text
           && (got = read(s, text + have, sizeof text - have - 1)) > 0) {
        have += (size_t)got;
        text[have] = '\0';
        right = judge(text);
    }
    if (right != 1) {
        fprintf(stderr, "bench_ask: wrong answer%s: %s\n",
                got > 0 ? "" : " and an end", text);
        exit(1);
    }
}

static void *connection(void *answers)
{
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("bench_ask: connect");
        exit(1);
    }
    while (now() < until) {
        ask(s);
        ++*(long *)answers;
    }
    close(s);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    long answers[64] = {0}, sum = 0;
    double start = now();
    int count;

    if (argc != 6 || (count = atoi(argv[2])) < 1 || count > 64) {
        return 2;
    }
    until = start + atof(argv[1]);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)atoi(argv[3]));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(question, sizeof question,
             "GET %s HTTP/1.1\r\nHost: bench.test\r\n\r\n", argv[4]);
    body = argv[5];
    for (int n = 0; n < count; n++) {
        if (pthread_create(&threads[n], NULL, connection, &answers[n]) != 0) {
            return 1;
        }
    }
    for (int n = 0; n < count; n++) {
        pthread_join(threads[n], NULL);
        sum += answers[n];
    }
    printf("%.2f\n", (double)sum / (now() - start));
    return 0;
}
