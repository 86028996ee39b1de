/* Calls in C with libzmq, blocking: a ROUTER that echoes, and a DEALER that keeps calls in flight over the one
 * connection between them. Three frames as the library sends them: type, header, payload. */
#include "protocol.h"

enum { header_size = 34, most_in_flight = 65536, most_latencies = 1 << 23 };

static void receive(void *socket, zmq_msg_t *message) {
    while (zmq_msg_recv(message, socket, 0) < 0)
        if (zmq_errno() != EINTR) fail("zmq_msg_recv");
}

static void transmit(void *socket, const void *bytes, size_t size, int flags) {
    while (zmq_send(socket, bytes, size, flags) < 0)
        if (zmq_errno() != EINTR) fail("zmq_send");
}

static void set_option(void *socket, int option, int value) {
    if (zmq_setsockopt(socket, option, &value, sizeof value)) fail("zmq_setsockopt");
}

static void *open_socket(void *context, int type) {
    void *socket = zmq_socket(context, type);
    if (!socket) fail("zmq_socket");
    /* Nothing may be dropped: a ROUTER drops what a full peer does not take. */
    set_option(socket, ZMQ_SNDHWM, 0);
    set_option(socket, ZMQ_RCVHWM, 0);
    int heartbeat = atoi(text("heartbeatMs", "0"));
    if (heartbeat) {
        set_option(socket, ZMQ_HEARTBEAT_IVL, heartbeat);
        set_option(socket, ZMQ_HEARTBEAT_TIMEOUT, 3 * heartbeat);
    }
    return socket;
}

static void serve(void *context) {
    void *socket = open_socket(context, ZMQ_ROUTER);
    zmq_msg_t frames[4];
    for (int i = 0; i < 4; i++) zmq_msg_init(&frames[i]);
    bind_and_serve(socket);
    for (;;) {
        for (int i = 0; i < 4; i++) receive(socket, &frames[i]);
        for (int i = 0; i < 4; i++)
            transmit(socket, zmq_msg_data(&frames[i]), zmq_msg_size(&frames[i]), i < 3 ? ZMQ_SNDMORE : 0);
    }
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float *latencies;
static double sent_at[most_in_flight];
static uint8_t *payload;

static void call(void *socket, uint64_t slot, size_t size) {
    uint8_t type = 0, header[header_size] = {1, 2};
    memcpy(header + 2, &slot, sizeof slot);
    transmit(socket, &type, 1, ZMQ_SNDMORE);
    transmit(socket, header, header_size, ZMQ_SNDMORE);
    transmit(socket, payload, size, 0);
}

/* Keeps calls in flight for a time; returns how many were answered and stores how long that took. A lone call goes
 * round all the sockets, several at a time go to the first one. */
static long measure(void **sockets, int count, int in_flight, size_t size, double duration_us, double *took_us) {
    zmq_msg_t frames[3];
    long n = 0;
    for (int i = 0; i < 3; i++) zmq_msg_init(&frames[i]);
    double start = now_us(), now = start;
    for (int slot = 0; slot < in_flight; slot++) {
        sent_at[slot] = now_us();
        call(sockets[0], slot, size);
    }
    for (int left = in_flight, turn = 0; left > 0;) {
        uint64_t slot;
        for (int i = 0; i < 3; i++) receive(sockets[turn], &frames[i]);
        if (zmq_msg_size(&frames[2]) != size) fail("an answer of another size");
        memcpy(&slot, (uint8_t *)zmq_msg_data(&frames[1]) + 2, sizeof slot);
        now = now_us();
        if (n < most_latencies) latencies[n] = now - sent_at[slot];
        n++;
        if (now - start >= duration_us) {
            left--;
        } else {
            sent_at[slot] = now;
            if (in_flight == 1) turn = (turn + 1) % count;
            call(sockets[turn], slot, size);
        }
    }
    *took_us = now - start;
    return n;
}

static double percentile(long n, double share) {
    long at = (long)(n * share + 0.999999) - 1;
    return latencies[at < 0 ? 0 : at];
}

static void measure_cases(void **sockets, int count) {
    char command[64], cases[1024], *rest = NULL;
    snprintf(cases, sizeof cases, "%s", text("cases", ""));
    for (char *one = strtok_r(cases, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        int in_flight;
        size_t size;
        double took;
        if (sscanf(one, "calls:%d:%zu", &in_flight, &size) != 2 || in_flight > most_in_flight) exit(2);
        payload = realloc(payload, size + 1);
        memset(payload, 7, size + 1);
        next_command(command, sizeof command);
        measure(sockets, count, in_flight, size, 1e3 * atof(text("warmMs", NULL)), &took);
        printf("{\"type\":\"warm\",\"sent\":0}\n");
        fflush(stdout);
        next_command(command, sizeof command);
        double before = cpu_us();
        long n = measure(sockets, count, in_flight, size, 1e3 * atof(text("ms", NULL)), &took);
        double used = cpu_us() - before;
        long kept = n < most_latencies ? n : most_latencies;
        qsort(latencies, kept, sizeof *latencies, by_value);
        printf("{\"type\":\"result\",\"n\":%ld,\"seconds\":%.6f,\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"cpuUs\":%.0f}\n",
               n, took / 1e6, percentile(kept, 0.5), percentile(kept, 0.99), percentile(kept, 0.999), used);
        fflush(stdout);
    }
}

/* Connects as many sockets as wanted, and makes a call with each. */
static void **connect_all(void *context, int count) {
    void **sockets = calloc(count, sizeof *sockets);
    double took;
    payload = calloc(1, 65);
    latencies = malloc(most_latencies * sizeof *latencies);
    if (!sockets || !payload || !latencies) fail("malloc");
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, count + 8);
    for (int i = 0; i < count; i++) {
        sockets[i] = open_socket(context, ZMQ_DEALER);
        if (zmq_connect(sockets[i], text("endpoints", NULL))) fail("zmq_connect");
    }
    for (int i = 0; i < count; i++) measure(&sockets[i], 1, 1, 64, 0, &took);
    return sockets;
}

static void run_client(void *context) {
    char command[64];
    int count = atoi(text("instances", "1"));
    void **sockets = connect_all(context, count);
    if (atoi(text("first", "0"))) {
        printf("{\"type\":\"first\"}\n");
        fflush(stdout);
    }
    measure_cases(sockets, atoi(text("firstOnly", "0")) ? 1 : count);
    next_command(command, sizeof command);
}

/* Many connections that do nothing. */
static void hold(void *context) {
    connect_all(context, atoi(text("instances", NULL)));
    serve_commands("");
    for (;;) pause();
}

int main(int count, char **words) {
    arg_count = count;
    arg_words = words;
    void *context = zmq_ctx_new();
    const char *role = text("role", NULL);
    if (!strcmp(role, "server")) serve(context);
    else if (!strcmp(role, "hold")) hold(context);
    else run_client(context);
    return 0;
}
