"""Whatever happens to its children, a supervisor keeps its promises."""

import random
from collections.abc import Sequence

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from actors.runtime import (
    EventKind,
    IntensityExceeded,
    Restart,
    RestartIntensity,
    Strategy,
    Supervisor,
    SupervisorEvent,
)
from tests.actors.runtime.drive import run_on_mock_clock
from tests.actors.runtime.puppet import Broken, Puppet


@attrs.frozen
class Plan:
    """One child: the seconds until it is ready, of its clean-up, and of the patience with that."""

    restart: Restart
    ready_after: float
    cleanup: float
    shutdown_timeout: float
    cleanup_fails: bool


@attrs.frozen
class Blow:
    """After `wait` seconds one child crashes, alone or in a group of errors, or returns."""

    wait: float
    child: int
    how: str


plans = st.lists(
    st.builds(
        Plan,
        restart=st.sampled_from(Restart),
        ready_after=st.sampled_from([0.0, 0.0, 0.3]),
        cleanup=st.sampled_from([0.0, 0.0, 0.7, 3.0]),
        shutdown_timeout=st.sampled_from([1.0, 5.0]),
        cleanup_fails=st.booleans(),
    ),
    min_size=1,
    max_size=4,
)
blows = st.lists(
    st.builds(
        Blow,
        wait=st.sampled_from([0.0, 0.1, 1.0, 5.0]),
        child=st.integers(0, 3),
        how=st.sampled_from(["crash", "group", "return"]),
    ),
    max_size=12,
)
intensities = st.builds(
    RestartIntensity,
    max_restarts=st.integers(0, 4),
    within=st.sampled_from([3.0, 30.0]),
    backoff_initial=st.just(0.2),
    backoff_max=st.just(2.0),
    jitter=st.sampled_from([0.0, 0.5]),
)


class Trial:
    """One supervisor and all that was seen of it, with the time."""

    def __init__(self, children: Sequence[Plan], strategy: Strategy, intensity: RestartIntensity, seed: int) -> None:
        self.log: list[str] = []
        self.events: list[tuple[float, SupervisorEvent]] = []
        self.plans = children
        self.intensity = intensity
        self.puppets = [
            Puppet(
                f"{index}",
                self.log,
                plan.restart,
                shutdown_timeout=plan.shutdown_timeout,
                cleanup=plan.cleanup,
                cleanup_error=Broken("clean-up") if plan.cleanup_fails else None,
                ready_after=plan.ready_after,
            )
            for index, plan in enumerate(children)
        ]
        self.supervisor = Supervisor(
            "s", [puppet.spec for puppet in self.puppets], strategy, intensity, random.Random(seed), self._note
        )
        self.scope = trio.CancelScope()
        self.failure: IntensityExceeded | None = None
        self.ended = False

    async def run(self) -> None:
        with self.scope:
            try:
                await self.supervisor.run()
            except IntensityExceeded as failure:
                self.failure = failure
        assert not any(puppet.alive for puppet in self.puppets), "a task outlives its supervisor"
        self.ended = True

    def strike(self, blow: Blow) -> None:
        puppet = self.puppets[blow.child % len(self.puppets)]
        match blow.how:
            case "crash":
                puppet.crash()
            case "group":
                puppet.crash(ExceptionGroup("group", [Broken(), Broken()]))
            case _:
                puppet.finish()

    def restarts(self) -> list[float]:
        """When a child's end made the supervisor restart it, with or without others."""
        moments: list[float] = []
        for moment, event in self.events:
            plan = self.plans[int(event.child)]
            crashed, returned = event.kind is EventKind.CRASHED, event.kind is EventKind.RETURNED
            if (crashed and plan.restart is not Restart.TEMPORARY) or (returned and plan.restart is Restart.PERMANENT):
                moments.append(moment)
        return moments

    def check_starts(self) -> None:
        first = list(dict.fromkeys(line[1:] for line in self.log if line.startswith("+")))
        assert first == sorted(first), "started out of order"
        for puppet, plan in zip(self.puppets, self.plans, strict=True):
            if plan.restart is Restart.TEMPORARY:
                assert len(puppet.starts) <= 1, "a temporary child came back"
        for earlier, later, plan in zip(self.puppets, self.puppets[1:], self.plans, strict=False):
            if earlier.starts and later.starts and plan.restart is Restart.PERMANENT:
                assert later.starts[0] >= earlier.starts[0] + plan.ready_after, "started before its elder was ready"

    def check_intensity(self) -> None:
        snapshot = self.supervisor.snapshot()
        assert 0 <= snapshot.intensity_left <= self.intensity.max_restarts
        if self.failure is not None:
            assert 1 <= len(self.failure.exceptions) <= self.intensity.max_restarts + 1
        assert (EventKind.ESCALATED in [event.kind for _, event in self.events]) == (self.failure is not None)

    def _note(self, event: SupervisorEvent) -> None:
        self.events.append((trio.current_time(), event))


