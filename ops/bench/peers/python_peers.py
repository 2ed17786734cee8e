"""The peers in Python, in the environment that `setup.sh` has made."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ops.bench.peers.peer import Audience, Peer, Server, bare_server
from ops.bench.peers.processes import Cores, cache_directory

_SERVERS: Final = Path(__file__).parent / "servers"


def _program(name: str) -> str:
    return str(cache_directory() / "python" / "bin" / name)


def _versions(*packages: str) -> str:
    code = (
        "import importlib.metadata as m, platform, sys; print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), sep=', ')"
    )
    done = subprocess.run([_program("python"), "-c", code, *packages], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def _websockets(_audience: Audience, cores: Cores) -> Generator[Server]:
    script = str(_SERVERS / "websockets_server.py")
    with bare_server(lambda port: [_program("python"), script, str(port)], cores) as server:
        yield server


@contextmanager
def _fastapi(_audience: Audience, cores: Cores) -> Generator[Server]:
    def command(port: int) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
        return [_program("uvicorn"), "fastapi_server:app", *options, "--ws-per-message-deflate", "false"]

    with bare_server(command, cores, PYTHONPATH=str(_SERVERS)) as server:
        yield server


@contextmanager
def _channels(_audience: Audience, cores: Cores) -> Generator[Server]:
    def command(port: int) -> list[str]:
        return [_program("daphne"), "-v", "0", "-b", "127.0.0.1", "-p", str(port), "channels_server:application"]

    with bare_server(command, cores, PYTHONPATH=str(_SERVERS)) as server:
        yield server


WEBSOCKETS = Peer(name="websockets broadcast()", version=lambda: _versions("websockets"), start=_websockets)
FASTAPI = Peer(
    name="FastAPI, uvicorn", version=lambda: _versions("fastapi", "uvicorn", "websockets", "uvloop"), start=_fastapi
)
CHANNELS = Peer(
    name="Django Channels, daphne", version=lambda: _versions("channels", "daphne", "django"), start=_channels
)
