/* Measures a broadcast: N subscribers, P publishers, one thread, as little work for a delivery as there can be.
 *
 * Opens its connections and says so in a line of JSON, then runs one measurement for each line on standard input and prints a line of JSON for it:
 *
 *     publishers=1 in-flight=8 seconds=3 warmup=50      closed loop: each keeps 8 messages under way
 *     publishers=16 rate=50 seconds=4 warmup=50         open loop: 50 messages a second in all, timed from when they were due
 *
 * `messages=` in place of `seconds=` bounds the number. A message is done when all subscribers have it. The warm-up
 * is a number of messages, in closed loop, of which nothing is counted. Status 1 after a run in which anything was lost, doubled or
 * out of order, 2 when there was nothing to measure. Options: see `usage`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clients.h"
#include "frame.h"
#include "run.h"

enum { MAX_MESSAGE = 64 << 10, LINE = 1024, GROUPS = 8, MAX_PIDS = 4096 };

static const char usage[] =
    "usage: meter --port PORT --subscribers N --body TEXT [options]; measurements are read from standard input\n"
    "  --body TEXT              of each message; {mark} in it becomes ~ and twelve digits\n"
    "  --host ADDRESS           IPv4 (127.0.0.1)\n"
    "  --publishers P           connections that publish (1)\n"
    "  --path PATH              of subscribers (/); --publish-path of publishers (the same)\n"
    "  --stomp                  STOMP 1.2 in the WebSocket, with:\n"
    "    --subscribe DESTINATION, --send DESTINATION, --stomp-host NAME (/)\n"
    "    --tokens FILE          bearer tokens, one a line, publishers' first; or --login NAME --passcode WORD\n"
    "    --header NAME:VALUE    on each SEND; may be repeated\n"
    "    --receipts             ask for a receipt of each SEND\n"
    "  --cpu NAME=PID,PID,...   CPU time of these processes is reported under the name; may be repeated\n"
    "  --stall SECONDS          without a delivery, then what is missing is lost (5)\n";

struct cpu_group {
    const char *name;
    int pids[MAX_PIDS];
    size_t count;
    double before[MAX_PIDS];
};

static struct target target = {.host = "127.0.0.1", .path = "/", .stomp_host = "/", .login = "guest", .passcode = "guest"};
static const char *body, *send_destination;
static char send_headers[4096];
static int receipts;
static uint32_t publisher_count = 1, subscriber_count;
static uint64_t stall_ns = 5000000000u;
static struct cpu_group groups[GROUPS];
static size_t group_count;

/* User and system time in seconds (proc(5), fields 14 and 15 of stat); of a process that is gone, `otherwise`. */
static double cpu_of(int pid, double otherwise)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return otherwise;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    unsigned long user, system;
    char *after_name = strrchr(text, ')');
    if (!after_name || sscanf(after_name + 2, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &system) != 2)
        fail("%s is not understood", path);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void begin_cpu(struct cpu_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        group->before[i] = cpu_of(group->pids[i], 0);
}

/* What a process used that ended meanwhile, such as a worker of a database, is not known and left out. */
static double used_cpu(const struct cpu_group *group)
{
    double sum = 0;
    for (size_t i = 0; i < group->count; i++)
        sum += cpu_of(group->pids[i], group->before[i]) - group->before[i];
    return sum;
}

static double own_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_times(const char *name, const struct histogram *times)
{
    if (!times->total)
        return;
    printf(", \"%s\": {\"count\": %lu, \"p50\": %.4f, \"p90\": %.4f, \"p99\": %.4f, \"p999\": %.4f, \"max\": %.4f}", name, times->total,
           (double)histogram_quantile(times, .5) / 1e6, (double)histogram_quantile(times, .9) / 1e6,
           (double)histogram_quantile(times, .99) / 1e6, (double)histogram_quantile(times, .999) / 1e6, (double)times->highest / 1e6);
}

