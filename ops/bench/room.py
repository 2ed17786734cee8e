"""A conversation with many subscribers, and the meter connected to it."""

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from ops.bench.broadcast.meter import MARK, MARK_SIZE, Meter, Stomp
from ops.bench.client import Rest
from ops.bench.target import BenchUser, Target

TEXT: Final = MARK + "x" * (100 - MARK_SIZE)
"""A message of 100 characters."""


@frozen
class Room:
    """How to subscribe and publish in a conversation; `body` is the JSON of a message with the given text."""

    id: str
    stomp: Stomp

    def body(self, text: str) -> str:
        return f'{{"conversationId":"{self.id}","text":"{text}"}}'


def make_room(target: Target, users: Sequence[BenchUser], directory: Path) -> Room:
    """A new group of `users`, whose tokens go into a file in `directory`, in this order."""
    tokens = directory / "tokens"
    tokens.write_text("".join(f"{user.token}\n" for user in users))
    room = Rest(target.url, users[0].token).make_group("bench", [user.user_id for user in users[1:]])
    topic = f"/topic/conversation.{room}"
    return Room(room, Stomp(subscribe=topic, send="/app/message.send", host="localhost", tokens=tokens))


def meter_of_room(
    meter: Path,
    target: Target,
    users: Sequence[BenchUser],
    directory: Path,
    *,
    publishers: int = 1,
    pids: Sequence[int] = (),
) -> Meter:
    """A new group of all `users`; the first `publishers` of them publish, the others subscribe.

    `pids` are the server's processes, when there is not just the target's.
    """
    room = make_room(target, users, directory)
    return Meter(
        meter,
        urlsplit(target.url).port or 80,
        len(users) - publishers,
        room.body(TEXT),
        publishers=publishers,
        path="/ws",
        stomp=room.stomp,
        cpu={"server": pids or [target.pid]},
    )


@contextmanager
def measured_room(target: Target, meter: Path, subscribers: int, *, publishers: int = 1) -> Generator[Meter]:
    """A room of new users."""
    users = target.users(publishers + subscribers)
    with (
        tempfile.TemporaryDirectory(prefix="stackmentor-room-") as directory,
        meter_of_room(meter, target, users, Path(directory), publishers=publishers) as connected,
    ):
        yield connected
