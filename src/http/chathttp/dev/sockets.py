"""Where a server's Unix socket can be: its path has few bytes, and must be readable in a URL."""

import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from chathttp.dev.errors import DevError

_PATH_LIMIT: Final = 100
"""Bytes of a Unix socket's path; the least limit is macOS's 103."""
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+")


def socket_directory(directory: Path, socket: str, *, uid: int, gid: int) -> Path:
    """``directory`` if a socket named ``socket`` can be there, else one below /tmp that only ``uid`` may enter.

    Raises :class:`DevError` when the latter belongs to somebody else.
    """
    path = str(directory / socket)
    if len(path.encode()) <= _PATH_LIMIT and _PLAIN.issuperset(path):
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    place = Path("/tmp") / f"stackmentor-{digest}"  # noqa: S108 - short by nature; its owner and mode are checked
    if not place.exists():
        place.mkdir(mode=0o700)
        os.chown(place, uid, gid)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) != 0o700:
        raise DevError(f"{place}, needed for a server's socket, belongs to somebody else; remove it")
    return place
