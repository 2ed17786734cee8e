"""Runs the bare broadcaster."""

import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen


@frozen
class Broadcaster:
    """Publishers ask for `/publish`, subscribers for any other path."""

    port: int
    pid: int


@contextmanager
def running_broadcaster(program: Path, *, drop_every: int = 0, cores: Sequence[int] = ()) -> Generator[Broadcaster]:
    """Runs on `cores`, if any are given. With `drop_every` it leaves out each such delivery: a meter must notice."""
    command = ["taskset", "-c", ",".join(map(str, cores))] if cores else []
    command += [str(program), "--drop-every", str(drop_every)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        word, port = process.stdout.readline().split()
        assert word == "port"
        try:
            yield Broadcaster(int(port), process.pid)
        finally:
            process.kill()
