"""`stackmentor dev` with a planted fault: a message that begins with `!block` holds the event loop for ten seconds.

python -m ops.incidents.blocked_loop
"""

import sys
import time

from chathttp import wire
from chathttp.cli import main

HELD = 10.0
"""Seconds."""


def price_of(text: str) -> float:
    """What somebody took for quick."""
    total, began = 0.0, time.monotonic()
    while time.monotonic() < began + HELD:
        total += len(text)
    return total


def plant() -> None:
    check = wire.check_text

    def check_and_price(text: str, *, attachments: int = 0) -> None:
        check(text, attachments=attachments)
        if text.startswith("!block"):
            price_of(text)

    wire.check_text = check_and_price


if __name__ == "__main__":
    plant()
    sys.argv[1:] = ["dev"]
    main()
