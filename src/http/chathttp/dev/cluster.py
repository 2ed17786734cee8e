"""A PostgreSQL cluster on disk: where it is, how it is made, how its server is started and told to stop."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import attrs

from chathttp.dev.account import Account, SpawnOptions, postgres_account
from chathttp.dev.binaries import Binaries, find_binaries
from chathttp.dev.errors import DevError
from chathttp.dev.postmaster import Postmaster, read_postmaster, release_foreign_pid
from chathttp.dev.program import ENVIRONMENT, LogFile
from chathttp.dev.sockets import socket_directory

USER: Final = "stackmentor"
DATABASE: Final = "stackmentor"
SHARED: Final = Path("/var/lib/stackmentor")
"""Where root keeps what the unprivileged account cannot reach elsewhere."""

_POINTER: Final = "postgres.location"
_SOCKET: Final = ".s.PGSQL.5432"
_MAX_CONNECTIONS: Final = 100
_FAST, _IMMEDIATE = signal.SIGINT, signal.SIGQUIT
STOPPING: Final = ((_FAST, 10.0), (_IMMEDIATE, 5.0))
"""A fast shutdown, when that takes too long an immediate one, and seconds for each."""


@attrs.frozen
class Cluster:
    """One data directory of PostgreSQL and all that is needed to run its server. Made by :func:`prepare_cluster`.

    A :class:`chathttp.dev.program.Program`.
    """

    directory: Path
    binaries: Binaries
    account: Account
    socket_directory: Path
    log: LogFile
    stopping: tuple[tuple[signal.Signals, float], ...] = STOPPING
    name: str = "PostgreSQL"

    def url(self, database: str = DATABASE) -> str:
        """The connection URL of one database of this cluster."""
        return socket_url(self.socket_directory, database)

    def command(self) -> list[str]:
        """The server's command line. What makes it durable (``fsync`` and the like) stays at PostgreSQL's defaults."""
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0700",
            "max_connections": str(_MAX_CONNECTIONS),
            "jit": "off",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries.postgres), "-D", str(self.directory), *arguments]

    def spawn_options(self) -> SpawnOptions:
        return self.account.spawn_options()

    def prepare(self) -> None:
        release_foreign_pid(self.directory)

    def postmaster(self) -> Postmaster | None:
        """The server that runs on this directory, or None."""
        return read_postmaster(self.directory)

    def ready(self, pid: int) -> bool:
        """Whether the server with ``pid`` accepts connections. A file read, cheap enough to poll."""
        server = self.postmaster()
        return server is not None and server.pid == pid and server.ready

    def stop_leftover(self, *, patience: float = 20.0) -> None:
        """Stops a server that a killed run left behind: at once but cleanly, and harder when that takes too long.

        Raises :class:`DevError` when it will not go.
        """
        for number, seconds in ((_FAST, patience), (_IMMEDIATE, 5.0), (signal.SIGKILL, 5.0)):
            server = self.postmaster()
            if server is None:
                return
            try:
                os.kill(server.pid, number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if (now := self.postmaster()) is None or now.pid != server.pid:
                    return
                time.sleep(0.02)
        raise DevError(f"the PostgreSQL that was left behind on {self.directory} does not stop")


def socket_url(socket_directory: Path, database: str = DATABASE) -> str:
    """A connection URL by Unix socket, as both asyncpg and libpq read it. Peer authentication: no password."""
    return f"postgresql://{USER}@/{database}?host={quote(str(socket_directory), safe='/')}"


def known_directory(data_dir: Path) -> Path:
    """Where the cluster of ``data_dir`` is, or would be if it is not made yet."""
    pointer = data_dir / _POINTER
    return Path(pointer.read_text().strip()) if pointer.exists() else data_dir / "postgres"


def prepare_cluster(data_dir: Path, *, shared: Path = SHARED) -> Cluster:
    """Finds the cluster of ``data_dir``, or makes it. Call only while holding the data directory's lock.

    The cluster is ``<data_dir>/postgres``. When we are root and the account PostgreSQL runs under cannot reach that
    (a clone in root's home), it lies below ``shared``, and ``<data_dir>/postgres.location`` says where.
    Raises :class:`DevError` with one line for the user.
    """
    data_dir = data_dir.resolve()
    directory = _location(data_dir, shared)
    account = postgres_account(directory)
    binaries = find_binaries(account, shared)
    if (directory / "PG_VERSION").exists():
        major = int((directory / "PG_VERSION").read_text())
        if major != binaries.major:
            raise DevError(f"{directory} is of PostgreSQL {major} and cannot be run by PostgreSQL {binaries.major}")
    else:
        _initialise(directory, binaries, account)
    sockets = socket_directory(directory, _SOCKET, uid=account.uid, gid=account.gid)
    return Cluster(directory, binaries, account, sockets, LogFile(data_dir / "postgres.log"))


def _location(data_dir: Path, shared: Path) -> Path:
    here, pointer = data_dir / "postgres", data_dir / _POINTER
    if pointer.exists():
        place = known_directory(data_dir)
        if not (place / "PG_VERSION").exists():
            raise DevError(f"{pointer} names {place}, which is gone; remove the former to start with no data")
        return place
    account = postgres_account(here)
    if account.enters(data_dir):
        return here
    if here.exists():
        raise DevError(f"{here} holds data, but user {account.name} cannot reach it any more; open its parents to him")
    shared.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not account.enters(shared):
        raise DevError(f"user {account.name} can reach neither {data_dir} nor {shared}; open one of them to him")
    home = Path(tempfile.mkdtemp(prefix=f"{data_dir.parent.name}-", dir=shared))
    home.chmod(0o711)
    place = home / "postgres"
    _initialise(place, find_binaries(account, shared), account)
    written = pointer.with_suffix(".new")
    written.write_text(f"{place}\n")
    written.replace(pointer)
    return place


def _initialise(directory: Path, binaries: Binaries, account: Account) -> None:
    made = directory.with_name("postgres.new")
    if made.exists():
        shutil.rmtree(made)
    made.mkdir(mode=0o700)
    account.own(made)
    locale = ["--locale=C", "--lc-ctype=C.UTF-8"]
    if binaries.major >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command = [binaries.initdb, "-D", made, "-U", USER, "--auth=peer", "--encoding=UTF8", "--no-instructions", *locale]
    done = subprocess.run(
        command,
        cwd="/",
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
        **account.spawn_options(),
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        raise DevError(f"initdb failed: {said[-1]}")
    (made / "pg_hba.conf").write_text(f"local all {USER} peer map=owner\n")
    (made / "pg_ident.conf").write_text("".join(f'owner "{name}" {USER}\n' for name in sorted({account.name, "root"})))
    made.rename(directory)
