"""A management port over parts that a test makes up, and a client for it."""

import json
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import trio
from attrs import define, field

from actors.conversation.room import Room
from actors.runtime.snapshot import ActorSnapshot, ActorState, DynamicSnapshot, SupervisorSnapshot
from actors.tracing.tracer import Tracer
from chatconsole.api.messages import PREFIX
from chatconsole.api.parts import Backend
from chathttp.management.metrics import NodeFigures
from chathttp.management.server import ManagementOptions, ManagementServer
from chathttp.management.slices import Looking
from chathttp.management.sources import Actors, Sources
from chathttp.session.inspection import Inspectable
from tests.kit.figures import CONVERSATIONS, FIGURES


def _alone() -> SupervisorSnapshot:
    return SupervisorSnapshot("node", "one-for-one", 0, 5, (), 5, 30.0)


def _at_once(snapshot: DynamicSnapshot) -> Looking[DynamicSnapshot]:
    yield
    return snapshot


@define
class PlantedNode:
    """Implements `Node`: nothing in it but what a test puts there."""

    url: str = "http://127.0.0.1:8080"
    supervision: Callable[[], SupervisorSnapshot] = _alone
    dynamic: Callable[[int], Looking[DynamicSnapshot]] = lambda _limit: _at_once(CONVERSATIONS)
    singles: list[ActorSnapshot] = field(factory=lambda: list[ActorSnapshot]())
    rooms: list[Room] = field(factory=lambda: list[Room]())
    revs: dict[UUID, int] = field(factory=lambda: dict[UUID, int]())
    running: list[Inspectable] = field(factory=lambda: list[Inspectable]())
    backends: list[Backend] = field(factory=lambda: list[Backend]())
    restarted: list[UUID] = field(factory=list[UUID])
    passivated: list[UUID] = field(factory=list[UUID])
    tracer: Tracer = field(factory=lambda: Tracer(UUID(int=1), limit=100))
    drained: int = 0

    def figures(self) -> NodeFigures:
        return FIGURES

    def drain(self) -> None:
        self.drained += 1

    def sources(self) -> Sources:
        async def revs(_ids: Collection[UUID]) -> dict[UUID, int]:
            return self.revs

        async def passivate(key: UUID, timeout: float) -> None:
            del timeout
            self.passivated.append(key)

        async def backends() -> Sequence[Backend]:
            return self.backends

        return Sources(
            supervision=self.supervision,
            actors=Actors(
                dynamic=self.dynamic,
                singles=lambda: [(each, "refuse", 0) for each in self.singles],
                restart=self.restarted.append,
                passivate=passivate,
            ),
            rooms=lambda: self.rooms,
            revs=revs,
            sessions=lambda: self.running,
            backends=backends,
            outbox_limit=1000,
            tracer=self.tracer,
        )


@define
class ConsoleClient:
    """One request a connection."""

    server: ManagementServer

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON body (or text), with the token unless `headers` are given."""
        given = {"Host": "localhost", "Authorization": f"Bearer {self.server.token}"} if headers is None else headers
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        async with await trio.open_tcp_stream("127.0.0.1", self.server.port) as stream:
            await stream.send_all("\r\n".join(lines).encode())
            answer = b"".join([part async for part in stream])
        head, _, body = answer.partition(b"\r\n\r\n")
        is_json = b"application/json" in head
        return int(head.split()[1]), json.loads(body) if is_json else body.decode()

    async def snapshot(self, query: str = "") -> Any:
        status, body = await self.get(f"{PREFIX}/snapshot?{query}")
        assert status == 200, body
        return body

    async def warnings(self, code: str, query: str = "sections=warnings") -> list[Any]:
        """Those of one kind."""
        return [each for each in (await self.snapshot(query))["warnings"] if each["code"] == code]


@asynccontextmanager
async def console(
    node: PlantedNode | None = None, options: ManagementOptions | None = None
) -> AsyncGenerator[ConsoleClient]:
    """Runs until the block ends."""
    node = node or PlantedNode()
    server = ManagementServer(options or ManagementOptions(), lambda: node, node.drain)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield ConsoleClient(server)
        nursery.cancel_scope.cancel()


def actor(name: str, **figures: Any) -> ActorSnapshot:
    return ActorSnapshot(name=name, state=figures.pop("state", ActorState.RUNNING), **figures)


async def until_found(look: Any, *, within: float = 10.0) -> Any:
    """What `look` finds, asked again and again."""
    with trio.fail_after(within):
        while True:
            found = await look()
            if found:
                return found
            await trio.sleep(0.05)
