"""Drives the meter: it opens its connections once and then measures as often as it is told."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import attrs
import msgspec
from attrs import frozen

MARK: Final = "{mark}"
"""Stands in a body for the thirteen characters that name the message."""
MARK_SIZE: Final = 13


class MeterError(Exception):
    """The meter ended: a connection was refused or closed; the text is what it wrote."""


@frozen(kw_only=True)
class Times:
    """Milliseconds."""

    count: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


@frozen(kw_only=True)
class Measurement:
    """One measurement. CPU times are seconds, by the names given to the meter; `seconds` ends with the last delivery.

    `delivery` runs from the send (in an open loop: from when it was due) until one subscriber has the message,
    `completion` until the last has it, `receipt` until STOMP's RECEIPT; `send_lag` is by how much
    the meter itself was late.
    """

    subscribers: int
    publishers: int
    in_flight: int
    rate: float
    messages: int
    deliveries: int
    seconds: float
    deliveries_per_second: float
    bytes_per_delivery: float
    meter_cpu: float
    cpu: Mapping[str, float]
    lost: int
    doubled: int
    out_of_order: int
    delivery: Times | None = None
    completion: Times | None = None
    receipt: Times | None = None
    send_lag: Times | None = None

    @property
    def faults(self) -> int:
        return self.lost + self.doubled + self.out_of_order


@frozen(kw_only=True)
class Plan:
    """What to measure: closed loop with `in_flight` messages of each publisher, or open loop at `rate` a second in all.

    `seconds` or `messages` bounds it; `warmup` messages go before it and are not counted.
    """

    publishers: int = 1
    in_flight: int = 1
    rate: float = 0.0
    seconds: float = 0.0
    messages: int = 0
    warmup: int = 0

    def line(self) -> str:
        words = {name.replace("_", "-"): value for name, value in attrs.asdict(self).items()}
        return " ".join(f"{name}={value}" for name, value in words.items()) + "\n"


@frozen(kw_only=True)
class Stomp:
    """STOMP 1.2 with bearer tokens from a file, one a line, publishers' first; without one with `login`, `passcode`."""

    subscribe: str
    send: str
    host: str = "/"
    tokens: Path | None = None
    login: str = "guest"
    passcode: str = "guest"
    headers: Sequence[str] = ()
    receipts: bool = True

    def options(self) -> list[str]:
        options = ["--stomp", "--subscribe", self.subscribe, "--send", self.send, "--stomp-host", self.host]
        if self.tokens is not None:
            options += ["--tokens", str(self.tokens)]
        else:
            options += ["--login", self.login, "--passcode", self.passcode]
        for header in self.headers:
            options += ["--header", header]
        return [*options, "--receipts"] if self.receipts else options


class Meter:
    """Connected while its block lasts. Connections are opened in the order publishers, subscribers.

    `body` is the text of a message, with `{mark}` in it once; `cpu` names groups of processes whose CPU time is
    wanted; the meter runs on `cores`, or on any. After `stall` seconds without a delivery what is missing is lost.
    """

    def __init__(
        self,
        program: Path,
        port: int,
        subscribers: int,
        body: str,
        *,
        publishers: int = 1,
        path: str = "/",
        publish_path: str | None = None,
        stomp: Stomp | None = None,
        cpu: Mapping[str, Sequence[int]] | None = None,
        cores: Sequence[int] = (),
        stall: float = 5.0,
    ) -> None:
        self._command = [str(program), "--port", str(port), "--subscribers", str(subscribers), "--body", body]
        self._command += ["--publishers", str(publishers), "--path", path, "--publish-path", publish_path or path]
        self._command += ["--stall", str(stall), *(stomp.options() if stomp else ())]
        for name, pids in (cpu or {}).items():
            self._command += ["--cpu", f"{name}={','.join(map(str, pids))}"]
        if cores:
            self._command = ["taskset", "-c", ",".join(map(str, cores)), *self._command]
        self._process: subprocess.Popen[str] | None = None
        self.connect_seconds = 0.0
        """How long it took to open all connections."""

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        try:
            self.connect_seconds = msgspec.json.decode(self._read_line(self._process), type=_Connected).seconds
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was never started"
        return self._process.pid

    def measure(self, plan: Plan) -> Measurement:
        """Raises :class:`MeterError`. What is lost, doubled or out of order is in the result."""
        assert self._process is not None, "it was never started"
        _pipe(self._process.stdin).write(plan.line())
        _pipe(self._process.stdin).flush()
        return msgspec.json.decode(self._read_line(self._process), type=Measurement)

    def _read_line(self, process: subprocess.Popen[str]) -> str:
        line = _pipe(process.stdout).readline()
        if not line:
            raise MeterError(_pipe(process.stderr).read().strip())
        return line


@frozen
class _Connected:
    connections: int
    seconds: float


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
