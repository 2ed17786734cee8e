"""The load tester against wss:// and https://."""

import datetime
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chatload.control import run
from chatload.job import Job
from chatload.result import Interval
from chatload.scenario import make_scenario
from chatload.server_probe import NoProbe
from chatload.users import LoadUser
from chatload.workers import WorkerError
from tests.chatload.faulty_server import FaultyServer, Wrong


class Silent:
    """Implements `Progress`."""

    def on_phase(self, name: str) -> None: ...
    def on_interval(self, interval: Interval) -> None: ...


def certificate(directory: Path) -> Path:
    """A file with a key and a certificate of its own making for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(encoded + made.public_bytes(serialization.Encoding.PEM))
    return path


def forwarding_to(port: int) -> Callable[[trio.SSLStream[trio.SocketStream]], Awaitable[None]]:
    """Ends TLS, as a balancer does."""

    async def pump(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream, done: trio.CancelScope) -> None:
        try:
            async for data in source:
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        done.cancel()

    async def forward(client: trio.SSLStream[trio.SocketStream]) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as server, trio.open_nursery() as nursery:
            nursery.start_soon(pump, client, server, nursery.cancel_scope)
            nursery.start_soon(pump, server, client, nursery.cancel_scope)

    return forward


async def through_tls(pem: Path, job: Callable[[str], Job]) -> dict[str, int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    with FaultyServer(Wrong()) as server:
        forward = forwarding_to(int(server.url.rpartition(":")[2]))
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_ssl_over_tcp, forward, 0, context, host="127.0.0.1")
            listeners: list[trio.SSLListener[trio.SocketStream]] = await nursery.start(serve)
            listener = listeners[0].transport_listener
            assert isinstance(listener, trio.SocketListener)
            port = listener.socket.getsockname()[1]
            result = await trio.to_thread.run_sync(run, job(f"wss://127.0.0.1:{port}/ws"), Silent())
            nursery.cancel_scope.cancel()
    assert not result.failed, result.faults
    return dict(result.counts)


def small(url: str) -> Job:
    values = {"subscribers": 5, "publishers": 1, "rate": 100, "size": 10_000, "warm_up": 0, "hold": 0.5, "drain": 2}
    users = [LoadUser(f"u{number}", "t") for number in range(6)]
    return Job(scenario=make_scenario("fanout", values), urls=[url], users=users, processes=1, probe=NoProbe())


async def test_fanout_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    counts = await through_tls(pem, small)
    assert counts["delivered"] == 5 * counts["sent"] == 250


async def test_certificate_that_nobody_trusts_ends_the_run(tmp_path: Path) -> None:
    from chatload.rest import RestError

    with pytest.raises(BaseExceptionGroup) as caught:
        await through_tls(certificate(tmp_path), small)
    assert caught.group_contains((RestError, WorkerError), match="CERTIFICATE_VERIFY_FAILED")
