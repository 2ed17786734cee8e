"""STOMP clients that behave as the contract asks: they repeat what has no receipt, and resume where they were."""

import json
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, HandshakeError

from chathttp.stomp.frame import Frame
from tests.faults.cluster import Node
from tests.faults.history import Acked, Connected, Log, MarksSeen, Received, Resumption, Sent, TypingSeen
from tests.faults.world import TRY_AGAIN, BackOff, Member, World
from tests.kit.stomp_client import StompClient, raw_websocket

BEAT: Final = 1.0
PATIENCE: Final = 3.0
"""Seconds without a byte from a server that beats each second, after which a client goes elsewhere."""
ANSWER_PATIENCE: Final = 20.0
"""Seconds without an answer to a SEND, after which it is sent again: longer than the server's own deadlines."""


class GoneError(Exception):
    """The client leaves the connection; the reason is the message."""


async def converse(node: Node, token: str, talk: Callable[[StompClient], Awaitable[None]]) -> str:
    """A connection that lasts until `talk` returns or either side goes: why it ended. Heart-beats go both ways."""
    reason = "silent"
    client: StompClient | None = None
    began = trio.current_time()

    async def watch() -> None:
        """A frozen server tells nobody."""
        heard = began
        while heard + PATIENCE > trio.current_time():
            await trio.sleep_until(heard + PATIENCE)
            heard = began if client is None else client.heard_at
        nursery.cancel_scope.cancel()

    async def beat(live: StompClient) -> None:
        while True:
            await trio.sleep(BEAT)
            await live.websocket.send_message("\n")

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            async with raw_websocket(node.ws_url) as websocket:
                client = StompClient(websocket)
                await _enter(client, token)
                nursery.start_soon(beat, client)
                await talk(client)
                reason = "left"
                nursery.cancel_scope.cancel()
    except* (OSError, HandshakeError, ConnectionClosed, GoneError, trio.BrokenResourceError) as group:
        reason = _reason(group)
    return reason


async def _enter(client: StompClient, token: str) -> None:
    answer = await client.connect(token, f"{BEAT * 2000:.0f},{BEAT * 1000:.0f}")
    if answer.command != "CONNECTED":
        raise GoneError(f"{answer.command} {answer.header('message')}")


def _reason(error: BaseException) -> str:
    match error:
        case BaseExceptionGroup():
            return _reason(error.exceptions[0])  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]  # of anything
        case ConnectionClosed():
            return "cut" if error.reason is None else str(error.reason.code)
        case ConnectionRejected():
            return f"handshake {error.status_code}"
        case GoneError():
            return str(error)
        case OSError():
            return "refused"
        case _:
            return type(error).__name__


def error_code(frame: Frame) -> str:
    """Of an ERROR frame, or of a MESSAGE of the errors queue."""
    return (frame.header("message") or "") if frame.command == "ERROR" else json.loads(frame.body)["errorCode"]


@attrs.define
class _Open:
    """A message without a receipt. It is sent when `due`."""

    text: str
    due: float
    times: int = 0


@attrs.define
class Sender:
    """Sends `rate` messages a second, at most `window` of them unanswered, each until it is acknowledged."""

    world: World
    member: Member
    rate: float
    window: int = 8
    open: dict[str, _Open] = attrs.field(factory=dict[str, _Open])
    acked: int = 0
    newest: float = 0.0
    """When the message was first sent that was acknowledged last of all sent."""
    _count: int = 0
    _wake: trio.Event = attrs.field(factory=trio.Event)

    @property
    def done(self) -> bool:
        return not self.world.sending and not self.open

    async def run(self) -> None:
        """Until cancelled."""
        back_off = BackOff(self.world.rng)
        node = self.member.home
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._compose)
            while True:
                acked = self.acked
                for each in self.open.values():
                    each.due = 0.0
                at = node

                async def talk(client: StompClient, at: Node = at) -> None:
                    await self._talk(client, at)

                self.world.ended(self.member.name, await converse(node, self.member.user.token, talk))
                if self.acked > acked:
                    back_off.succeeded()
                await back_off.wait()
                node = self.world.another(self.member, node)

    async def _compose(self) -> None:
        while self.world.sending:
            await trio.sleep(self.world.rng.uniform(0.5, 1.5) / self.rate)
            if len(self.open) < self.window and self.world.sending:
                self._count += 1
                key = f"{self.member.name}-{self._count}"
                self.open[key] = _Open(self.world.text(key), 0.0)
                self._wake.set()

    async def _talk(self, client: StompClient, node: Node) -> None:
        await client.send("SUBSCRIBE", {"id": "errors", "destination": "/user/queue/errors"})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_what_is_due, client, node)
            while True:
                self._hear(await client.next(), node)

    async def _send_what_is_due(self, client: StompClient, node: Node) -> None:
        while True:
            self._wake = trio.Event()
            now = trio.current_time()
            for key, each in list(self.open.items()):
                if each.due <= now and key in self.open:
                    await self._send(client, node, key, each)
            wait_until = min((each.due for each in self.open.values()), default=now + 1.0)
            with trio.move_on_at(wait_until):
                await self._wake.wait()

    async def _send(self, client: StompClient, node: Node, key: str, each: _Open) -> None:
        each.due = trio.current_time() + ANSWER_PATIENCE
        each.times += 1
        sent = Sent(key, self.world.conversation, self.member.user.id, each.text, node.name, trio.current_time())
        self.world.history.sent.setdefault(key, sent)
        body = {"conversationId": self.world.conversation, "text": each.text, "clientMessageId": key}
        headers = {"destination": "/app/message.send", "receipt": key, "content-type": "application/json"}
        await client.send("SEND", headers, json.dumps(body).encode())

    def _hear(self, frame: Frame, node: Node) -> None:
        if frame.command == "RECEIPT":
            self._acknowledged(frame)
        elif frame.header("subscription") == "errors":
            self._refused(frame, node)
        elif (code := error_code(frame)) not in TRY_AGAIN:
            self.world.trouble(self.member.name, f"{frame.command} {code}", node)

    def _acknowledged(self, frame: Frame) -> None:
        key, message_id, seq = (frame.header(name) for name in ("receipt-id", "message-id", "seq"))
        assert key is not None
        assert message_id is not None
        assert seq is not None
        each = self.open.pop(key, None)
        repeated = each is None or each.times > 1
        self.world.history.acked.append(Acked(key, message_id, int(seq), trio.current_time(), repeated))
        self.newest = max(self.newest, self.world.history.sent[key].at)
        self.acked += 1

    def _refused(self, frame: Frame, node: Node) -> None:
        key = json.loads(frame.body).get("receipt")
        code = error_code(frame)
        if code not in TRY_AGAIN:
            self.world.trouble(self.member.name, code, node)
            self.open.pop(key, None)
        elif key in self.open:
            self.open[key].due = trio.current_time() + self.world.rng.uniform(0.1, 0.4)
            self._wake.set()


