"""Reading back frames that a server has made: unmasked and unfragmented (RFC 6455, section 5.2)."""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final

_MEDIUM: Final = Struct("!H").unpack_from
_LONG: Final = Struct("!Q").unpack_from


class Opcode(IntEnum):
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


def split_frames(frames: bytes) -> Iterator[tuple[Opcode, bytes]]:
    """The opcode and payload of each frame. Raises `ValueError` on anything else than whole frames of a server."""
    at = 0
    while at < len(frames):
        if len(frames) < at + 2 or frames[at] & 0xF0 != 0x80:
            raise ValueError("not a whole, unfragmented frame")
        opcode, size, start = Opcode(frames[at] & 0x0F), frames[at + 1], at + 2
        if size == 126 and len(frames) >= at + 4:
            (size,), start = _MEDIUM(frames, start), at + 4
        elif size == 127 and len(frames) >= at + 10:
            (size,), start = _LONG(frames, start), at + 10
        elif size > 125:
            raise ValueError("a masked or cut frame")
        at = start + size
        if len(frames) < at:
            raise ValueError("a cut frame")
        yield opcode, frames[start:at]
