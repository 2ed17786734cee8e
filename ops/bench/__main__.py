"""`make bench`: the server's figures, each beside its yardstick in the same run."""

import os
import platform
import resource

from ops.bench import commits, fanout, latency
from ops.bench.target import started_target


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{platform.python_implementation()} {platform.python_version()}, {len(os.sched_getaffinity(0))} cores")
    print("server, database and meter share the cores")
    with started_target() as target:
        fan = fanout.run(target)
        print(
            f"fan-out to {fan.subscribers}: server {fan.server:.2f} µs CPU a delivery, bare socket.send loop "
            f"{fan.bare_loop:.2f} µs, ratio {fan.server / fan.bare_loop:.2f}; {fan.deliveries_per_second:,.0f} "
            "deliveries/s closed loop"
        )
        sent = latency.run(target)
        print(
            f"send to receipt: p50 {sent.receipt.p50:.2f} ms, p99 {sent.receipt.p99:.2f} ms; bare INSERT RETURNING "
            f"p50 {sent.bare_commit.p50:.2f} ms, p99 {sent.bare_commit.p99:.2f} ms, p50 ratio "
            f"{sent.receipt.p50 / sent.bare_commit.p50:.2f}"
        )
        for in_flight in (1, 16):
            rate = commits.run(target, in_flight=in_flight)
            print(
                f"commits: {rate.senders} senders in {rate.senders} conversations, {rate.in_flight} in flight each: "
                f"{rate.per_second:,.0f} messages/s"
            )


if __name__ == "__main__":
    main()
