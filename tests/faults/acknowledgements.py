"""Subscribers in the modes `client` and `client-individual`: what they acknowledge, and what must follow from it.

SUBSCRIBE without `last-seq` starts after the stored delivered mark, so what has not been acknowledged comes again on
every further connection; and the mark is where the ACKs have put it, no lower once one has its receipt, never higher.
"""

from collections.abc import Iterator
from typing import Final, Literal

import attrs
import trio

from chathttp.stomp.frame import Frame
from tests.faults.checker import CREATED, Kind, Violation
from tests.faults.clients import GoneError, converse, error_code
from tests.faults.cluster import Node
from tests.faults.history import Stored
from tests.faults.world import TRY_AGAIN, BackOff, Member, World
from tests.kit.stomp_client import StompClient

Mode = Literal["client", "client-individual"]
MODES: Final[tuple[Mode, ...]] = ("client", "client-individual")
HELD_BACK: Final = 0.03
"""The share of deliveries that a client of the mode `client-individual` does not acknowledge while others write."""
CUMULATED: Final = 0.15
"""The share of deliveries with which a client of the mode `client` acknowledges all before."""
RECEIPTED: Final = 0.2
LIFE: Final = (1.0, 3.0)
"""Seconds after which a client leaves without a word."""


@attrs.frozen
class Opened:
    """A subscription is in force."""

    node: str
    at: float


@attrs.frozen
class Delivered:
    """One created message. `truncated` when those before it were too many."""

    seq: int
    at: float
    truncated: bool = False


@attrs.frozen
class AckSent:
    seq: int
    at: float


@attrs.frozen
class Confirmed:
    """The receipt of an ACK that has moved the mark to `seq`."""

    seq: int
    at: float


@attrs.define
class AckLog:
    """All that one such subscriber did and saw, in its order."""

    name: str
    user: str
    conversation: str
    mode: Mode
    entries: list[Opened | Delivered | AckSent | Confirmed] = attrs.field(
        factory=list[Opened | Delivered | AckSent | Confirmed]
    )


@attrs.define
class Acknowledger:
    """Follows the conversation on one node after the other, by no position of its own."""

    world: World
    member: Member
    mode: Mode
    log: AckLog = attrs.field(init=False)
    _open: list[tuple[int, str]] = attrs.field(factory=list[tuple[int, str]])
    """What this connection has delivered and the client has not acknowledged: seq and ack id, rising."""
    _last: int = 0

    def __attrs_post_init__(self) -> None:
        self.log = AckLog(self.member.name, self.member.user.id, self.world.conversation, self.mode)

    async def run(self) -> None:
        """Until cancelled."""
        back_off = BackOff(self.world.rng)
        node = self.member.home
        while True:
            at, before = node, len(self.log.entries)

            async def talk(client: StompClient, at: Node = at) -> None:
                await self._talk(client, at)

            reason = "wandered"
            with trio.move_on_after(self.world.rng.uniform(*LIFE) if self.world.sending else float("inf")):
                reason = await converse(node, self.member.user.token, talk)
            self.world.ended(self.member.name, reason)
            if len(self.log.entries) > before:
                back_off.succeeded()
            await back_off.wait()
            node = self.world.another(self.member, node)

    async def _talk(self, client: StompClient, node: Node) -> None:
        self._open = []
        topic = f"/topic/conversation.{self.world.conversation}"
        await client.send("SUBSCRIBE", {"id": "m", "destination": topic, "receipt": "m", "ack": self.mode})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._acknowledge_the_rest, client)
            while True:
                await self._hear(await client.next(), client, node)

    async def _hear(self, frame: Frame, client: StompClient, node: Node) -> None:
        now = trio.current_time()
        match frame.command, frame.header("receipt-id"):
            case "RECEIPT", "m":
                self.log.entries.append(Opened(node.name, now))
            case "RECEIPT", str(mark):
                self.log.entries.append(Confirmed(int(mark), now))
            case "MESSAGE", _:
                if frame.header("event") == CREATED:
                    await self._receive(frame, client, now)
            case _:
                code = error_code(frame)
                if code not in TRY_AGAIN:
                    self.world.trouble(self.member.name, f"{frame.command} {code}", node)
                raise GoneError(f"{frame.command} {code}")

    async def _receive(self, frame: Frame, client: StompClient, now: float) -> None:
        seq, ack_id = int(frame.header("seq") or 0), frame.header("ack")
        assert ack_id is not None
        self.log.entries.append(Delivered(seq, now, frame.header("history-truncated") is not None))
        self._open.append((seq, ack_id))
        self._last = seq
        wanted = CUMULATED if self.mode == "client" else 1 - HELD_BACK
        if self.world.rng.random() < wanted:
            await self._acknowledge(client, seq, ack_id, receipt=self.world.rng.random() < RECEIPTED)

    async def _acknowledge_the_rest(self, client: StompClient) -> None:
        """Once nobody writes any more: all, the last one with a receipt."""
        while True:
            await trio.sleep(0.1)
            if not self.world.sending:
                waiting = list(self._open)
                for seq, ack_id in waiting:
                    if (seq, ack_id) in self._open:
                        await self._acknowledge(client, seq, ack_id, receipt=seq == waiting[-1][0])

    async def _acknowledge(self, client: StompClient, seq: int, ack_id: str, *, receipt: bool) -> None:
        self._open = [each for each in self._open if (each[0] > seq if self.mode == "client" else each[0] != seq)]
        mark = self._open[0][0] - 1 if self._open else self._last
        # One that moves nothing has its receipt at once, whatever of those before it is stored yet.
        asked = {"receipt": str(mark)} if receipt and mark >= seq else {}
        self.record_ack(seq)
        await client.send("ACK", {"id": ack_id, **asked})

    def record_ack(self, seq: int) -> None:
        self.log.entries.append(AckSent(seq, trio.current_time()))


