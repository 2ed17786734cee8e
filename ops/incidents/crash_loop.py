"""`stackmentor dev` with a planted fault: a message that begins with `!crash` crashes its conversation's actor, and
from then on each that is started in its place.

python -m ops.incidents.crash_loop
"""

import sys
from collections.abc import Callable, Sequence
from uuid import UUID

from actors.conversation.room import Room
from chatcore.model import Event
from chathttp.cli import main

poisoned: set[UUID] = set()


def render(room: Room) -> None:
    """What somebody wrote for messages that he expected."""
    raise LookupError(f"no template for a message of {room.id}")


def is_poison(events: Sequence[Event]) -> bool:
    return any(event.message.text.startswith("!crash") for event in events)


def plant() -> None:
    admit, admit_at_once, resynchronise = Room.admit, Room.admit_at_once, Room.resynchronise

    async def admit_or_crash(self: Room, events: Sequence[Event], prev_rev: int) -> None:
        if is_poison(events):
            poisoned.add(self.id)
            render(self)
        await admit(self, events, prev_rev)

    def leave_to_admit(self: Room, events: Sequence[Event], prev_rev: int, tell: Callable[[], None]) -> bool:
        return not is_poison(events) and admit_at_once(self, events, prev_rev, tell)

    async def resynchronise_or_crash(self: Room) -> None:
        if self.id in poisoned:
            render(self)
        await resynchronise(self)

    Room.admit = admit_or_crash
    Room.admit_at_once = leave_to_admit
    Room.resynchronise = resynchronise_or_crash


if __name__ == "__main__":
    plant()
    sys.argv[1:] = ["dev"]
    main()
