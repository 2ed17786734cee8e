"""The script that makes a fresh Debian ready for ``make test``."""

import subprocess
from pathlib import Path

import pytest

from tests.kit.image import ROOT

SCRIPT = ROOT / "ops/setup-test-machine.sh"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A machine's only programs; ``id`` says that we are an ordinary user."""
    _program(tmp_path, "id", "echo 1000")
    _program(tmp_path, "ls", "exit 2")
    _program(tmp_path, "python3", "exit 0")
    return tmp_path


def _program(directory: Path, name: str, body: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def _run(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT], env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def test_does_nothing_where_all_is_there(programs: Path) -> None:
    for name in ("chromium", "node", "npm", "git", "cc", "ip", "postgres"):
        _program(programs, name, "exit 0")
    _program(programs, "apt-get", "exit 9")
    done = _run(programs)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_fails_naming_what_is_missing_where_it_may_not_install(programs: Path) -> None:
    _program(programs, "node", "exit 0")
    done = _run(programs)
    assert done.returncode == 1
    assert "missing: chromium npm git gcc libc6-dev iproute2 postgresql - and neither root nor sudo" in done.stderr


@pytest.mark.parametrize("arrives", [True, False])
def test_installs_as_root_and_fails_when_that_did_not_help(programs: Path, arrives: bool) -> None:
    for name in ("chromium", "npm", "git", "cc", "ip", "postgres"):
        _program(programs, name, "exit 0")
    _program(programs, "id", "echo 0")
    _program(programs, "env", 'shift; exec "$@"')
    bring = f"printf '#!/bin/sh\\n' > {programs}/node; /bin/chmod +x {programs}/node" if arrives else ":"
    _program(programs, "apt-get", f'echo "$@" >> {programs}/calls; case "$*" in *install*) {bring};; esac')
    done = _run(programs)
    calls = (programs / "calls").read_text().splitlines()
    assert calls[0].endswith("update")
    assert calls[1].endswith("install --yes --no-install-recommends nodejs")
    assert (done.returncode == 0) is arrives
    assert ("still missing after the installation: nodejs" in done.stderr) is not arrives
