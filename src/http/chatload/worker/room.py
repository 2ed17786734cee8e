"""One conversation as a worker sees it. Frames that are the same bytes for many subscribers are read once."""

from typing import Final

from chatload.messages import RoomPlan, Seen
from chatload.worker.pacing import last_due
from chatload.worker.server_frames import Delivered, StompEvent, Types, read_stomp
from chatload.worker.tally import Tally

KEPT: Final = 30_000_000_000
"""Nanoseconds after which a message that some subscribers have not had is read anew when it comes."""


class Message:
    """A message, or a typing event (`seq` 0), with the times at which subscribers got it since the last report."""

    __slots__ = ("count", "due", "learnt", "ours", "payload", "replayed", "seq", "times", "truncated")

    def __init__(self, payload: bytes, seq: int, due: int, *, learnt: int, ours: bool, truncated: bool) -> None:
        self.payload = payload
        self.seq = seq
        self.due = due
        """When it was to be sent."""
        self.learnt = learnt
        self.ours = ours
        self.truncated = truncated
        self.times: list[int] = []
        self.replayed = 0
        """Deliveries in a resume since the last report."""
        self.count = 0
        """Deliveries before the last report."""

    @property
    def deliveries(self) -> int:
        return self.count + len(self.times) + self.replayed


class Room:
    """What the connections of a worker share of a conversation.

    `chunk` is the last read that was nothing but whole new messages in order, `chunk_messages` what they are, and
    `chunk_first` and `chunk_after` the numbers of the first and after the last: a subscriber that reads the same bytes
    and waits for that number needs no more than to be noted.
    """

    __slots__ = (
        "_complete_to",
        "_keys",
        "_memo",
        "_mine",
        "_typing_period",
        "_typing_start",
        "_typists",
        "chunk",
        "chunk_after",
        "chunk_first",
        "chunk_messages",
        "listeners",
        "live",
        "plan",
        "wrong",
    )

    def __init__(self, plan: RoomPlan, run_id: str, typing_period: int) -> None:
        self.plan = plan
        self.listeners = 0
        """Subscribers of this worker whose deliveries are measured."""
        self.live: dict[int, Message] = {}
        self.wrong = 0
        """Messages whose number belongs to another one."""
        self.chunk = b""
        self.chunk_first = self.chunk_after = 0
        self.chunk_messages: list[Message] = []
        self._mine = run_id.encode() + b"."
        self._memo: dict[bytes, Message] = {}
        self._keys: dict[int, bytes] = {}
        self._complete_to = 0
        self._typing_start = 0
        self._typing_period = typing_period
        self._typists = {user_id.encode(): phase for user_id, phase in plan.typists}

    def known(self, payload: bytes) -> Message | None:
        return self._memo.get(payload)

    def learn(self, payload: bytes, now: int) -> Message | list[StompEvent]:
        """What a WebSocket message is that was not seen before. Raises `ProtocolError`."""
        events = read_stomp(payload)
        if len(events) == 1:
            match events[0]:
                case Delivered() as delivered:
                    return self._learn_message(payload, delivered, now)
                case Types(user_id, True) if user_id in self._typists and self._typing_start:
                    due = last_due(now, self._typing_start, self._typing_period, self._typists[user_id])
                    return self._keep(Message(payload, 0, due, learnt=now, ours=True, truncated=False))
                case _:
                    pass
        return events

    def typing_starts(self, start: int) -> None:
        self._typing_start = start

    def acknowledged(self, seq: int, key: bytes) -> None:
        """A sender was told that its message `key` has the number `seq`."""
        if self.listeners and seq > self._complete_to and self._keys.setdefault(seq, key) != key:
            self.wrong += 1

    def complete(self, seq: int) -> bool:
        """All measured subscribers of this worker have the message."""
        message = self.live.get(seq)
        return seq <= self._complete_to if message is None else message.deliveries >= self.listeners

    def report(self, tally: Tally, now: int) -> None:
        """Tell what came since the last report, and forget what is complete or old."""
        done: list[Message] = []
        for message in self._memo.values():
            times = message.times
            if times or message.replayed:
                if message.seq:
                    self._report(message, tally)
                else:
                    for time in times:
                        tally.timed("typing", message.due, time)
                    tally.counts["typing_delivered"] += len(times)
                message.count += len(times) + message.replayed
                message.times = []
                message.replayed = 0
            if (message.seq and message.count >= self.listeners) or now - message.learnt > KEPT:
                done.append(message)
        for message in done:
            self._forget(message)
        # What the chunk's messages are was told; whoever comes now is noted on the same objects, or learns anew.
        self.chunk_first = 0

    def _report(self, message: Message, tally: Tally) -> None:
        times, replayed = message.times, message.replayed
        tally.delivered += len(times) + replayed
        if not message.ours:
            return
        tally.deliveries(message.due, times)
        last = times[-1] if times else 0
        tally.seen.append(Seen(self.plan.index, message.seq, message.due, len(times) + replayed, replayed, last))

    def _learn_message(self, payload: bytes, delivered: Delivered, now: int) -> Message:
        key, seq = delivered.client_message_id, delivered.seq
        ours = key.startswith(self._mine)
        if self._keys.setdefault(seq, key) != key:
            self.wrong += 1
        due = int(key.rpartition(b".")[2]) if ours else 0
        message = Message(payload, seq, due, learnt=now, ours=ours, truncated=delivered.truncated)
        self.live[seq] = message
        return self._keep(message)

    def _keep(self, message: Message) -> Message:
        self._memo[message.payload] = message
        return message

    def _forget(self, message: Message) -> None:
        del self._memo[message.payload]
        if message.seq:
            self._complete_to = max(self._complete_to, message.seq)
            if self.live.get(message.seq) is message:
                del self.live[message.seq]
            self._keys.pop(message.seq, None)
