"""Nodes in network namespaces of their own, whose cables can be pulled one by one (network_namespaces(7), veth(4)).

Each node has one cable to everything it talks to: to its clients, to Redis, to the database. All lead to the test's own
namespace, where the other end has an address on which a proxy, or the service itself, listens. A pulled cable drops all
that is sent, both ways and without a word: connections stay open and new ones hang, until it is back.
"""

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import IO, Final

import attrs

_FIRST: Final = (198 << 24) + (18 << 16)
"""198.18.0.0/15, which RFC 2544 keeps for tests of this kind: no network has it."""
_BLOCK: Final = 32
_BLOCKS: Final = (1 << 17) // _BLOCK
_LINK: Final = 4
_LONGEST: Final = 5
_PROGRAMS: Final = ("ip", "nsenter")


@attrs.frozen
class Link:
    """One cable. ``host`` is the address of the test's end, ``node`` that of the node's."""

    device: str
    host: str
    node: str

    def cut(self) -> None:
        """Nothing comes through any more, in either direction."""
        _ip("link", "set", self.device, "down")

    def mend(self) -> None:
        """What the ends send again comes through again; TCP does so by itself, within seconds."""
        _ip("link", "set", self.device, "up")


@attrs.frozen
class Namespace:
    """``prefix`` goes before a command that is to run in it; the command's process id stays its own."""

    name: str
    links: dict[str, Link]

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("nsenter", f"--net=/run/netns/{self.name}")

    def mend(self) -> None:
        for link in self.links.values():
            link.mend()


@functools.cache
def available() -> bool:
    """Whether this machine lets us: by making one and pulling its cable. Elsewhere a proxy that freezes stands in."""
    if any(shutil.which(name) is None for name in _PROGRAMS):
        return False
    try:
        with node_namespace("probe") as namespace:
            namespace.links["probe"].cut()
            subprocess.run([*namespace.prefix, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@contextlib.contextmanager
def node_namespace(*names: str) -> Generator[Namespace]:
    """A namespace with loopback and one link for each of ``names`` (at most 5 letters, at most 8 of them).

    It and its links are gone after the block; what a killed run left of it, the next that takes the same addresses
    removes. Raises :class:`subprocess.CalledProcessError` where that is not allowed.
    """
    assert len(names) * _LINK <= _BLOCK
    assert all(len(name) <= _LONGEST for name in names), "a device's name has 15 letters"
    with _block() as block:
        name = f"smtest{block}"
        _remove(name, names, block)
        _ip("netns", "add", name)
        try:
            _ip("-n", name, "link", "set", "lo", "up")
            yield Namespace(name, {each: _make_link(name, block, number, each) for number, each in enumerate(names)})
        finally:
            _remove(name, names, block)


def _make_link(namespace: str, block: int, number: int, name: str) -> Link:
    first = _FIRST + block * _BLOCK + number * _LINK
    link = Link(_device(block, name), _address(first + 1), _address(first + 2))
    inside = f"to-{name}"
    _ip("link", "add", link.device, "type", "veth", "peer", "name", inside, "netns", namespace)
    _ip("addr", "add", f"{link.host}/30", "dev", link.device)
    _ip("link", "set", link.device, "up")
    _ip("-n", namespace, "addr", "add", f"{link.node}/30", "dev", inside)
    _ip("-n", namespace, "link", "set", inside, "up")
    # Else a new connection through a pulled cable ends soon with EHOSTUNREACH, which the far side of a router does not.
    mac = Path(f"/sys/class/net/{link.device}/address").read_text().strip()
    _ip("-n", namespace, "neigh", "replace", link.host, "lladdr", mac, "dev", inside, "nud", "permanent")
    return link


@contextlib.contextmanager
def _block() -> Generator[int]:
    """The number of a block of addresses that no other test run on the machine has."""
    with contextlib.ExitStack() as stack:
        for number in range(_BLOCKS):
            file = stack.enter_context(_locked(number))
            if file is not None:
                yield number
                return
    raise AssertionError("all blocks of addresses are in use")


@contextlib.contextmanager
def _locked(number: int) -> Generator[IO[bytes] | None]:
    path = Path(tempfile.gettempdir()) / f"stackmentor-netns-{os.geteuid()}-{number}.lock"
    with open(path, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file


def _remove(namespace: str, names: Sequence[str], block: int) -> None:
    """Also what is there of it only in part."""
    for name in names:
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "delete", _device(block, name))
    if Path(f"/run/netns/{namespace}").exists():
        _ip("netns", "delete", namespace)


def _device(block: int, name: str) -> str:
    return f"smt{block}-{name}"


def _address(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)
