"""Compiles the programs in C."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from attrs import frozen

_HERE: Final = Path(__file__).parent
_FLAGS: Final = ("-O2", "-std=gnu11", "-Wall", "-Wextra")
_SOURCES: Final = {
    "broadcaster": ("broadcaster.c",),
    "meter": ("meter.c", "run.c", "clients.c", "ledger.c"),
    "senders": ("senders.c",),
}


class BuildError(Exception):
    """There is no C compiler, or it refused; the text says which."""


@frozen
class Programs:
    broadcaster: Path
    meter: Path
    senders: Path


def build(directory: Path) -> Programs:
    """Compiles all into `directory`. Raises :class:`BuildError`."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise BuildError(
            "broadcaster, meter and senders are written in C: install gcc (Debian: apt-get install gcc libc6-dev)"
        )
    for program, sources in _SOURCES.items():
        command = [compiler, *_FLAGS, "-o", str(directory / program), *(str(_HERE / name) for name in sources)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"{' '.join(command)} failed:\n{done.stderr}")
    return Programs(directory / "broadcaster", directory / "meter", directory / "senders")
