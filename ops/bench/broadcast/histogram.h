/* Latencies in nanoseconds, in buckets whose width is below 0.8 % of their value. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>
#include <string.h>

enum { SUB_BITS = 7, SUB_COUNT = 1 << SUB_BITS, BUCKETS = (64 - SUB_BITS + 1) * SUB_COUNT };

struct histogram {
    uint64_t counts[BUCKETS];
    uint64_t total, highest;
};

static inline void histogram_reset(struct histogram *histogram) { memset(histogram, 0, sizeof *histogram); }

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    unsigned shift = value < SUB_COUNT ? 0 : (unsigned)(63 - __builtin_clzll(value)) - SUB_BITS;
    unsigned bucket = value < SUB_COUNT ? (unsigned)value : (shift + 1) * SUB_COUNT + (unsigned)((value >> shift) - SUB_COUNT);
    histogram->counts[bucket]++;
    histogram->total++;
    if (value > histogram->highest)
        histogram->highest = value;
}

/* The upper bound of the bucket in which the `share` (0 to 1) of the values lies; 0 when there are none. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->total), seen = 0;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen > wanted) {
            if (bucket < SUB_COUNT)
                return bucket;
            unsigned shift = bucket / SUB_COUNT - 1;
            uint64_t upper = (((uint64_t)(bucket % SUB_COUNT) + SUB_COUNT + 1) << shift) - 1;
            return upper < histogram->highest ? upper : histogram->highest;
        }
    }
    return histogram->highest;
}

#endif