@attrs.define
class Subscriber:
    """Follows the conversation, its read marks and who types, on any node, and resumes after every loss.

    One that `wanders` goes to another node every few seconds without a word. `removable`: FORBIDDEN ends it, and
    must not come else.
    """

    world: World
    member: Member
    by: Resumption
    wanders: bool = False
    removable: bool = False
    log: Log = attrs.field(init=False)
    last_seq: int = 0
    last_rev: int = 0
    newest: float = 0.0
    """When the message was sent that came last of all sent."""
    node: str = ""
    forbidden: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self.log = Log(self.member.name, self.member.user.id, self.world.conversation, self.by)
        self.world.history.logs.append(self.log)

    async def run(self) -> None:
        """Until cancelled, or removed."""
        back_off = BackOff(self.world.rng)
        node = self.member.home
        while not self.forbidden.is_set():
            heard = len(self.log.entries)
            at = node

            async def talk(client: StompClient, at: Node = at) -> None:
                await self._talk(client, at)

            with trio.move_on_after(self.world.rng.uniform(2, 5) if self.wanders else float("inf")) as life:
                self.log.entries.append(
                    self.world.ended(self.member.name, await converse(node, self.member.user.token, talk))
                )
            if life.cancelled_caught:
                self.log.entries.append(self.world.ended(self.member.name, "wandered"))
            self.node = ""
            if len(self.log.entries) > heard + 1:
                back_off.succeeded()
            await back_off.wait()
            node = self.world.another(self.member, node)

    async def _talk(self, client: StompClient, node: Node) -> None:
        topic = f"/topic/conversation.{self.world.conversation}"
        start = self.last_seq if self.by is Resumption.SEQ else self.last_rev
        await client.send("SUBSCRIBE", {"id": "m", "destination": topic, "receipt": "m", self.by: str(start)})
        for suffix in ("read", "typing"):
            await client.send("SUBSCRIBE", {"id": suffix, "destination": f"{topic}.{suffix}"})
        while not self.forbidden.is_set():
            frame = await client.next()
            match frame.command:
                case "RECEIPT":
                    self.node = node.name
                    self.log.entries.append(Connected(node.name, start, trio.current_time()))
                case "MESSAGE":
                    self._hear(frame)
                case _:
                    self._refused(frame, node)

    def _hear(self, frame: Frame) -> None:
        body, now = json.loads(frame.body), trio.current_time()
        match frame.header("subscription"):
            case "m":
                self._receive(frame, body, now)
            case "read":
                marks = MarksSeen(body["userId"], body["lastReadSeq"], body["lastDeliveredSeq"], now)
                self.log.entries.append(marks)
            case _:
                self.log.entries.append(TypingSeen(body["userId"], now))

    def _receive(self, frame: Frame, body: dict[str, str | None], now: float) -> None:
        event, seq, rev, message_id = (frame.header(name) for name in ("event", "seq", "rev", "message-id"))
        assert event is not None
        assert seq is not None
        assert rev is not None
        assert message_id is not None
        key, truncated = body["clientMessageId"], frame.header("history-truncated") is not None
        received = Received(event, int(seq), int(rev), message_id, key, body["text"] or "", now, truncated)
        self.log.entries.append(received)
        if event == "message.created":
            self.last_seq = max(self.last_seq, received.seq)
        self.last_rev = max(self.last_rev, received.rev)
        sent = self.world.history.sent.get(key or "")
        if sent is not None and event == "message.created":
            self.newest = max(self.newest, sent.at)

    def _refused(self, frame: Frame, node: Node) -> None:
        code = error_code(frame)
        if code == "FORBIDDEN" and self.removable:
            self.forbidden.set()
        elif code not in TRY_AGAIN:
            self.world.trouble(self.member.name, f"{frame.command} {code}", node)
        raise GoneError(f"{frame.command} {code}")
