/* Output to a non-blocking socket: one send, and a queue for what the kernel did not take. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

struct output {
    unsigned char *queue;
    size_t begin, end, capacity;
};

static inline int output_waits(const struct output *output) { return output->begin < output->end; }

static inline void output_append(struct output *output, const unsigned char *data, size_t size)
{
    if (!output_waits(output))
        output->begin = output->end = 0;
    if (output->end + size > output->capacity) {
        memmove(output->queue, output->queue + output->begin, output->end - output->begin);
        output->end -= output->begin;
        output->begin = 0;
        if (output->end + size > output->capacity) {
            output->capacity = 2 * (output->end + size);
            output->queue = realloc(output->queue, output->capacity);
            if (!output->queue)
                abort();
        }
    }
    memcpy(output->queue + output->end, data, size);
    output->end += size;
}

/* -1 when the connection is gone, else 0; `output_waits` then says whether to wait until the socket is writable. */
static inline int output_flush(struct output *output, int fd)
{
    while (output_waits(output)) {
        ssize_t sent = send(fd, output->queue + output->begin, output->end - output->begin, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        output->begin += (size_t)sent;
    }
    return 0;
}

/* Like `output_flush`, with `data` behind what waits. */
static inline int output_send(struct output *output, int fd, const unsigned char *data, size_t size)
{
    if (!output_waits(output)) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
            return -1;
        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        }
        if (size == 0)
            return 0;
    }
    output_append(output, data, size);
    return 0;
}

#endif
