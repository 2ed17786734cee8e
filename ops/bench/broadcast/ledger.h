/* Who has which message: every publisher numbers its messages, every subscriber must get each number once, in order. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdint.h>

/* Messages of one publisher that may be under way at once; a power of two. */
enum { RING = 1 << 16 };

struct message {
    uint64_t sent_ns; /* the intended time of the send */
    uint32_t number;
    uint32_t remaining; /* subscribers that do not have it yet */
};

struct gap {
    uint32_t subscriber, publisher, number;
};

struct ledger {
    uint32_t publishers, subscribers;
    uint32_t *sent;      /* by publisher: the number of its next message */
    uint32_t *expected;  /* by subscriber and publisher: the next number */
    struct message *ring; /* by publisher and number modulo RING */
    struct gap *gaps;    /* what was overtaken */
    uint32_t gap_count, gap_capacity;
    uint64_t outstanding; /* messages that some subscriber does not have */
    uint64_t doubled, out_of_order, lost;
};

void ledger_init(struct ledger *ledger, uint32_t publishers, uint32_t subscribers);

/* The publisher's next message, NULL when RING of its messages are under way. */
struct message *ledger_send(struct ledger *ledger, uint32_t publisher, uint64_t sent_ns);

/* Takes note of a delivery. NULL when it is none: doubled, or of no message that is under way. */
struct message *ledger_receive(struct ledger *ledger, uint32_t subscriber, uint32_t publisher, uint32_t number);

/* The message of that number, NULL when it was too long ago. */
struct message *ledger_find(struct ledger *ledger, uint32_t publisher, uint32_t number);

/* Counts all deliveries that have not come as lost. */
void ledger_give_up(struct ledger *ledger);

#endif
