"""``stackmentor dev`` and ``stackmentor serve``: the node, with or without what it stands on."""

import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import attrs
import trio
import typer

from actors.adapters.postgres.migrations import migrate_up
from chathttp.cli.descriptors import allow_connections
from chathttp.cli.environment import read_settings
from chathttp.cli.nodes import MOST_NODES, NodePlan, node_settings, plan_nodes, run_nodes
from chathttp.cli.signals import drained_by_signals
from chathttp.cli.usable import await_usable, is_usable
from chathttp.cli.workers import check_workers, leave_on_hangup, run_workers, worker_settings
from chathttp.dev.accounts import provision_demo
from chathttp.dev.cluster import Cluster, prepare_cluster
from chathttp.dev.lock import data_directory_lock
from chathttp.dev.postgres import ensure_database
from chathttp.dev.program import run_program
from chathttp.dev.redis import EmbeddedRedis, prepare_redis
from chathttp.edge.share import ListenerShare
from chathttp.settings import Settings

UntilUsable = Callable[[], Awaitable[None]] | None


def dev(
    port: Annotated[int | None, typer.Option(help="Port to serve on; 0 takes any free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the data is kept.")] = None,
    nodes: Annotated[int, typer.Option(min=1, max=MOST_NODES, help="Nodes, each on the port after the last.")] = 1,
) -> None:
    """Serve with everything included: PostgreSQL, Valkey for several nodes, accounts, demo users. Ctrl-C stops it."""
    defaults = {"log_format": "console"} | ({"management_port": "0"} if nodes > 1 else {})
    settings = read_settings(defaults, port=port, data_dir=data_dir)
    plans = plan_nodes(settings, nodes) if nodes > 1 else []
    with contextlib.ExitStack() as stack:
        cluster = redis = None
        if not settings.database_url or (plans and not settings.redis_url):
            settings.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
            stack.enter_context(data_directory_lock(settings.data_dir, "dev"))
        if plans and not settings.redis_url:
            redis = prepare_redis(settings.data_dir)
        if not settings.database_url:
            cluster = prepare_cluster(settings.data_dir)
        _run(partial(_dev, settings, plans, cluster, redis))


def serve(
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that share the port, each a node.")] = None,
) -> None:
    """Serve on the PostgreSQL of STACKMENTOR_DATABASE_URL, whose schema `migrate up` has made. SIGTERM drains."""
    settings = read_settings(
        {"host": "0.0.0.0"},  # noqa: S104 - a container's only address
        workers=workers,
        required=("database_url",),
    )
    if settings.workers > 1:
        check_workers(settings)
    if settings.workers > 1:
        is_usable(settings)
        _run(partial(run_workers, settings))
    else:
        _run(partial(_node, settings, until_usable=_until_usable(settings)))


def worker(index: int, listener: int, board: int) -> None:
    """Serve as one of the workers of `serve`, and end with it."""
    settings = worker_settings(index)
    until_usable = _until_usable(settings)
    with contextlib.closing(ListenerShare(listener, board, index)) as share:
        _run(partial(_worker, settings, share, until_usable))


def node() -> None:
    """Serve as one of several nodes of `dev --nodes`, and end with it."""
    _run(partial(_node, node_settings()))


def _run(main: Callable[..., Awaitable[None]]) -> None:
    async def with_drain(drain: trio.Event) -> None:
        await main(drain=drain)

    if not trio.run(drained_by_signals, with_drain):
        raise KeyboardInterrupt


async def _dev(
    settings: Settings,
    plans: Sequence[NodePlan],
    cluster: Cluster | None,
    redis: EmbeddedRedis | None,
    *,
    drain: trio.Event,
) -> None:
    async with trio.open_nursery() as owner:
        with trio.CancelScope() as starting:
            owner.start_soon(_cancel_when, drain, starting)
            if cluster is not None:
                await owner.start(run_program, cluster)
                # It and Valkey are stopped after the nodes only, so a signal never cuts a connection to them.
                url = await trio.to_thread.run_sync(ensure_database, cluster.socket_directory)
                settings = attrs.evolve(settings, database_url=url)
            if redis is not None:
                await owner.start(run_program, redis)
                settings = attrs.evolve(settings, redis_url=redis.url)
            await trio.to_thread.run_sync(migrate_up, settings.database_url)
            await provision_demo(settings)
        if not drain.is_set():
            await (run_nodes(settings, plans, drain=drain) if plans else _node(settings, drain=drain))
        owner.cancel_scope.cancel()


async def _worker(settings: Settings, share: ListenerShare, until_usable: UntilUsable, *, drain: trio.Event) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_on_hangup, share, drain)
        await _node(settings, drain=drain, share=share, until_usable=until_usable)
        nursery.cancel_scope.cancel()


async def _node(
    settings: Settings, *, drain: trio.Event, share: ListenerShare | None = None, until_usable: UntilUsable = None
) -> None:
    from chathttp.wiring import run_node

    settings = attrs.evolve(settings, max_connections=allow_connections(settings.max_connections))
    await run_node(settings, on_ready=_Announcement(), drain=drain, share=share, until_usable=until_usable)


def _until_usable(settings: Settings) -> UntilUsable:
    """None when the database is there."""
    return None if is_usable(settings) else partial(await_usable, settings)


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


class _Announcement:
    """Says once on stdout that the node serves, also when its edge is started again later."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, url: str) -> None:
        if not self._said:
            self._said = True
            sys.stdout.write(f"stackmentor ready {url}\n")
            sys.stdout.flush()