/* Returns whether all was delivered as it must be. Times in the output are milliseconds. */
static int measure(const struct plan *plan)
{
    ledger.lost = ledger.doubled = ledger.out_of_order = 0;
    drive(plan, 1, stall_ns);
    uint64_t early = ledger.lost;
    for (struct histogram **each = (struct histogram *[]){&deliveries, &completions, &receipt_times, &lags, NULL}; *each; each++)
        histogram_reset(*each);
    received_bytes = 0;
    for (size_t i = 0; i < group_count; i++)
        begin_cpu(&groups[i]);
    double own_before = own_cpu();
    if (!early)
        drive(plan, 0, stall_ns);
    double own = own_cpu() - own_before, seconds = (double)(last_delivery - run_began) / 1e9;
    printf("{\"subscribers\": %u, \"publishers\": %u, \"in_flight\": %u, \"rate\": %g, \"messages\": %lu, \"deliveries\": %lu, "
           "\"seconds\": %.6f, \"deliveries_per_second\": %.1f, \"bytes_per_delivery\": %.1f, \"meter_cpu\": %.6f",
           subscriber_count, plan->publishers, plan->rate > 0 ? 0 : plan->in_flight, plan->rate, sent_count, deliveries.total, seconds,
           seconds > 0 ? (double)deliveries.total / seconds : 0,
           deliveries.total ? (double)received_bytes / (double)deliveries.total : 0, own);
    printf(", \"cpu\": {");
    for (size_t i = 0; i < group_count; i++)
        printf("%s\"%s\": %.2f", i ? ", " : "", groups[i].name, used_cpu(&groups[i]));
    printf("}");
    print_times("delivery", &deliveries);
    print_times("completion", &completions);
    print_times("receipt", &receipt_times);
    print_times("send_lag", &lags);
    printf(", \"lost\": %lu, \"doubled\": %lu, \"out_of_order\": %lu}\n", ledger.lost, ledger.doubled, ledger.out_of_order);
    fflush(stdout);
    return ledger.lost + ledger.doubled + ledger.out_of_order == 0;
}

static void read_tokens(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0, room = 0;
    ssize_t size;
    if (!file)
        fail("%s: %s", path, strerror(errno));
    while ((size = getline(&line, &capacity, file)) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (target.token_count == room) {
            room = room ? 2 * room : 1024;
            target.tokens = realloc(target.tokens, room * sizeof *target.tokens);
            if (!target.tokens)
                fail("no memory");
        }
        target.tokens[target.token_count++] = strdup(line);
    }
    free(line);
    fclose(file);
    if (!target.token_count)
        fail("%s is empty", path);
}

static void add_group(char *given)
{
    char *pids = strchr(given, '=');
    if (!pids || group_count == GROUPS)
        fail("--cpu %s is not NAME=PID,…, or there are too many", given);
    *pids++ = 0;
    struct cpu_group *group = &groups[group_count++];
    group->name = given;
    for (char *pid = strtok(pids, ","); pid; pid = strtok(NULL, ",")) {
        if (group->count == MAX_PIDS)
            fail("too many processes");
        group->pids[group->count++] = atoi(pid);
    }
}

static void read_options(int argc, char **argv)
{
    enum { BODY = 1, HOST, PUBLISHERS, SUBSCRIBERS, PORT, PATH, PUBLISH_PATH, STOMP, SUBSCRIBE, SEND, STOMP_HOST, TOKENS, LOGIN, PASSCODE, HEADER, RECEIPTS, CPU, STALL };
    static const struct option options[] = {
        {"body", 1, NULL, BODY}, {"host", 1, NULL, HOST}, {"publishers", 1, NULL, PUBLISHERS},
        {"subscribers", 1, NULL, SUBSCRIBERS}, {"port", 1, NULL, PORT}, {"path", 1, NULL, PATH},
        {"publish-path", 1, NULL, PUBLISH_PATH}, {"stomp", 0, NULL, STOMP}, {"subscribe", 1, NULL, SUBSCRIBE},
        {"send", 1, NULL, SEND}, {"stomp-host", 1, NULL, STOMP_HOST}, {"tokens", 1, NULL, TOKENS},
        {"login", 1, NULL, LOGIN}, {"passcode", 1, NULL, PASSCODE}, {"header", 1, NULL, HEADER},
        {"receipts", 0, NULL, RECEIPTS}, {"cpu", 1, NULL, CPU}, {"stall", 1, NULL, STALL}, {0},
    };
    size_t headers = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case BODY: body = optarg; break;
        case HOST: target.host = optarg; break;
        case PUBLISHERS: publisher_count = (uint32_t)atoi(optarg); break;
        case SUBSCRIBERS: subscriber_count = (uint32_t)atoi(optarg); break;
        case PORT: target.port = atoi(optarg); break;
        case PATH: target.path = optarg; break;
        case PUBLISH_PATH: target.publish_path = optarg; break;
        case STOMP: target.stomp = 1; break;
        case SUBSCRIBE: target.subscribe_destination = optarg; break;
        case SEND: send_destination = optarg; break;
        case STOMP_HOST: target.stomp_host = optarg; break;
        case TOKENS: read_tokens(optarg); break;
        case LOGIN: target.login = optarg; break;
        case PASSCODE: target.passcode = optarg; break;
        case HEADER:
            headers += (size_t)snprintf(send_headers + headers, sizeof send_headers - headers, "%s\n", optarg);
            if (headers >= sizeof send_headers)
                fail("too many headers");
            break;
        case RECEIPTS: receipts = 1; break;
        case CPU: add_group(optarg); break;
        case STALL: stall_ns = (uint64_t)(atof(optarg) * 1e9); break;
        default: fail("%s", usage);
        }
    }
    if (!target.publish_path)
        target.publish_path = target.path;
    if (optind < argc || !target.port || !subscriber_count || !publisher_count || publisher_count > UINT16_MAX || !body ||
        !strstr(body, "{mark}") || (target.stomp && (!send_destination || !target.subscribe_destination)))
        fail("%s", usage);
}

