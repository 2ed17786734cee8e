/* A bare broadcaster: what the kernel alone costs a server that sends every message to every subscriber.
 *
 * WebSocket over TCP, one thread, epoll. Who asks for /publish is a publisher, anyone else a subscriber. Each frame of a
 * publisher goes to all subscribers by one non-blocking send each. Nothing is stored, parsed, authorised or counted.
 *
 *     broadcaster [--port PORT] [--drop-every N]
 *
 * Prints `port N` when it listens. With --drop-every it leaves out each Nth delivery: a meter must notice.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "accept_key.h"
#include "frame.h"
#include "output.h"

enum { BUFFER = 1 << 20, EVENTS = 512, BACKLOG = 4096, MAX_QUEUED = 64 << 20 };

enum role { NEW, PUBLISHER, SUBSCRIBER };

struct client {
    int fd;
    enum role role;
    int waits_writable;
    size_t place; /* in `subscribers` */
    unsigned char *rest;
    size_t rest_size;
    struct output output;
};

static int poller;
static struct client **subscribers;
static size_t subscriber_count, subscriber_capacity;
static unsigned long drop_every, deliveries;
static unsigned char buffer[BUFFER];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void leave(struct client *client)
{
    if (client->role == SUBSCRIBER) {
        subscribers[client->place] = subscribers[--subscriber_count];
        subscribers[client->place]->place = client->place;
    }
    close(client->fd);
    free(client->rest);
    free(client->output.queue);
    client->fd = -1; /* the client itself stays: events at hand may name it, and the process lives for one benchmark */
}

static void watch(struct client *client)
{
    int waits = output_waits(&client->output);
    if (waits == client->waits_writable)
        return;
    struct epoll_event event = {.events = EPOLLIN | (waits ? EPOLLOUT : 0), .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event) < 0)
        die("epoll_ctl");
    client->waits_writable = waits;
}

static void broadcast(struct frame *frame)
{
    static unsigned char out[MAX_HEADER + BUFFER];
    size_t size = put_header(out, frame->opcode, frame->size, 0);
    memcpy(out + size, frame->payload, frame->size);
    if (frame->is_masked && memcmp(frame->mask, "\0\0\0\0", 4) != 0)
        for (size_t i = 0; i < frame->size; i++)
            out[size + i] ^= frame->mask[i & 3];
    size += frame->size;
    for (size_t i = subscriber_count; i-- > 0;) {
        struct client *subscriber = subscribers[i];
        if (drop_every && ++deliveries % drop_every == 0)
            continue;
        if (output_send(&subscriber->output, subscriber->fd, out, size) < 0 ||
            subscriber->output.end - subscriber->output.begin > MAX_QUEUED)
            leave(subscriber);
        else
            watch(subscriber);
    }
}

static void answer_handshake(struct client *client, char *request)
{
    char accept[ACCEPT_SIZE + 1], answer[256];
    char *key = strcasestr(request, "\r\nSec-WebSocket-Key:");
    if (!key) {
        leave(client);
        return;
    }
    key += strlen("\r\nSec-WebSocket-Key:");
    key += strspn(key, " ");
    accept_of(key, strcspn(key, " \r\n"), accept);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    if (output_send(&client->output, client->fd, (unsigned char *)answer, (size_t)size) < 0) {
        leave(client);
        return;
    }
    if (strncmp(request, "GET /publish ", 13) == 0) {
        client->role = PUBLISHER;
        return;
    }
    if (subscriber_count == subscriber_capacity) {
        subscriber_capacity = subscriber_capacity ? 2 * subscriber_capacity : 1024;
        subscribers = realloc(subscribers, subscriber_capacity * sizeof *subscribers);
        if (!subscribers)
            die("realloc");
    }
    client->role = SUBSCRIBER;
    client->place = subscriber_count;
    subscribers[subscriber_count++] = client;
}

/* Returns how many of the bytes are done with. */
static size_t take(struct client *client, size_t size)
{
    size_t at = 0;
    struct frame frame;
    if (client->role == NEW) {
        buffer[size] = 0;
        char *end = strstr((char *)buffer, "\r\n\r\n");
        if (!end)
            return 0;
        at = (size_t)((unsigned char *)end - buffer) + 4;
        answer_handshake(client, (char *)buffer);
    }
    for (; client->fd >= 0 && parse_frame(buffer + at, size - at, &frame); at += frame.total) {
        if (frame.opcode == OP_CLOSE)
            leave(client);
        else if (client->role == PUBLISHER && (frame.opcode == OP_TEXT || frame.opcode == OP_BINARY))
            broadcast(&frame);
    }
    return at;
}

static void read_from(struct client *client)
{
    memcpy(buffer, client->rest, client->rest_size);
    ssize_t got = recv(client->fd, buffer + client->rest_size, BUFFER - 1 - client->rest_size, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            leave(client);
        return;
    }
    size_t size = client->rest_size + (size_t)got;
    size_t done = take(client, size);
    if (client->fd < 0)
        return;
    client->rest_size = size - done;
    if (client->rest_size == BUFFER - 1) {
        leave(client); /* a frame too big */
        return;
    }
    if (client->rest_size) {
        client->rest = realloc(client->rest, client->rest_size);
        if (!client->rest)
            die("realloc");
        memcpy(client->rest, buffer + done, client->rest_size);
    }
    watch(client);
}

static void accept_all(int listener)
{
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *client = calloc(1, sizeof *client);
        if (!client)
            die("calloc");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        client->fd = fd;
        client->rest = malloc(1);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        if (!client->rest || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
            die("epoll_ctl");
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        die("accept");
}

static int listen_on(int port)
{
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, BACKLOG) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0)
        die("epoll_ctl");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    int port = 0;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--port") == 0) {
            port = atoi(argv[i + 1]);
        } else if (i + 1 < argc && strcmp(argv[i], "--drop-every") == 0) {
            drop_every = strtoul(argv[i + 1], NULL, 10);
        } else {
            fprintf(stderr, "usage: broadcaster [--port PORT] [--drop-every N]\n");
            return 2;
        }
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(port);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poller, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (!client) {
                accept_all(listener);
                continue;
            }
            if (client->fd >= 0 && events[i].events & EPOLLOUT) {
                if (output_flush(&client->output, client->fd) < 0)
                    leave(client);
                else
                    watch(client);
            }
            if (client->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                read_from(client);
        }
    }
}
