"""`stackmentor dev` with a planted fault: a message that begins with `!crash` crashes its conversation's actor, and
from then on each that is started in its place.

python -m ops.incidents.crash_loop
"""

import sys
from collections.abc import Sequence
from uuid import UUID

from actors.conversation.room import Room
from chatcore.model import Event
from chathttp.cli import main

poisoned: set[UUID] = set()


def render(room: Room) -> None:
    """What somebody wrote for messages that he expected."""
    raise LookupError(f"no template for a message of {room.id}")


def plant() -> None:
    admit, resynchronise = Room.admit, Room.resynchronise

    async def admit_or_crash(self: Room, events: Sequence[Event], prev_rev: int) -> None:
        if any(event.message.text.startswith("!crash") for event in events):
            poisoned.add(self.id)
            render(self)
        await admit(self, events, prev_rev)

    async def resynchronise_or_crash(self: Room) -> None:
        if self.id in poisoned:
            render(self)
        await resynchronise(self)

    Room.admit = admit_or_crash
    Room.resynchronise = resynchronise_or_crash


if __name__ == "__main__":
    plant()
    sys.argv[1:] = ["dev"]
    main()
