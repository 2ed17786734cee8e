#define _GNU_SOURCE
#include "run.h"

#include <string.h>

enum { TICK_NS = 100000000 };

struct client *clients;
struct outgoing *outgoing;
struct ledger ledger;
struct histogram deliveries, completions, receipt_times, lags;
uint64_t run_began, last_delivery, sent_count;

static int open_loop;
static uint32_t active;           /* publishers */
static uint64_t quota, stop_at;   /* messages to send, and the time at which a closed loop begins none any more */
static uint64_t due_count;        /* messages of the open loop that were due */
static double interval_ns;

static int digit(unsigned char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads `MARK_DIGITS` hexadecimal digits: the publisher and the number of its message. */
static int read_mark(const unsigned char *at, uint32_t *publisher, uint32_t *number)
{
    uint64_t value = 0;
    for (int i = 0; i < MARK_DIGITS; i++) {
        int d = digit(at[i]);
        if (d < 0)
            return 0;
        value = value << 4 | (unsigned)d;
    }
    *publisher = (uint32_t)(value >> 32);
    *number = (uint32_t)value;
    return 1;
}

static void write_mark(unsigned char *at, uint32_t publisher, uint32_t number)
{
    uint64_t value = (uint64_t)publisher << 32 | number;
    for (int i = MARK_DIGITS; i-- > 0; value >>= 4)
        at[i] = (unsigned char)"0123456789abcdef"[value & 15];
}

/* Sends the publisher's next message, due at `intended`. */
static void publish(uint32_t publisher, uint64_t intended)
{
    struct message *message = ledger_send(&ledger, publisher, intended);
    if (!message)
        fail("publisher %u has %d messages under way", publisher, RING);
    struct outgoing *out = &outgoing[publisher];
    write_mark(out->mark, publisher, message->number);
    if (out->receipt)
        write_mark(out->receipt, publisher, message->number);
    client_send(&clients[publisher], out->frame, out->size);
    sent_count++;
}

static uint64_t due_at(void) { return run_began + (uint64_t)((double)due_count * interval_ns); }

static void publish_due(uint64_t now)
{
    while (due_count < quota && due_at() <= now) {
        uint64_t due = due_at();
        histogram_add(&lags, now - due);
        publish((uint32_t)(due_count++ % active), due);
    }
}

static void on_delivery(const struct client *client, const unsigned char *mark, uint64_t now)
{
    uint32_t publisher, number;
    if (!read_mark(mark, &publisher, &number))
        return;
    struct message *message = ledger_receive(&ledger, client->number, publisher, number);
    if (!message)
        return;
    last_delivery = now;
    histogram_add(&deliveries, now - message->sent_ns);
    if (message->remaining == 0) {
        histogram_add(&completions, now - message->sent_ns);
        if (!open_loop && sent_count < quota && now < stop_at)
            publish(publisher, clock_ns());
    }
}

/* One or more STOMP frames of a publisher's: receipts, or an error. */
static void on_publisher_frames(const struct client *client, const unsigned char *payload, size_t size, uint64_t now)
{
    const unsigned char *at = payload, *end = payload + size;
    uint32_t publisher, number;
    while (at < end) {
        if (end - at >= 5 && memcmp(at, "ERROR", 5) == 0)
            fail("publisher %u: %.*s", client->number, (int)(end - at), (const char *)at);
        const unsigned char *frame_end = memchr(at, 0, (size_t)(end - at));
        frame_end = frame_end ? frame_end : end;
        const unsigned char *id = memmem(at, (size_t)(frame_end - at), "receipt-id:", 11);
        if (id && frame_end - id >= 11 + MARK_DIGITS && read_mark(id + 11, &publisher, &number)) {
            struct message *message = ledger_find(&ledger, publisher, number);
            if (message)
                histogram_add(&receipt_times, now - message->sent_ns);
        }
        at = frame_end + 1;
    }
}

void on_message(struct client *client, const unsigned char *payload, size_t size, uint64_t now)
{
    if (client->publishes) {
        on_publisher_frames(client, payload, size, now);
    } else {
        const unsigned char *end = payload + size, *mark = payload;
        while ((mark = memchr(mark, '~', (size_t)(end - mark))) && end - mark > MARK_DIGITS) {
            on_delivery(client, mark + 1, now);
            mark += 1 + MARK_DIGITS;
        }
    }
    if (open_loop)
        publish_due(now);
}

void drive(const struct plan *plan, int warm_up, uint64_t stall_ns)
{
    open_loop = !warm_up && plan->rate > 0;
    sent_count = due_count = 0;
    active = plan->publishers;
    run_began = last_delivery = clock_ns();
    stop_at = warm_up || plan->messages ? UINT64_MAX : run_began + (uint64_t)(plan->seconds * 1e9);
    quota = warm_up ? plan->warmup : plan->messages ? plan->messages : UINT64_MAX;
    if (open_loop) {
        interval_ns = 1e9 / plan->rate;
        quota = plan->messages ? plan->messages : (uint64_t)(plan->seconds * plan->rate);
    } else {
        for (uint32_t i = 0; i < active * plan->in_flight && sent_count < quota; i++)
            publish(i % active, clock_ns());
    }
    for (;;) {
        uint64_t now = clock_ns(), wait = TICK_NS;
        if (open_loop) {
            publish_due(now);
            now = clock_ns();
            if (due_count < quota)
                wait = due_at() > now ? due_at() - now : 0;
        }
        int more = open_loop && due_count < quota;
        if (!more && ledger.outstanding == 0)
            return;
        if (ledger.outstanding && now > last_delivery + stall_ns) {
            ledger_give_up(&ledger);
            return;
        }
        if (!ledger.outstanding)
            last_delivery = now; /* an idle time between two messages is no stall */
        clients_poll(wait < TICK_NS ? wait : TICK_NS);
    }
}
