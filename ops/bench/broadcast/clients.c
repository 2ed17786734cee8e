#define _GNU_SOURCE
#include "clients.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "accept_key.h"
#include "frame.h"

enum { BUFFER = 1 << 20, RECEIVE = 256 << 10, EVENTS = 512, AT_ONCE = 64, TEXT = 16 << 10, PATIENCE_S = 30 };

#define KEY "MDEyMzQ1Njc4OWFiY2RlZg=="

uint64_t received_bytes;

static int poller;
static uint32_t publisher_count, ready;
static const struct target *target;
static message_handler *handle;
static unsigned char buffer[BUFFER];

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

static const char *name_of(const struct client *client) { return client->publishes ? "publisher" : "subscriber"; }

static void watch(struct client *client)
{
    int waits = output_waits(&client->output);
    if (waits == client->waits_writable)
        return;
    struct epoll_event event = {.events = EPOLLIN | (waits ? EPOLLOUT : 0), .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    client->waits_writable = waits;
}

void client_send(struct client *client, const unsigned char *data, size_t size)
{
    if (output_send(&client->output, client->fd, data, size) < 0)
        fail("%s %u: send: %s", name_of(client), client->number, strerror(errno));
    watch(client);
}

/* Sends a STOMP frame; its text has no NUL. */
static void send_text(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void send_text(struct client *client, const char *format, ...)
{
    static char text[TEXT];
    unsigned char frame[MAX_HEADER + TEXT];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= TEXT - 1)
        fail("a frame of %d bytes is too long", size);
    size_t header = put_header(frame, OP_TEXT, (size_t)size + 1, 1);
    memcpy(frame + header, text, (size_t)size + 1);
    client_send(client, frame, header + (size_t)size + 1);
}

static void enter(struct client *client, enum stage stage)
{
    client->stage = stage;
    if (stage == READY)
        ready++;
}

static const char *token_of(const struct client *client)
{
    size_t position = client->publishes ? client->number : publisher_count + client->number;
    return target->tokens[position % target->token_count];
}

static void connect_stomp(struct client *client)
{
    if (target->token_count)
        send_text(client, "CONNECT\naccept-version:1.2\nhost:%s\nheart-beat:0,0\nAuthorization:Bearer %s\n\n", target->stomp_host,
                  token_of(client));
    else
        send_text(client, "CONNECT\naccept-version:1.2\nhost:%s\nheart-beat:0,0\nlogin:%s\npasscode:%s\n\n", target->stomp_host,
                  target->login, target->passcode);
    enter(client, CONNECTING);
}

/* Returns the size of the answer's head, 0 when it is not complete. */
static size_t read_handshake(struct client *client, size_t size)
{
    char expected[ACCEPT_SIZE + 1];
    unsigned char *end = memmem(buffer, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - buffer) + 4;
    accept_of(KEY, strlen(KEY), expected);
    if (!memmem(buffer, head, " 101 ", 5) || !memmem(buffer, head, expected, ACCEPT_SIZE))
        fail("%s %u: no WebSocket: %.*s", name_of(client), client->number, (int)head, (char *)buffer);
    if (target->stomp)
        connect_stomp(client);
    else
        enter(client, READY);
    return head;
}

static int starts(const struct frame *frame, const char *word)
{
    return frame->size >= strlen(word) && memcmp(frame->payload, word, strlen(word)) == 0;
}

static void set_up(struct client *client, const struct frame *frame)
{
    if (client->stage == CONNECTING && starts(frame, "CONNECTED")) {
        if (client->publishes) {
            enter(client, READY);
            return;
        }
        send_text(client, "SUBSCRIBE\nid:0\ndestination:%s\nreceipt:subscribed\n\n", target->subscribe_destination);
        enter(client, SUBSCRIBING);
    } else if (client->stage == SUBSCRIBING && starts(frame, "RECEIPT")) {
        enter(client, READY);
    } else if (starts(frame, "ERROR")) {
        fail("%s %u: %.*s", name_of(client), client->number, (int)frame->size, (char *)frame->payload);
    }
}

static void take(struct client *client, struct frame *frame, uint64_t now)
{
    if (frame->is_masked || !frame->is_final || frame->opcode == OP_CONTINUATION)
        fail("%s %u: a masked or fragmented frame", name_of(client), client->number);
    if (frame->opcode == OP_CLOSE)
        fail("%s %u: closed with %d", name_of(client), client->number, frame->size < 2 ? 1005 : frame->payload[0] << 8 | frame->payload[1]);
    if (frame->opcode == OP_PING) {
        unsigned char pong[MAX_HEADER + 125];
        size_t header = put_header(pong, OP_PONG, frame->size, 1);
        memcpy(pong + header, frame->payload, frame->size);
        client_send(client, pong, header + frame->size);
    } else if (frame->opcode == OP_TEXT || frame->opcode == OP_BINARY) {
        if (client->stage == READY)
            handle(client, frame->payload, frame->size, now);
        else
            set_up(client, frame);
    }
}

static void keep(struct client *client, const unsigned char *data, size_t size)
{
    if (size > client->rest_capacity) {
        client->rest_capacity = size + 1024;
        client->rest = realloc(client->rest, client->rest_capacity);
        if (!client->rest)
            fail("no memory");
    }
    if (size)
        memcpy(client->rest, data, size);
    client->rest_size = size;
}

static void read_from(struct client *client)
{
    size_t before = client->rest_size, at = 0;
    if (before > BUFFER - RECEIVE)
        fail("%s %u: a frame too long", name_of(client), client->number);
    if (before)
        memcpy(buffer, client->rest, before);
    ssize_t got = recv(client->fd, buffer + before, RECEIVE, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("%s %u: the server closed: %s", name_of(client), client->number, got < 0 ? strerror(errno) : "end of stream");
    uint64_t now = clock_ns();
    size_t size = before + (size_t)got;
    received_bytes += (uint64_t)got;
    if (client->stage == HANDSHAKE)
        at = read_handshake(client, size);
    struct frame frame;
    for (; client->stage != HANDSHAKE && parse_frame(buffer + at, size - at, &frame); at += frame.total)
        take(client, &frame, now);
    keep(client, buffer + at, size - at);
}

void clients_poll(uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS];
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000u), .tv_nsec = (long)(timeout_ns % 1000000000u)};
    int count = epoll_pwait2(poller, events, EVENTS, &timeout, NULL);
    if (count < 0 && errno != EINTR)
        fail("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) {
            if (output_flush(&client->output, client->fd) < 0)
                fail("%s %u: send: %s", name_of(client), client->number, strerror(errno));
            watch(client);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            read_from(client);
    }
}

