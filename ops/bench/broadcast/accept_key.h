/* Sec-WebSocket-Accept (RFC 6455, section 4.2.2): base64 of the SHA-1 (FIPS 180-4) of the key and a fixed text. */
#ifndef ACCEPT_KEY_H
#define ACCEPT_KEY_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ACCEPT_SIZE = 28 };

static inline uint32_t rotate_left(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }

static inline void sha1_block(uint32_t state[5], const unsigned char block[64])
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate_left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;
        } else if (i < 40) {
            f = b ^ c ^ d;
            k = 0x6ed9eba1;
        } else if (i < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;
        } else {
            f = b ^ c ^ d;
            k = 0xca62c1d6;
        }
        uint32_t next = rotate_left(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* `key` is the header's value, at most 64 bytes of it; `accept` gets 28 characters and a NUL. */
static inline void accept_of(const char *key, size_t key_size, char accept[ACCEPT_SIZE + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char text[128] = {0};
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t size = (size_t)snprintf((char *)text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                                   (int)(key_size > 64 ? 64 : key_size), key);
    size_t blocks = size + 9 > 64 ? 2 : 1;
    text[size] = 0x80;
    text[64 * blocks - 2] = (unsigned char)(size * 8 >> 8);
    text[64 * blocks - 1] = (unsigned char)(size * 8);
    for (size_t i = 0; i < blocks; i++)
        sha1_block(state, text + 64 * i);
    unsigned char digest[21] = {0};
    for (int i = 0; i < 20; i++)
        digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
    for (int i = 0; i < 7; i++) {
        uint32_t bits = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (int j = 0; j < 4; j++)
            accept[4 * i + j] = digits[bits >> (18 - 6 * j) & 63];
    }
    accept[27] = '=';
    accept[28] = 0;
}

#endif
