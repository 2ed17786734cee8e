"""One owner at a time for a data directory, by a lock that the kernel drops with its holder."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final, Literal

from chathttp.dev.errors import DevError

Role = Literal["dev", "command"]

_PAUSE: Final = 0.05


class HeldByDevError(DevError):
    """``stackmentor dev`` runs on the data directory."""


@contextlib.contextmanager
def data_directory_lock(data_dir: Path, role: Role, *, patience: float = 60.0) -> Generator[None]:
    """Holds ``<data_dir>/lock`` for as long as the block runs, also against a process that is killed.

    A short-lived command that holds it is waited for, ``patience`` seconds at most; one that serves is not. Raises
    :class:`HeldByDevError` when ``dev`` holds it and :class:`DevError` when a command holds it for too long.
    """
    path = data_dir / "lock"
    with open(path, "a+b") as file:
        deadline = time.monotonic() + patience
        before: list[str] = []
        while not _taken(file.fileno()):
            file.seek(0)
            holder = file.read(200).decode("ascii", "replace").split()
            # Read twice: the first may be what a killed holder left and the present one is about to overwrite.
            if holder[:1] == ["dev"] and holder == before:
                raise HeldByDevError(f"stackmentor dev already runs on {data_dir} (process {holder[-1]})")
            if time.monotonic() > deadline:
                raise DevError(f"another stackmentor command has held {data_dir} for {patience:g} seconds")
            before = holder
            time.sleep(_PAUSE)
        file.truncate(0)
        file.write(f"{role} {os.getpid()}\n".encode("ascii"))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
