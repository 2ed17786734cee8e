"""`stackmentor dev` with the faults of ops/incidents, and more tasks than a page could draw: `!crowd` starts them.

What `!block` blocks is free again at SIGUSR1.
"""

import signal
import sys

import trio

from chathttp import wire
from chathttp.cli import main
from ops.incidents import blocked_loop, crash_loop

CROWD = 10_000


async def member_of_the_crowd() -> None:
    with trio.move_on_after(3600):
        await trio.sleep_forever()  # in the crowd


def plant_crowd() -> None:
    check = wire.check_text

    def check_and_start(text: str, *, attachments: int = 0) -> None:
        check(text, attachments=attachments)
        if text.startswith("!crowd"):
            for number in range(CROWD):
                trio.lowlevel.spawn_system_task(member_of_the_crowd, name=f"<b>member</b> {number}")

    wire.check_text = check_and_start


def release(*_: object) -> None:
    blocked_loop.HELD = 0.0


if __name__ == "__main__":
    blocked_loop.HELD = 300.0
    signal.signal(signal.SIGUSR1, release)
    for plant in (blocked_loop.plant, crash_loop.plant, plant_crowd):
        plant()
    sys.argv[1:] = ["dev"]
    main()
