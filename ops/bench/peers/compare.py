"""Measures a peer and this server in turn, with the same meter, the same load and frames of the same size."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from attrs import evolve, frozen

from ops.bench.broadcast.meter import MARK_SIZE, Measurement, Meter, MeterError, Plan
from ops.bench.peers.bystanders import Bystanders
from ops.bench.peers.peer import Audience, Peer, Server
from ops.bench.peers.processes import Cores, PeerError
from ops.bench.peers.report import DATABASE, REST, SERVER, Row, ratios_of, side_of

OUR_TEXT: Final = 100
"""Characters of a message to this server; the frame that its subscribers get is the size for all."""
PATIENCE: Final = 4.0
"""Seconds: a case that a peer cannot do in about this time is left out for it."""
_PROBE_TEXT: Final = 200
_PROBE_IN_FLIGHT: Final = 4
_PROBE_SECONDS: Final = 0.5
_WARMUP_SECONDS: Final = 0.3
_MOST_WARMUP: Final = 300
_CALM: Final = 0.05
_MOST_ROUNDS: Final = 2
"""A round counts as calm when others used at most this share of the cores; so many times the rounds are tried."""


@frozen
class Case:
    """A closed loop of `in_flight` messages of each publisher, or an open loop of so many deliveries a second."""

    name: str
    publishers: int = 1
    in_flight: int = 1
    deliveries_per_second: int = 0

    def plan(self, subscribers: int, seconds: float, sustained: float) -> Plan:
        """`sustained` deliveries a second are expected, by which the warm-up is bounded."""
        fitting = int(_WARMUP_SECONDS * sustained / subscribers)
        return Plan(
            publishers=self.publishers,
            in_flight=self.in_flight,
            rate=self.deliveries_per_second / subscribers,
            seconds=seconds,
            warmup=min(max(fitting, self.publishers), _MOST_WARMUP),
        )

    def obstacle(self, subscribers: int, sustained: float) -> str:
        """Why a server of so many deliveries a second cannot be measured in this case; empty when it can."""
        if self.deliveries_per_second > sustained:
            return f"does not sustain it: {sustained:,.0f} deliveries/s"
        filling = self.publishers * self.in_flight * subscribers / sustained
        if filling > PATIENCE:
            return f"one filling of the loop takes {filling:.0f} s"
        return ""


CASES: Final = (
    Case("1 publisher, 1 in flight"),
    Case("1 publisher, 8 in flight", in_flight=8),
    Case("16 publishers, 64 in flight", publishers=16, in_flight=4),
    Case("20,000 deliveries/s", publishers=1, deliveries_per_second=20_000),
    Case("50,000 deliveries/s", publishers=1, deliveries_per_second=50_000),
)
PUBLISHERS: Final = max(case.publishers for case in CASES)


@frozen
class Bench:
    """One server with the meter connected to it."""

    name: str
    meter: Meter
    frame_size: float
    pids: Sequence[int]

    def measure(self, plan: Plan) -> Measurement:
        """Raises :class:`MeterError`, also when there was no delivery at all."""
        found = self.meter.measure(plan)
        if found.deliveries == 0:
            raise MeterError(f"{self.name} delivered nothing, {found.lost} deliveries were waited for")
        return found


@frozen
class _Pair:
    ours: Measurement
    theirs: Measurement
    bystanders: float


def _sustained(bench: Bench, subscribers: int) -> float:
    """About how many deliveries a second it can do; found in well below a second, but of the slowest."""
    first = bench.measure(Plan(messages=2, warmup=1)).deliveries_per_second
    plan = Plan(in_flight=_PROBE_IN_FLIGHT, seconds=_PROBE_SECONDS, warmup=_PROBE_IN_FLIGHT)
    if _PROBE_IN_FLIGHT * subscribers / first > _PROBE_SECONDS:
        return first
    return max(first, bench.measure(plan).deliveries_per_second)


class Comparison:
    """`ours` beside peers, `rounds` times each in turn, for about `seconds` each time. Sizes and rates are adapted."""

    def __init__(self, meter: Path, ours: Peer, cores: Cores, rounds: int, seconds: float) -> None:
        self._meter = meter
        self._ours = ours
        self._cores = cores
        self._rounds = rounds
        self._seconds = seconds

    def rows(self, peers: Sequence[Peer], subscribers: int, cases: Sequence[Case] = CASES) -> Generator[Row]:
        """A row for each peer and case, as they are measured."""
        audience = Audience(PUBLISHERS, subscribers)
        with self._connected(self._ours, audience, None) as ours:
            for peer in peers:
                row = Row(peer=peer.name, version=peer.version(), subscribers=subscribers, case="")
                try:
                    with self._connected(peer, audience, ours.frame_size) as theirs:
                        yield from self._cases(row, ours, theirs, cases)
                except (MeterError, PeerError) as error:
                    yield evolve(row, case=REST, skipped=f"failed: {error}")

    def _cases(self, row: Row, ours: Bench, theirs: Bench, cases: Sequence[Case]) -> Generator[Row]:
        size = row.subscribers
        sustained = {bench.name: _sustained(bench, size) for bench in (ours, theirs)}
        for case in cases:
            row = evolve(row, case=case.name)
            slowest = min(sustained, key=sustained.__getitem__)
            if obstacle := case.obstacle(size, sustained[slowest]):
                yield evolve(row, skipped=f"{slowest} {obstacle}")
                continue
            plans = [case.plan(size, self._seconds, sustained[bench.name]) for bench in (ours, theirs)]
            pairs = self._calmest_pairs((ours, theirs), plans)
            mine, other = side_of([pair.ours for pair in pairs]), side_of([pair.theirs for pair in pairs])
            for name, side in ((ours.name, mine), (theirs.name, other)):
                sustained[name] = max(sustained[name], side.deliveries_per_second)
            yield evolve(
                row,
                rounds=self._rounds,
                round_seconds=self._seconds,
                bystanders=median(pair.bystanders for pair in pairs),
                ours=mine,
                theirs=other,
                ratios=ratios_of(mine, other),
            )

    def _calmest_pairs(self, benches: tuple[Bench, Bench], plans: Sequence[Plan]) -> list[_Pair]:
        """As many as there are rounds, measured again where others disturbed them, as long as that is bearable."""
        pairs: list[_Pair] = []
        for _ in range(_MOST_ROUNDS * self._rounds):
            (mine, mine_disturbed), (other, other_disturbed) = (
                self._measured(bench, plan) for bench, plan in zip(benches, plans, strict=True)
            )
            pairs.append(_Pair(mine, other, max(mine_disturbed, other_disturbed)))
            if sum(pair.bystanders <= _CALM for pair in pairs) >= self._rounds:
                break
        return sorted(pairs, key=lambda pair: pair.bystanders)[: self._rounds]

    def _measured(self, bench: Bench, plan: Plan) -> tuple[Measurement, float]:
        with Bystanders((*self._cores.server, *self._cores.others), bench.pids) as bystanders:
            found = bench.measure(plan)
        return found, bystanders.share

    @contextmanager
    def _connected(self, peer: Peer, audience: Audience, frame_size: float | None) -> Generator[Bench]:
        """With `frame_size` the messages are such that a subscriber gets that many bytes for each."""
        with ExitStack() as stack:
            server = stack.enter_context(peer.start(audience, self._cores))
            text = OUR_TEXT
            if frame_size is not None:
                with self._meter_of(server, Audience(1, 1), _PROBE_TEXT) as probe:
                    overhead = probe.measure(Plan(messages=20)).bytes_per_delivery - _PROBE_TEXT
                text = max(MARK_SIZE, round(frame_size - overhead))
            meter = stack.enter_context(self._meter_of(server, audience, text))
            size = meter.measure(Plan(messages=3)).bytes_per_delivery
            yield Bench(peer.name, meter, size, [*server.pids, *server.database_pids, meter.pid])

    def _meter_of(self, server: Server, audience: Audience, text: int) -> Meter:
        cpu = {SERVER: server.pids}
        if server.database_pids:
            cpu[DATABASE] = server.database_pids
        return Meter(
            self._meter,
            server.port,
            audience.subscribers,
            server.body(text),
            publishers=audience.publishers,
            path=server.path,
            publish_path=server.publish_path,
            stomp=server.stomp,
            cpu=cpu,
            cores=self._cores.others,
        )