@settings(max_examples=120, deadline=None)
@given(plans, st.sampled_from(Strategy), intensities, blows, st.sampled_from(["stop", "cancel"]), st.integers(0, 99))
def test_promises_hold(
    children: list[Plan], strategy: Strategy, intensity: RestartIntensity, script: list[Blow], end: str, seed: int
) -> None:
    async def main() -> None:
        trial = Trial(children, strategy, intensity, seed)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trial.run)
            for blow in script:
                await trio.sleep(blow.wait)
                await wait_all_tasks_blocked()
                trial.strike(blow)
            await trio.sleep(60)
            await wait_all_tasks_blocked()
            if not trial.ended:
                up = [puppet.name for puppet in trial.puppets if puppet.alive]
                for puppet, plan in zip(trial.puppets, trial.plans, strict=True):
                    assert puppet.alive or plan.restart is not Restart.PERMANENT, "a permanent child stays down"
                before = len(trial.log)
                if end == "stop":
                    trial.supervisor.stop()
                else:
                    trial.scope.cancel()
                await trio.sleep(60)
                assert trial.ended
                ended = [line[1:] for line in trial.log[before:]]
                assert sorted(ended) == up
                prompt = [name for name in ended if children[int(name)].cleanup < children[int(name)].shutdown_timeout]
                assert prompt == sorted(prompt, reverse=True), "stopped out of order"
                assert trial.failure is None
            trial.check_starts()
            trial.check_intensity()
            starts = [line for line in trial.log if line.startswith("+")]
            assert len(trial.log) == 2 * len(starts), "a start without an end"

    run_on_mock_clock(main)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4), st.lists(st.sampled_from([0.3, 1.0, 4.0]), min_size=1, max_size=15), st.integers(0, 99))
def test_gives_up_exactly_when_the_restarts_within_the_window_are_too_many(
    most: int, gaps: list[float], seed: int
) -> None:
    intensity = RestartIntensity(most, within=8.0, backoff_initial=0.1, backoff_max=0.1, jitter=0.5)

    async def main() -> None:
        trial = Trial([Plan(Restart.PERMANENT, 0.0, 0.0, 5.0, False)], Strategy.ONE_FOR_ONE, intensity, seed)
        crashes: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trial.run)
            for gap in gaps:
                await trio.sleep(gap)
                await wait_all_tasks_blocked()
                if trial.ended:
                    break
                crashes.append(trio.current_time())
                trial.puppets[0].crash()
            await wait_all_tasks_blocked()
            trial.supervisor.stop()
        restarted = crashes[:-1] if trial.failure is not None else crashes
        for moment in restarted:
            assert len([other for other in restarted if moment - 8.0 < other <= moment]) <= most
        if trial.failure is not None:
            assert len([other for other in crashes if crashes[-1] - 8.0 < other]) == most + 1

    run_on_mock_clock(main)


@settings(max_examples=60, deadline=None)
@given(plans, st.sampled_from(Strategy), blows)
def test_temporary_children_touch_nobody(children: list[Plan], strategy: Strategy, script: list[Blow]) -> None:
    temporary = [
        attrs.evolve(plan, restart=Restart.TEMPORARY if index % 2 else Restart.PERMANENT)
        for index, plan in enumerate([*children, *children])
    ]

    async def main() -> None:
        trial = Trial(temporary, strategy, RestartIntensity(0, 10), 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trial.run)
            await trio.sleep(10)
            for blow in script:
                await trio.sleep(blow.wait)
                trial.strike(attrs.evolve(blow, child=2 * blow.child + 1))
            await trio.sleep(10)
            assert all(puppet.alive and len(puppet.starts) == 1 for puppet in trial.puppets[::2])
            assert trial.restarts() == []
            trial.supervisor.stop()

    run_on_mock_clock(main)
