"""Results are kept as JSON that people can read, too."""

from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


def write_kept(value: object, path: Path) -> None:
    """`value` is of an attrs type; its directory is made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value)) + b"\n")


def read_kept(path: Path, kind: type[T]) -> T:
    """Raises `OSError`, `msgspec.MsgspecError`."""
    return msgspec.json.decode(path.read_bytes(), type=kind)
