"""``stackmentor serve --workers``: several processes that share one port, each a node, so that all cores are used."""

import os
import random
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import attrs
import structlog
import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from chatcore.errors import unavailable
from chathttp.cli.environment import read_settings
from chathttp.cli.processes import READY, STACKMENTOR, Processes, ProcessSpec, end_with_parent
from chathttp.edge.lifespan import serve_lifespan
from chathttp.edge.listener import open_listener
from chathttp.edge.refusal import error_headers, standard_headers
from chathttp.edge.server import EdgeServer
from chathttp.edge.share import ListenerShare, open_board
from chathttp.edge.transport import FrameTransport, HandshakeInfo, Peer
from chathttp.errors import CLOSE_DRAIN, error_body
from chathttp.management.local_socket import host_of, is_path
from chathttp.settings import Settings, SettingsError, variable_of

STOP_RESERVE: Final = 9.0
"""Seconds that a worker may take to end after the drain time; with that of the default it is within 30."""

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.workers")


def check_workers(settings: Settings) -> None:
    """Raises :class:`SettingsError` when the settings are not such that several workers can run."""
    if not settings.redis_url:
        raise SettingsError(f"{variable_of('redis_url')} is not set, and several workers need it")
    ports = _management_ports(settings)
    if ports and (ports[-1] > 65_535 or settings.port in ports):
        raise SettingsError(
            f"{variable_of('management_port')} must leave room for {settings.workers} workers beside the port"
        )


async def run_workers(settings: Settings, *, drain: trio.Event) -> None:
    """The workers until ``drain`` is set, then drained. SIGHUP rolls them: one by one they are drained and replaced.

    The listener is opened here, once, and inherited: what waits in its queue is nobody's, so a worker that dies or
    drains takes none of it along. Raises `OSError` when the port cannot be had, and
    :class:`chathttp.cli.processes.ProcessesError`.
    """
    with closing(open_listener(settings.host, settings.port)) as listener:
        port: int = listener.getsockname()[1]
        board = open_board(settings.workers)
        try:
            specs = _specs(settings, listener.fileno(), board)
            announcement = _Announcement([spec.name for spec in specs])
            processes = Processes(specs, on_ready=announcement, drain_patience=settings.drain_time + STOP_RESERVE)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_roll_on_hangup, processes)
                await processes.run(drain)
                nursery.cancel_scope.cancel()
        finally:
            os.close(board)
        await _turn_away(listener)
    _log.info("workers have ended", port=port)


def worker_settings(index: int) -> Settings:
    """Of worker number ``index``, which from now on ends with its parent."""
    end_with_parent()
    settings = read_settings({"host": "0.0.0.0"}, required=("database_url",))  # noqa: S104 - as `serve`
    settings = attrs.evolve(settings, management_host=host_of(settings.management_host, _name(index)))
    ports = _management_ports(settings)
    return attrs.evolve(settings, management_port=ports[index]) if ports else settings


async def leave_on_hangup(share: ListenerShare, drain: trio.Event) -> None:
    """In a worker: SIGHUP drains it, and what comes from then on is left to the others."""
    with trio.open_signal_receiver(signal.SIGHUP) as received:
        async for _ in received:
            share.leaving = True
            drain.set()


def _management_ports(settings: Settings) -> Sequence[int]:
    """None where any free ones are taken, or Unix sockets."""
    first = 0 if is_path(settings.management_host) else settings.management_port
    return range(first, first + settings.workers) if first else ()


def _name(index: int) -> str:
    return f"worker-{index}"


def _specs(settings: Settings, listener: int, board: int) -> list[ProcessSpec]:
    # The option may have set what the environment does not.
    environment = {**os.environ, variable_of("workers"): str(settings.workers)}
    return [
        ProcessSpec(
            _name(index),
            (*STACKMENTOR, "worker", str(index), str(listener), str(board)),
            lambda: environment,
            pass_fds=(listener, board),
        )
        for index in range(settings.workers)
    ]


async def _roll_on_hangup(processes: Processes) -> None:
    with trio.open_signal_receiver(signal.SIGHUP) as received:
        async for _ in received:
            await processes.roll(signal.SIGHUP)


async def _turn_away(listener: socket.socket) -> None:
    """Answer those who connected when no worker was left to accept them."""
    server = EdgeServer([listener.dup()], _refuse, _refuse_session)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        await server.drain(0)


async def _refuse(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    if scope["type"] == "lifespan":
        await serve_lifespan(receive, send)
    elif scope["type"] == "http":
        error = unavailable("This server restarts", retry_after=random.uniform(1.0, 5.0))  # noqa: S311 - jitter
        body = error_body(error)
        headers = [*error_headers(error, body), *standard_headers(list(scope["headers"]), Peer("", 0))]
        await send({"type": "http.response.start", "status": 503, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def _refuse_session(transport: FrameTransport, _handshake: HandshakeInfo) -> None:
    transport.close(CLOSE_DRAIN)


class _Announcement:
    """Says on stdout that the port is served, once all workers serve it; a later return is logged."""

    def __init__(self, names: Sequence[str]) -> None:
        self._awaited = set(names)

    def __call__(self, name: str, url: str) -> None:
        if not self._awaited:
            _log.warning("a worker serves again", worker=name)
        elif self._awaited == {name}:
            sys.stdout.write(f"{READY}{url}\n")
            sys.stdout.flush()
        self._awaited.discard(name)