int clients_descriptor(void) { return poller; }

static void open_one(struct client *client)
{
    int yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)target->port)};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, target->host, &address.sin_addr) != 1)
        fail("%s is no IPv4 address", target->host);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("%s %u: connect: %s", name_of(client), client->number, strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    char request[1024];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                        client->publishes ? target->publish_path : target->path, target->host, target->port,
                        target->stomp ? "Sec-WebSocket-Protocol: v12.stomp\r\n" : "");
    client_send(client, (unsigned char *)request, (size_t)size);
}

struct client *clients_open(const struct target *where, uint32_t publishers, uint32_t subscribers, message_handler *handler)
{
    uint32_t count = publishers + subscribers;
    struct client *clients = calloc(count, sizeof *clients);
    if (!clients)
        fail("no memory");
    target = where;
    handle = handler;
    publisher_count = publishers;
    poller = epoll_create1(EPOLL_CLOEXEC);
    uint64_t progress = clock_ns();
    for (uint32_t opened = 0; ready < count;) {
        uint32_t before = ready;
        for (; opened < count && opened - ready < AT_ONCE; opened++) {
            clients[opened].publishes = opened < publishers;
            clients[opened].number = opened < publishers ? opened : opened - publishers;
            open_one(&clients[opened]);
        }
        clients_poll(1000000000u);
        if (ready != before)
            progress = clock_ns();
        if (clock_ns() - progress > PATIENCE_S * 1000000000ull)
            fail("%u connections are ready, %u more do not become it", ready, opened - ready);
    }
    return clients;
}
