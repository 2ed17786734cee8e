/* Keeps so many SENDs of each connection outstanding, and counts the frames that answer them.
 *
 * senders SECONDS IN_FLIGHT FD...
 *
 * The descriptors are of connections on which a STOMP session is established. Standard input has, for each of them in
 * order, the length of its SEND (4 bytes, the machine's order) and the SEND. Writes "FRAMES SECONDS". */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "output.h"

struct sender {
    int fd;
    uint32_t size;
    unsigned char *frame;
    struct output output;
};

static unsigned char buffer[65536];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static void send_again(struct sender *sender, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (output_send(&sender->output, sender->fd, sender->frame, sender->size) < 0)
            fail("a connection is gone");
}

/* The frames that came. */
static size_t take(struct sender *sender)
{
    ssize_t size = recv(sender->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return 0;
    if (size <= 0)
        fail("a connection is gone");
    if (memmem(buffer, (size_t)size, "ERROR", 5))
        fail("a sender was refused");
    size_t frames = 0;
    const unsigned char *at = buffer, *end = buffer + size;
    while ((at = memchr(at, 0, (size_t)(end - at)))) {
        frames++;
        at++;
    }
    return frames;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        fail("senders SECONDS IN_FLIGHT FD...");
    double seconds = atof(argv[1]);
    size_t in_flight = (size_t)atoi(argv[2]);
    int count = argc - 3, epoll = epoll_create1(0);
    struct sender *senders = calloc((size_t)count, sizeof *senders);
    if (epoll < 0 || !senders)
        fail("no room");
    for (int i = 0; i < count; i++) {
        struct sender *sender = &senders[i];
        sender->fd = atoi(argv[3 + i]);
        if (fread(&sender->size, sizeof sender->size, 1, stdin) != 1 || !(sender->frame = malloc(sender->size)) ||
            fread(sender->frame, sender->size, 1, stdin) != 1)
            fail("a SEND is missing");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = sender};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, sender->fd, &event) < 0)
            fail("not a socket");
    }
    double began = now(), elapsed;
    size_t frames = 0;
    for (int i = 0; i < count; i++)
        send_again(&senders[i], in_flight);
    while ((elapsed = now() - began) < seconds) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < ready; i++) {
            struct sender *sender = events[i].data.ptr;
            size_t came = take(sender);
            frames += came;
            send_again(sender, came);
        }
        for (int i = 0; i < count; i++)
            if (output_waits(&senders[i].output) && output_flush(&senders[i].output, senders[i].fd) < 0)
                fail("a connection is gone");
    }
    printf("%zu %.6f\n", frames, elapsed);
    return 0;
}