def check_acknowledgements(log: AckLog, stored: Stored) -> Iterator[Violation]:
    """All violations; none when what was not acknowledged came again and the mark was where it had been put."""
    acked: set[int] = set()
    reached: list[tuple[float, int]] = [(float("-inf"), 0)]
    """When the client had acknowledged all up to which number."""
    confirmed, last = 0, 0
    first_is_due = False
    for entry in log.entries:
        lowest_open = reached[-1][1] + 1
        match entry:
            case Opened():
                first_is_due = True
            case Delivered():
                if first_is_due and entry.seq > lowest_open and not entry.truncated:
                    yield Violation(Kind.NOT_AGAIN, log.name, f"{lowest_open} was not acknowledged", [entry])
                elif not first_is_due and entry.seq > last + 1 and not entry.truncated:
                    yield Violation(Kind.GAP, log.name, f"seq {entry.seq} after {last}", [entry])
                elif not first_is_due and entry.seq <= last:
                    yield Violation(Kind.DOUBLED, log.name, f"seq {entry.seq} after {last}", [entry])
                first_is_due, last = False, entry.seq
            case AckSent():
                acked.update(range(lowest_open, entry.seq + 1) if log.mode == "client" else [entry.seq])
                while lowest_open in acked:
                    lowest_open += 1
                reached.append((entry.at, lowest_open - 1))
            case Confirmed():
                confirmed = max(confirmed, entry.seq)
    if reached[-1][1] < stored.last_seq:
        yield Violation(Kind.MISSED, log.name, f"{reached[-1][1] + 1} to {stored.last_seq}", log.entries[-3:])
    yield from _check_mark(log, stored, reached, confirmed)


def _check_mark(log: AckLog, stored: Stored, reached: list[tuple[float, int]], confirmed: int) -> Iterator[Violation]:
    highest = 0
    for sample in stored.samples:
        if sample.user == log.user:
            allowed = max(mark for at, mark in reached if at <= sample.at)
            if sample.delivered > allowed:
                yield Violation(Kind.MARK_AHEAD, log.name, f"only {allowed} was acknowledged", [sample])
            if sample.delivered < highest:
                yield Violation(Kind.MARK_FELL, log.name, f"delivered was {highest}", [sample])
            highest = max(highest, sample.delivered)
    mark = stored.delivered.get(log.user, 0)
    if mark < max(confirmed, highest):
        yield Violation(Kind.MARK_LOST, log.name, f"{confirmed} was confirmed, {mark} is stored")
