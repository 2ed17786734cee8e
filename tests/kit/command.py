"""The command ``stackmentor`` as a process of its own."""

import os
import subprocess
import sys

COMMAND = (sys.executable, "-c", "from chathttp.cli import main; main()")


def stackmentor(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Runs it to its end. ``settings`` by their names in lower case are all it has of ``STACKMENTOR_`` variables."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("STACKMENTOR_")}
    env |= {f"STACKMENTOR_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [*COMMAND, *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
