"""RabbitMQ with web-stomp, as a private node: its own name, ports and directory, nothing left behind."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ops.bench.broadcast.meter import Stomp
from ops.bench.peers.peer import Audience, Peer, Server
from ops.bench.peers.processes import Cores, cache_directory, family_of, free_port, running, wait_for_port

_CONFIGURATION = """\
listeners.tcp = none
stomp.listeners.tcp = none
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = {port}
web_stomp.tcp.backlog = 4096
log.console = true
log.file = false
"""


def _root() -> Path:
    return cache_directory() / "rabbitmq" / "root" / "usr"


def _home() -> Path:
    (home,) = (_root() / "lib" / "rabbitmq" / "lib").iterdir()
    return home


def _version() -> str:
    release = next((_root() / "lib" / "erlang" / "releases").glob("*/OTP_VERSION"))
    return f"{_home().name.replace('rabbitmq_server-', 'RabbitMQ ')}, Erlang/OTP {release.read_text().strip()}"


def _environment(directory: Path, epmd_port: int) -> dict[str, str]:
    return {
        "PATH": f"{_root() / 'lib' / 'erlang' / 'bin'}:/usr/bin:/bin",
        "HOME": str(directory),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "bench@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(directory / "generated"),
    }


@contextmanager
def _start(_audience: Audience, cores: Cores) -> Generator[Server]:
    port, epmd_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="stackmentor-peer-") as name:
        directory = Path(name)
        (directory / "rabbitmq.conf").write_text(_CONFIGURATION.format(port=port))
        (directory / "enabled_plugins").write_text("[rabbitmq_web_stomp].\n")
        log, env = directory / "console", _environment(directory, epmd_port)
        # A port mapper of its own, in the foreground: the node would start one that outlives it.
        epmd = [str(_root() / "bin" / "epmd"), "-port", str(epmd_port), "-address", "127.0.0.1"]
        with running(epmd, log, cores=cores.others, env=env) as mapper:
            wait_for_port(epmd_port, mapper, log)
            with running([str(_home() / "sbin" / "rabbitmq-server")], log, cores=cores.server, env=env) as process:
                wait_for_port(port, process, log)
                stomp = Stomp(subscribe="/topic/room", send="/topic/room")
                yield Server(port=port, pids=family_of(process.pid), publish_path="/ws", stomp=stomp)


PEER = Peer(name="RabbitMQ web-stomp", version=_version, start=_start)
