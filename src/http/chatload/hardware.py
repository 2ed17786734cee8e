"""The machine that the meter runs on."""

import os
import platform
import socket
from collections.abc import Sequence

from chatload.result import Hardware
from chatload.worker.endpoint import Endpoint


def this_machine(endpoints: Sequence[Endpoint], server: str) -> Hardware:
    """`server` is where the server's figures are from."""
    return Hardware(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        system=platform.platform(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        server=server,
        same_host=any(each.is_loopback or _is_own(each) for each in endpoints),
    )


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _is_own(endpoint: Endpoint) -> bool:
    """Only an address of this machine can be bound."""
    with socket.socket(endpoint.family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((endpoint.address[0], 0))
        except OSError:
            return False
    return True
