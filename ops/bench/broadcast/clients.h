/* The meter's connections: publishers first, then subscribers, each brought up to where messages can flow. */
#ifndef CLIENTS_H
#define CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#include "output.h"

struct target {
    const char *host; /* an IPv4 address */
    int port;
    const char *path, *publish_path;
    int stomp;                         /* else bare WebSocket messages */
    const char *stomp_host;            /* header `host` of CONNECT; RabbitMQ's virtual host */
    const char *login, *passcode;      /* of all, where there are no tokens */
    char **tokens;                     /* bearer tokens of the connections in their order, begun again at the end */
    size_t token_count;
    const char *subscribe_destination;
};

enum stage { HANDSHAKE, CONNECTING, SUBSCRIBING, READY };

struct client {
    int fd;
    int publishes;
    int waits_writable;
    uint32_t number; /* among the publishers, or among the subscribers */
    enum stage stage;
    unsigned char *rest; /* the beginning of a frame that was cut */
    size_t rest_size, rest_capacity;
    struct output output;
};

/* Called with each WebSocket message of a client that is ready. */
typedef void message_handler(struct client *client, const unsigned char *payload, size_t size, uint64_t now);

extern uint64_t received_bytes;

uint64_t clock_ns(void);

/* Writes the reason and ends the process with status 2: there is no measurement to be had. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Opens all connections. The result has `publishers` and then `subscribers`. */
struct client *clients_open(const struct target *target, uint32_t publishers, uint32_t subscribers, message_handler *handler);

/* Handles what has come in, waiting at most `timeout_ns` for something. */
void clients_poll(uint64_t timeout_ns);

/* A descriptor that is readable when something has come in. */
int clients_descriptor(void);

void client_send(struct client *client, const unsigned char *data, size_t size);

#endif
