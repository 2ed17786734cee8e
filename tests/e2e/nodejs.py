"""Runs JavaScript under Node.js; a missing Node.js or a missing npm package is a failure like any other."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent


def run_node_tests(scripts: Sequence[Path], environment: Mapping[str, str] | None = None, timeout: float = 60) -> None:
    """Run files of `node:test`; a failed one raises AssertionError with what Node.js wrote."""
    assert scripts, "no test files"
    finished = subprocess.run(
        ["node", "--test", *map(str, scripts)],
        cwd=HERE,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    assert finished.returncode == 0, f"node --test failed:\n{finished.stdout}"
