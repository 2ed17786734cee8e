/* One measurement: closed loop, where every publisher keeps a number of messages under way, or open loop, at a rate. */
#ifndef RUN_H
#define RUN_H

#include <stdint.h>

#include "clients.h"
#include "histogram.h"
#include "ledger.h"

enum { MARK_DIGITS = 12 };

struct plan {
    uint32_t publishers, in_flight; /* `in_flight` of each publisher */
    double rate, seconds;           /* `rate` in messages a second; 0: closed loop */
    uint64_t messages, warmup;      /* `messages`, when it is not 0, in place of `seconds` */
};

/* A publisher's frame, in which the digits that name its message are written anew for each. */
struct outgoing {
    unsigned char *frame;
    size_t size;
    unsigned char *mark, *receipt;
};

extern struct client *clients;
extern struct outgoing *outgoing; /* by publisher */
extern struct ledger ledger;

/* What was measured since they were reset: nanoseconds from the time at which a message was due, or, for `lags`, until it was sent. */
extern struct histogram deliveries, completions, receipt_times, lags;
extern uint64_t run_began, last_delivery, sent_count;

void on_message(struct client *client, const unsigned char *payload, size_t size, uint64_t now);

/* Sends and receives until all that was sent has come, or nothing has for `stall_ns`: then what is missing is lost.
 * A warm-up is `plan->warmup` messages in closed loop. */
void drive(const struct plan *plan, int warm_up, uint64_t stall_ns);

#endif
