#include "ledger.h"

#include <stdlib.h>

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        abort();
    return memory;
}

void ledger_init(struct ledger *ledger, uint32_t publishers, uint32_t subscribers)
{
    *ledger = (struct ledger){.publishers = publishers, .subscribers = subscribers};
    ledger->sent = zeroed(publishers, sizeof *ledger->sent);
    ledger->expected = zeroed((size_t)publishers * subscribers, sizeof *ledger->expected);
    ledger->ring = zeroed((size_t)publishers * RING, sizeof *ledger->ring);
}

static struct message *slot(struct ledger *ledger, uint32_t publisher, uint32_t number)
{
    return &ledger->ring[(size_t)publisher * RING + (number & (RING - 1))];
}

struct message *ledger_send(struct ledger *ledger, uint32_t publisher, uint64_t sent_ns)
{
    uint32_t number = ledger->sent[publisher];
    struct message *message = slot(ledger, publisher, number);
    if (message->remaining)
        return NULL;
    *message = (struct message){.sent_ns = sent_ns, .number = number, .remaining = ledger->subscribers};
    ledger->sent[publisher]++;
    ledger->outstanding++;
    return message;
}

struct message *ledger_find(struct ledger *ledger, uint32_t publisher, uint32_t number)
{
    if (publisher >= ledger->publishers || number >= ledger->sent[publisher])
        return NULL;
    struct message *message = slot(ledger, publisher, number);
    return message->number == number ? message : NULL;
}

static void open_gap(struct ledger *ledger, struct gap gap)
{
    if (ledger->gap_count == ledger->gap_capacity) {
        ledger->gap_capacity = ledger->gap_capacity ? 2 * ledger->gap_capacity : 64;
        ledger->gaps = realloc(ledger->gaps, ledger->gap_capacity * sizeof *ledger->gaps);
        if (!ledger->gaps)
            abort();
    }
    ledger->gaps[ledger->gap_count++] = gap;
}

static int close_gap(struct ledger *ledger, struct gap gap)
{
    for (uint32_t i = ledger->gap_count; i-- > 0;) {
        struct gap *at = &ledger->gaps[i];
        if (at->subscriber == gap.subscriber && at->publisher == gap.publisher && at->number == gap.number) {
            *at = ledger->gaps[--ledger->gap_count];
            return 1;
        }
    }
    return 0;
}

struct message *ledger_receive(struct ledger *ledger, uint32_t subscriber, uint32_t publisher, uint32_t number)
{
    struct message *message = ledger_find(ledger, publisher, number);
    if (!message) {
        ledger->doubled++;
        return NULL;
    }
    uint32_t *expected = &ledger->expected[(size_t)subscriber * ledger->publishers + publisher];
    if (number < *expected) {
        if (!close_gap(ledger, (struct gap){subscriber, publisher, number})) {
            ledger->doubled++;
            return NULL;
        }
        ledger->out_of_order++;
    } else {
        for (; *expected < number; ++*expected)
            open_gap(ledger, (struct gap){subscriber, publisher, *expected});
        ++*expected;
    }
    if (--message->remaining == 0)
        ledger->outstanding--;
    return message;
}

void ledger_give_up(struct ledger *ledger)
{
    for (size_t i = 0; i < (size_t)ledger->publishers * RING; i++) {
        ledger->lost += ledger->ring[i].remaining;
        ledger->ring[i].remaining = 0;
    }
    for (uint32_t i = 0; i < ledger->subscribers; i++)
        for (uint32_t j = 0; j < ledger->publishers; j++)
            ledger->expected[(size_t)i * ledger->publishers + j] = ledger->sent[j];
    ledger->gap_count = 0;
    ledger->outstanding = 0;
}
