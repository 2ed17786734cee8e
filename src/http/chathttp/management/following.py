"""Messages on their way, as the console shows them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import trio

from actors.tracing.trace import Leg, Trace
from actors.tracing.tracer import Follower, Tracer, Wanted
from chatconsole.api import following as api
from chatconsole.api.messages import Follow, Traces
from chatcore.errors import invalid, unavailable
from chathttp.management.crossing import Crossing, LoopBlockedError
from chathttp.management.traffic import Names

TAKE_TIMEOUT: Final = 5.0
"""Seconds for what is new to be fetched from the node's loop."""

Take = Callable[[], Awaitable[Traces | None]]


@asynccontextmanager
async def following(crossing: Crossing, tracer: Tracer, names: Names, request: Follow) -> AsyncGenerator[Take]:
    """What is asked for is followed while the block runs; gives what is new, or None. Called in the thread's loop.

    The block begins when the node does follow, which is as soon as its loop is not blocked. Raises `VALIDATION_ERROR`.
    """
    wanted = _wanted(request)
    followers: list[Follower] = []
    begun = trio.Event()
    thread = trio.lowlevel.current_trio_token()

    async def follow_until_cancelled() -> None:
        """In the node's loop."""
        follower = tracer.follow(wanted, request.count)
        followers.append(follower)
        try:
            with suppress(trio.RunFinishedError):
                thread.run_sync_soon(begun.set)
            await trio.sleep_forever()
        finally:
            followers.remove(follower)
            tracer.unfollow(follower)

    async def look() -> tuple[Follower, Traces, int]:
        """In the node's loop."""
        if not followers:
            raise unavailable("The node follows no more")
        [follower] = followers
        found, seen = tracer.look(follower)
        told = [_trace(tracer, trace, names, reveal=request.reveal) for trace in found]
        return follower, Traces(request.id, told, tracer.dropped - follower.dropped_before), seen

    async def take() -> Traces | None:
        try:
            follower, traces, seen = await crossing.call(look, timeout=TAKE_TIMEOUT)
        except LoopBlockedError:
            return None
        follower.seen = seen
        return traces if traces.traces else None

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crossing.hold, follow_until_cancelled)
        await begun.wait()
        yield take
        nursery.cancel_scope.cancel()


def _wanted(request: Follow) -> Wanted:
    try:
        conversation = UUID(request.conversation) if request.conversation else None
    except ValueError:
        raise invalid("conversation", "is no id") from None
    if request.count is not None and request.count < 1:
        raise invalid("count", "at least 1")
    return Wanted(conversation, request.message)


def _trace(tracer: Tracer, trace: Trace, names: Names, *, reveal: bool) -> api.Trace:
    return api.Trace(
        conversation=str(trace.conversation_id),
        message=str(trace.message_id),
        client_message_id=trace.client_message_id,
        user=None if trace.sender_id is None else names.of(trace.sender_id, reveal=reveal),
        outcome=trace.outcome,
        seq=trace.seq,
        rev=trace.rev,
        legs=[_leg(tracer, leg) for leg in trace.legs],
    )


def _leg(tracer: Tracer, leg: Leg) -> api.Leg:
    return api.Leg(
        node=str(leg.node),
        here=leg.node == tracer.node_id,
        began=leg.began,
        behind=leg.behind,
        hops=[api.Hop(api.HopName(each.hop.value), round(each.after, 7), each.says) for each in leg.passed],
    )
