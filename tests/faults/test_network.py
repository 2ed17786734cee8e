import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from tests.faults import netns
from tests.faults.netns import available, node_namespace
from tests.faults.network import KINDS, Kind, NodeNetwork, node_network

ROOT: Final = Path(__file__).parents[2]
RELAY: Final = """
import socket, sys, threading
def copy(source, target):
    while data := source.recv(4096):
        target.sendall(data)
near = socket.create_server((sys.argv[1], 0))
print(near.getsockname()[1], flush=True)
client, _ = near.accept()
far = [socket.create_connection((host, int(port))) for host, port in zip(sys.argv[2::2], sys.argv[3::2])]
for each in far:
    threading.Thread(target=copy, args=(each, client), daemon=True).start()
while data := client.recv(4096):
    for each in far:
        each.sendall(data)
"""
"""The node: what its client says goes to all services, and what they say to the client."""


class _Node:
    """A relay in `network`, with a client and the services' ends of its connections."""

    def __init__(self, network: NodeNetwork, listeners: dict[str, socket.socket]) -> None:
        far = [part for way in network.ways.values() for part in (way.host, str(way.port))]
        command = [*network.prefix, sys.executable, "-c", RELAY, network.host, *far]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.client = socket.create_connection((network.host, int(self._process.stdout.readline())), timeout=10)
        self.services: dict[str, socket.socket] = {}
        for name, listener in listeners.items():
            listener.settimeout(10)
            self.services[name], _ = listener.accept()

    def close(self) -> None:
        for each in (self.client, *self.services.values()):
            each.close()
        self._process.kill()
        self._process.communicate()


@pytest.fixture(params=KINDS)
def network(request: pytest.FixtureRequest) -> Generator[tuple[NodeNetwork, _Node]]:
    kind: Kind = request.param
    with socket.create_server(("127.0.0.1", 0)) as redis, socket.create_server(("127.0.0.1", 0)) as database:
        listeners = {"redis": redis, "base": database}
        places = {name: ("127.0.0.1", int(each.getsockname()[1])) for name, each in listeners.items()}
        with node_network(places, kind) as network:
            assert network.kind == kind
            node = _Node(network, listeners)
            yield network, node
            network.mend()
            node.close()


def _comes(connection: socket.socket, patience: float) -> bool:
    return bool(select.select([connection], [], [], patience)[0])


def test_cut_way_is_silent_both_ways_until_mended_and_the_others_carry_on(network: tuple[NodeNetwork, _Node]) -> None:
    ways, node = network[0].ways, network[1]
    redis, database = node.services["redis"], node.services["base"]
    node.client.sendall(b"one")
    assert (redis.recv(10), database.recv(10)) == (b"one", b"one")
    ways["redis"].cable.cut()
    redis.sendall(b"lost")
    assert not _comes(node.client, 0.3)
    node.client.sendall(b"two")
    assert _comes(database, 10)
    assert database.recv(10) == b"two"
    database.sendall(b"heard")
    assert _comes(node.client, 10)
    assert node.client.recv(10) == b"heard"
    assert not _comes(redis, 0.3)
    ways["redis"].cable.mend()
    assert _comes(redis, 20)
    assert redis.recv(10) == b"two"
    assert _comes(node.client, 20)
    assert node.client.recv(10) == b"lost"


def test_cut_may_be_repeated_and_so_may_its_end(network: tuple[NodeNetwork, _Node]) -> None:
    cable, node = network[0].ways["base"].cable, network[1]
    for _ in range(2):
        cable.cut()
    for _ in range(2):
        cable.mend()
    node.client.sendall(b"again")
    assert _comes(node.services["base"], 20)
    assert node.services["base"].recv(10) == b"again"


def test_nothing_of_a_network_is_left(network: tuple[NodeNetwork, _Node]) -> None:
    before, threads = _devices(), threading.active_count()
    with node_network({"redis": ("127.0.0.1", 1)}, network[0].kind):
        assert threading.active_count() > threads
    assert _devices() == before
    assert threading.active_count() == threads


def _devices() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def test_what_a_killed_run_left_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    if not available():
        with pytest.raises((OSError, subprocess.CalledProcessError)), node_namespace("redis"):
            pytest.fail("it is available")
        return

    def leave(*_: object) -> None:
        """As a kill does."""

    with monkeypatch.context() as patched, node_namespace("redis") as left:
        patched.setattr(netns, "_remove", leave)
    assert left.links["redis"].device in _devices()
    with node_namespace("redis") as again:
        assert again == left
    assert left.links["redis"].device not in _devices()
    assert not Path(f"/run/netns/{left.name}").exists()


def test_machine_that_does_not_allow_it_is_known() -> None:
    """As an ordinary user sees it, or where the programs are missing."""
    code = "from tests.faults.network import KINDS; print(*KINDS)"
    env = {"PATH": "/nonexistent", "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in (".", "src", "src/http"))}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "proxies\n"
