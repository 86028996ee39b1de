/* Messages without an answer in C with libzmq: a PUSH that sends for a time, a PULL that counts. */
#include "protocol.h"

enum { sends_between_looks = 256 };

static void count_received(void) {
    long count = atomic_load_explicit(&received, memory_order_relaxed) + 1;
    atomic_store_explicit(&received, count, memory_order_relaxed);
    if ((count & 255) == 1) {
        last_us = now_us();
        if (count == 1) first_us = last_us;
        marked = count;
    }
}

static void serve(void *context) {
    void *socket = zmq_socket(context, ZMQ_PULL);
    zmq_msg_t message;
    zmq_msg_init(&message);
    bind_and_serve(socket);
    for (;;) {
        if (zmq_msg_recv(&message, socket, 0) >= 0) count_received();
        else if (zmq_errno() != EINTR) fail("zmq_msg_recv");
    }
}

static long send_for(void *socket, const void *payload, size_t size, double duration_us) {
    double start = now_us();
    long n = 0;
    do {
        for (int i = 0; i < sends_between_looks; i++)
            while (zmq_send(socket, payload, size, 0) < 0)
                if (zmq_errno() != EINTR) fail("zmq_send");
        n += sends_between_looks;
    } while (now_us() - start < duration_us);
    return n;
}

static void run_client(void *context) {
    char command[64], cases[1024], *rest = NULL;
    void *socket = zmq_socket(context, ZMQ_PUSH);
    if (zmq_connect(socket, text("endpoints", NULL))) fail("zmq_connect");
    snprintf(cases, sizeof cases, "%s", text("cases", ""));
    for (char *one = strtok_r(cases, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        int unused;
        size_t size;
        if (sscanf(one, "sends:%d:%zu", &unused, &size) != 2) exit(2);
        void *payload = calloc(1, size + 1);
        next_command(command, sizeof command);
        long warm = send_for(socket, payload, size, 1e3 * atof(text("warmMs", NULL)));
        printf("{\"type\":\"warm\",\"sent\":%ld}\n", warm);
        fflush(stdout);
        next_command(command, sizeof command);
        double start = now_us(), before = cpu_us();
        long n = send_for(socket, payload, size, 1e3 * atof(text("ms", NULL)));
        printf("{\"type\":\"result\",\"n\":%ld,\"seconds\":%.6f,\"p50\":0,\"p99\":0,\"p999\":0,\"cpuUs\":%.0f}\n", n,
               (now_us() - start) / 1e6, cpu_us() - before);
        fflush(stdout);
        free(payload);
    }
    next_command(command, sizeof command);
}

int main(int count, char **words) {
    arg_count = count;
    arg_words = words;
    void *context = zmq_ctx_new();
    if (!strcmp(text("role", NULL), "server")) serve(context);
    else run_client(context);
    return 0;
}