static void make_frame(struct outgoing *out)
{
    static const char digits[] = "000000000000";
    const char *mark = strstr(body, "{mark}");
    char text[MAX_MESSAGE];
    int size = 0, receipt_at = 0;
    if (target.stomp) {
        size = snprintf(text, sizeof text, "SEND\ndestination:%s\n%s", send_destination, send_headers);
        if (receipts) {
            receipt_at = size + (int)strlen("receipt:");
            size += snprintf(text + size, sizeof text - (size_t)size, "receipt:%s\n", digits);
        }
        size += snprintf(text + size, sizeof text - (size_t)size, "\n");
    }
    int mark_at = size + (int)(mark - body) + 1;
    size += snprintf(text + size, sizeof text - (size_t)size, "%.*s~%s%s", (int)(mark - body), body, digits, mark + strlen("{mark}"));
    if (size >= MAX_MESSAGE)
        fail("the message is too long");
    size += target.stomp; /* the NUL after it ends a STOMP frame */
    out->frame = malloc(MAX_HEADER + (size_t)size);
    if (!out->frame)
        fail("no memory");
    size_t header = put_header(out->frame, OP_TEXT, (size_t)size, 1);
    memcpy(out->frame + header, text, (size_t)size);
    out->size = header + (size_t)size;
    out->mark = out->frame + header + mark_at;
    out->receipt = receipt_at ? out->frame + header + receipt_at : NULL;
}

static struct plan read_plan(char *line)
{
    struct plan plan = {.publishers = 1, .in_flight = 1};
    for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
        char *value = strchr(word, '=');
        size_t size = value ? (size_t)(value++ - word) : 0;
        if (size == 10 && memcmp(word, "publishers", size) == 0)
            plan.publishers = (uint32_t)atoi(value);
        else if (size == 9 && memcmp(word, "in-flight", size) == 0)
            plan.in_flight = (uint32_t)atoi(value);
        else if (size == 4 && memcmp(word, "rate", size) == 0)
            plan.rate = atof(value);
        else if (size == 7 && memcmp(word, "seconds", size) == 0)
            plan.seconds = atof(value);
        else if (size == 8 && memcmp(word, "messages", size) == 0)
            plan.messages = strtoull(value, NULL, 10);
        else if (size == 6 && memcmp(word, "warmup", size) == 0)
            plan.warmup = strtoull(value, NULL, 10);
        else
            fail("%s is not understood", word);
    }
    if (!plan.publishers || plan.publishers > publisher_count || !plan.in_flight || plan.in_flight > RING || (plan.seconds <= 0 && !plan.messages))
        fail("a measurement needs seconds or messages, and publishers that there are");
    return plan;
}

/* Waits for a line while the connections are served: there may be pings. NULL at the end of the input. */
static char *next_line(char line[LINE])
{
    struct pollfd sources[2] = {{.fd = 0, .events = POLLIN}, {.fd = clients_descriptor(), .events = POLLIN}};
    for (size_t size = 0; size < LINE - 1;) {
        if (poll(sources, 2, -1) < 0 && errno != EINTR)
            fail("poll: %s", strerror(errno));
        if (sources[1].revents)
            clients_poll(0);
        if (sources[0].revents) {
            if (read(0, line + size, 1) != 1)
                return NULL;
            if (line[size++] == '\n') {
                line[size] = 0;
                return line;
            }
        }
    }
    fail("a line is too long");
}

int main(int argc, char **argv)
{
    char line[LINE];
    int clean = 1;
    read_options(argc, argv);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    outgoing = calloc(publisher_count, sizeof *outgoing);
    for (uint32_t i = 0; i < publisher_count; i++)
        make_frame(&outgoing[i]);
    ledger_init(&ledger, publisher_count, subscriber_count);
    uint64_t before = clock_ns();
    clients = clients_open(&target, publisher_count, subscriber_count, on_message);
    printf("{\"connections\": %u, \"seconds\": %.3f}\n", publisher_count + subscriber_count, (double)(clock_ns() - before) / 1e9);
    fflush(stdout);
    while (next_line(line)) {
        struct plan plan = read_plan(line);
        clean &= measure(&plan);
    }
    return clean ? 0 : 1;
}
