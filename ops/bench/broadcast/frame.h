/* WebSocket frames (RFC 6455, section 5.2), as little as a broadcaster and its meter need. */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/* The longest header: two bytes, eight of length, four of mask. */
enum { MAX_HEADER = 14 };

struct frame {
    unsigned opcode;
    int is_final;
    int is_masked;
    unsigned char mask[4];
    unsigned char *payload;
    size_t size;
    size_t total; /* header and payload */
};

/* Parses the frame at `data`. 0 when more than the `size` bytes at hand are needed. */
static inline int parse_frame(unsigned char *data, size_t size, struct frame *frame)
{
    if (size < 2)
        return 0;
    size_t header = 2;
    uint64_t length = data[1] & 0x7f;
    if (length == 126) {
        if (size < 4)
            return 0;
        length = (uint64_t)data[2] << 8 | data[3];
        header = 4;
    } else if (length == 127) {
        if (size < 10)
            return 0;
        length = 0;
        for (int i = 2; i < 10; i++)
            length = length << 8 | data[i];
        header = 10;
    }
    frame->opcode = data[0] & 0x0f;
    frame->is_final = (data[0] & 0x80) != 0;
    frame->is_masked = (data[1] & 0x80) != 0;
    if (frame->is_masked) {
        if (size < header + 4)
            return 0;
        memcpy(frame->mask, data + header, 4);
        header += 4;
    }
    if (length > size - header)
        return 0;
    frame->payload = data + header;
    frame->size = (size_t)length;
    frame->total = header + (size_t)length;
    return 1;
}

/* Writes the header of a final frame, with a mask of zeros or without one; returns its size. */
static inline size_t put_header(unsigned char *out, unsigned opcode, size_t size, int masked)
{
    size_t at = 1;
    unsigned bit = masked ? 0x80 : 0;
    out[0] = (unsigned char)(0x80 | opcode);
    if (size < 126) {
        out[at++] = (unsigned char)(bit | size);
    } else if (size < 65536) {
        out[at++] = (unsigned char)(bit | 126);
        out[at++] = (unsigned char)(size >> 8);
        out[at++] = (unsigned char)size;
    } else {
        out[at++] = (unsigned char)(bit | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            out[at++] = (unsigned char)((uint64_t)size >> shift);
    }
    if (masked) {
        memset(out + at, 0, 4);
        at += 4;
    }
    return at;
}

#endif
