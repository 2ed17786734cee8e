"""The load tester against wss:// and https://."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chatload.control import run
from chatload.job import Job
from chatload.result import Interval
from chatload.scenario import make_scenario
from chatload.server_probe import NoProbe
from chatload.users import LoadUser
from chatload.workers import WorkerError
from tests.chatload.faulty_server import FaultyServer, Wrong
from tests.kit.tls import certificate, tls_before


class Silent:
    """Implements `Progress`."""

    def on_phase(self, name: str) -> None: ...
    def on_interval(self, interval: Interval) -> None: ...


async def through_tls(pem: Path, job: Callable[[str], Job]) -> dict[str, int]:
    with FaultyServer(Wrong()) as server:
        async with tls_before(int(server.url.rpartition(":")[2]), pem) as port:
            result = await trio.to_thread.run_sync(run, job(f"wss://127.0.0.1:{port}/ws"), Silent())
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
