/* What bench/peer/protocol.ts says, for programs in C: arguments name=value, commands on standard input, one
 * JSON object a line on standard output, and the end of the program with the end of its input. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static int arg_count;
static char **arg_words;

/* One-way messages received; only the receiving thread counts, and it stands still at a reset. */
static _Atomic long received, marked;
static _Atomic double first_us, last_us;

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static const char *text(const char *name, const char *otherwise) {
    size_t length = strlen(name);
    for (int i = 1; i < arg_count; i++)
        if (!strncmp(arg_words[i], name, length) && arg_words[i][length] == '=') return arg_words[i] + length + 1;
    if (otherwise) return otherwise;
    fprintf(stderr, "The argument %s=... is missing\n", name);
    exit(2);
}

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static double cpu_us(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static double resident(void) {
    long pages = 0, total = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%ld %ld", &total, &pages) != 2) pages = 0;
        fclose(file);
    }
    return (double)pages * sysconf(_SC_PAGESIZE);
}

/* A command, or the end of the program when there is none any more. */
static void next_command(char *command, int size) {
    if (!fgets(command, size, stdin)) _exit(0);
}

static void say_stats(void) {
    double ms = (last_us - first_us) / 1e3;
    printf("{\"type\":\"stats\",\"cpuUs\":%.0f,\"rss\":%.0f,\"received\":%ld,\"rate\":%.1f}\n", cpu_us(), resident(),
           (long)received, marked > 1 && ms > 0 ? (marked - 1) / (ms / 1e3) : 0.0);
    fflush(stdout);
}

static void *answer_commands(void *unused) {
    char command[64];
    for (;;) {
        next_command(command, sizeof command);
        if (!strncmp(command, "reset", 5)) received = marked = 0;
        say_stats();
    }
    return unused;
}

/* For a server: says where it listens and answers commands beside the thread that serves. */
static void serve_commands(const char *endpoint) {
    int major, minor, patch;
    pthread_t thread;
    zmq_version(&major, &minor, &patch);
    printf("{\"type\":\"ready\",\"endpoints\":[\"%s\"],\"library\":\"%d.%d.%d\"}\n", endpoint, major, minor, patch);
    fflush(stdout);
    if (pthread_create(&thread, NULL, answer_commands, NULL)) fail("pthread_create");
}

static void bind_and_serve(void *socket) {
    char endpoint[256];
    size_t size = sizeof endpoint;
    if (zmq_bind(socket, text("endpoint", NULL))) fail("zmq_bind");
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size)) fail("ZMQ_LAST_ENDPOINT");
    serve_commands(endpoint);
}
