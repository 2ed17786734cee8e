"""``stackmentor dev --nodes``: several nodes on one machine, each a process and on ports of its own."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import attrs
import structlog
import trio

from chathttp.cli.environment import read_settings
from chathttp.cli.processes import READY, STACKMENTOR, Processes, ProcessSpec, end_with_parent
from chathttp.management.local_socket import host_of, is_path
from chathttp.settings import Settings, SettingsError, variable_of

MOST_NODES: Final = 10
"""So that the ports of nodes and those of their management do not meet."""
MANAGEMENT_OFFSET: Final = 10
"""From the first node's port to its management port, unless that is set."""
STOP_RESERVE: Final = 20.0
"""Seconds that a node may take to end after the drain time."""

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.nodes")


@attrs.frozen
class NodePlan:
    """Where one node listens; 0 stands for any free port. With a Unix socket's path as `management_host` the
    management port is of no account.
    """

    name: str
    port: int
    management_host: str
    management_port: int


def plan_nodes(settings: Settings, count: int) -> list[NodePlan]:
    """``count`` nodes on ports in a row from ``settings.port``, and with their management ports in a row as well: from
    ``STACKMENTOR_MANAGEMENT_PORT`` if that is set, else :data:`MANAGEMENT_OFFSET` above the first port; with Unix
    sockets for their management where that is one.

    Raises :class:`SettingsError` when they do not fit.
    """
    ports = _row("port", settings.port, count)
    names = [f"node-{number + 1}" for number in range(count)]
    hosts = [host_of(settings.management_host, name) for name in names]
    if is_path(settings.management_host):
        return [NodePlan(*each, 0) for each in zip(names, ports, hosts, strict=True)]
    management = _row("management_port", _first_management_port(settings), count)
    if set(ports) & set(management) - {0}:
        raise SettingsError(f"{variable_of('management_port')} must leave room for {count} nodes beside their ports")
    return [NodePlan(*each) for each in zip(names, ports, hosts, management, strict=True)]


async def run_nodes(settings: Settings, plans: Sequence[NodePlan], *, drain: trio.Event) -> None:
    """The nodes until ``drain`` is set, then drained. Says that all serve when the last of them does.

    A free port that a node took it keeps over restarts. Raises :class:`chathttp.cli.processes.ProcessesError`.
    """
    taken: dict[str, int] = {}

    def environment(plan: NodePlan) -> Mapping[str, str]:
        ours = {
            "port": taken.get(plan.name, plan.port),
            "management_host": plan.management_host,
            "management_port": plan.management_port,
            "host": settings.host,
            "data_dir": settings.data_dir,
            "database_url": settings.database_url,
            "redis_url": settings.redis_url,
            "log_level": settings.log_level,
            "log_format": settings.log_format,
        }
        return {**os.environ, **{variable_of(setting): str(value) for setting, value in ours.items()}}

    specs = [
        ProcessSpec(
            plan.name,
            (*STACKMENTOR, "node"),
            partial(environment, plan),
            prefix=f"{plan.name} | " if settings.log_format == "console" else "",
        )
        for plan in plans
    ]
    announcement = _Announcement([plan.name for plan in plans])

    def on_ready(name: str, url: str) -> None:
        taken[name] = urlsplit(url).port or 0
        announcement(name, url)

    await Processes(specs, on_ready=on_ready, drain_patience=settings.drain_time + STOP_RESERVE).run(drain)


def node_settings() -> Settings:
    """Of a process that :func:`run_nodes` started, and which from now on ends with its parent."""
    end_with_parent()
    return read_settings(required=("database_url",))


def _first_management_port(settings: Settings) -> int:
    if os.environ.get(variable_of("management_port")):
        return settings.management_port
    return settings.port + MANAGEMENT_OFFSET if settings.port else 0


def _row(name: str, first: int, count: int) -> list[int]:
    """``count`` ports in a row from ``first``; zeros for 0."""
    if first + count - 1 > 65_535:
        raise SettingsError(f"{variable_of(name)} must leave room for {count} ports from {first}")
    return [first + number if first else 0 for number in range(count)]


class _Announcement:
    """Says on stdout that the nodes serve, a line each in their order, once all do; a later return is logged."""

    def __init__(self, names: list[str]) -> None:
        self._urls: dict[str, str] = dict.fromkeys(names, "")
        self._said = False

    def __call__(self, name: str, url: str) -> None:
        self._urls[name] = url
        if self._said:
            _log.warning("node_serves_again", node=name, url=url)
        elif all(self._urls.values()):
            self._said = True
            sys.stdout.write("".join(f"{READY}{each}\n" for each in self._urls.values()))
            sys.stdout.flush()
