"""The ways from one node to the services it needs, each of which can be cut while its clients reach it as before.

Where the machine allows it (root on Linux), the node has a network namespace and a cut is a pulled cable. Elsewhere a
proxy in each way freezes, which to the node looks alike but for new connections: those are still accepted.
"""

import contextlib
import threading
from collections.abc import Callable, Generator, Mapping
from typing import Final, Literal, Protocol

import attrs

from tests.faults.netns import available, node_namespace
from tests.kit.proxy import Place, Proxy, ProxyThread
from tests.kit.redis import free_port

Kind = Literal["namespace", "proxies"]

KINDS: Final[tuple[Kind, ...]] = ("namespace", "proxies") if available() else ("proxies",)
"""What this machine allows, the better first."""
_CLIENTS: Final = "users"
_PORT: Final = 7000


class Cuttable(Protocol):
    """`cut` lets nothing through from now on, in either direction and without a word; `mend` undoes that."""

    def cut(self) -> None: ...

    def mend(self) -> None: ...


@attrs.frozen
class Way:
    """What the node connects to in place of the service, and the means to cut it."""

    host: str
    port: int
    cable: Cuttable


@attrs.frozen
class NodeNetwork:
    """One node's. It must listen on the address `host`; `prefix` goes before its command."""

    kind: Kind
    host: str
    prefix: tuple[str, ...]
    ways: Mapping[str, Way]

    def mend(self) -> None:
        for way in self.ways.values():
            way.cable.mend()


@contextlib.contextmanager
def node_network(services: Mapping[str, Place], kind: Kind = KINDS[0]) -> Generator[NodeNetwork]:
    """A network for one node around the block, with a way to each of `services`, whose names have 5 letters at most."""
    with contextlib.ExitStack() as stack:
        if kind == "namespace":
            namespace = stack.enter_context(node_namespace(_CLIENTS, *services))
            links = {name: namespace.links[name] for name in services}
            # As many addresses as services, so one port does for all.
            listening = {name: (link.host, _PORT) for name, link in links.items()}
            proxies = {name: Proxy(services[name], listening[name]) for name in services}
            stack.enter_context(ProxyThread.running(*proxies.values()))
            ways = {name: Way(*listening[name], links[name]) for name in services}
            yield NodeNetwork(kind, namespace.links[_CLIENTS].node, namespace.prefix, ways)
        else:
            listening = {name: ("127.0.0.1", free_port()) for name in services}
            proxies = {name: Proxy(services[name], listening[name]) for name in services}
            thread = stack.enter_context(ProxyThread.running(*proxies.values()))
            ways = {name: Way(*listening[name], _Frozen(thread, proxies[name])) for name in services}
            yield NodeNetwork(kind, "127.0.0.1", (), ways)


@attrs.frozen
class _Frozen:
    """Where there is no cable to pull."""

    thread: ProxyThread
    proxy: Proxy

    def cut(self) -> None:
        self._do(self.proxy.freeze)

    def mend(self) -> None:
        self._do(self.proxy.thaw)

    def _do(self, control: Callable[[], None]) -> None:
        """And wait until it is done, as a cable's is."""
        done = threading.Event()
        self.thread.control(control)
        self.thread.control(done.set)
        assert done.wait(10)
