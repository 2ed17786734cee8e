"""However fan-outs are cut off and audiences change, each subscription gets each event once and in order."""

from collections.abc import Sequence
from contextlib import suppress
from random import Random
from uuid import UUID

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.conversation.audience import Audience
from actors.conversation.subscription import Encoded
from chatcore.model import EventKind
from tests.kit.listening import Listening, PlainFormat

USER = UUID(int=1)


def event(rev: int) -> Encoded:
    return Encoded(EventKind.CREATED, rev, rev, UUID(int=rev), b'{"text": "%d"}' % rev)


class CutOffError(Exception):
    """Stands for a crash of the actor."""


class World:
    """An audience at which events come by `rev`; what was cut off is delivered again, as after a crash."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.audience = Audience()
        self.rev = 0
        self.live: list[Listening] = []
        self.since: dict[Listening, int] = {}

    async def come(self) -> None:
        rev = self.rng.choice([self.rev, self.rev, max(0, self.rev - 1)])
        listening = Listening(USER, rev=rev, format=PlainFormat(self.rng.choice("ab")))
        listening.slow = self.rng.random() < 0.1
        self.since[listening] = rev
        self.audience.add(listening)
        self.live.append(listening)
        await self.catch_up()

    def go(self) -> None:
        if self.live:
            listening = self.live.pop(self.rng.randrange(len(self.live)))
            listening.closed = self.rng.random() < 0.5
            assert self.audience.discard(listening)
            assert listening.rev == max([self.since[listening], *listening.revs])

    def close(self) -> None:
        """Who has closed is delivered nothing more, and is forgotten in time."""
        if self.live:
            self.rng.choice(self.live).closed = True

    async def close_soon(self) -> None:
        for _ in range(self.rng.randrange(4)):
            await trio.lowlevel.checkpoint()
        self.close()

    async def deliver(self) -> None:
        count = self.rng.randrange(1, 4)
        events = [event(self.rev + 1 + n) for n in range(count)]
        self.rev += count
        how = self.rng.random()
        if self.live and how < 0.2:
            self.rng.choice(self.live).on_deliver = self.crash
        if 0.2 <= how < 0.4:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.close_soon)
                await self.fan_out(events)
        else:
            with trio.CancelScope() as scope, suppress(CutOffError):
                if how > 0.8:
                    scope.cancel()
                await self.fan_out(events)
        for each in self.live:
            each.on_deliver = None
        self.check()
        await self.catch_up()

    def crash(self) -> None:
        raise CutOffError

    async def fan_out(self, events: Sequence[Encoded]) -> None:
        if self.rng.random() < 0.5:
            fan_out = self.audience.deliver_at_once(events, lambda: None)
        else:
            fan_out = await self.audience.deliver(events, self.rng.randrange(1, 5))
        for each in fan_out.gone:
            assert each.closed
            self.audience.discard(each)
        self.live = [each for each in self.live if each not in fan_out.gone]

    def check(self) -> None:
        """Nobody has more or less than its `rev` says."""
        for each, rev in self.audience.given():
            assert isinstance(each, Listening)
            assert each.revs == list(range(self.since[each] + 1, rev + 1))

    async def catch_up(self) -> None:
        revs = [rev for _, rev in self.audience.given()]
        floor = min(revs, default=self.rev)
        if floor < self.rev:
            await self.audience.deliver([event(rev) for rev in range(floor + 1, self.rev + 1)], 3)


async def play(seed: int) -> None:
    world = World(seed)
    for _ in range(4):
        await world.come()
    for _ in range(40):
        step = world.rng.random()
        if step < 0.2:
            await world.come()
        elif step < 0.3:
            world.go()
        elif step < 0.35:
            world.close()
        else:
            await world.deliver()
    world.check()
    for each in world.live:
        assert each.closed or each.revs == list(range(world.since[each] + 1, world.rev + 1))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_each_gets_each_event_once_and_in_order_whatever_cuts_a_fan_out_off(seed: int) -> None:
    trio.run(play, seed)


async def settled(count: int) -> tuple[Audience, list[Listening]]:
    """In step at rev 1."""
    audience = Audience()
    listening = [Listening(USER, rev=0) for _ in range(count)]
    for each in listening:
        audience.add(each)
    await audience.deliver([event(1)], 10)
    return audience, listening


async def test_who_closes_between_two_slices_gets_nothing_more_and_is_found() -> None:
    audience, (one, two, three, four) = await settled(4)

    async def close() -> None:
        four.closed = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close)
        fan_out = await audience.deliver([event(2)], 1)
    assert [each.revs for each in (one, two, three, four)] == [[1, 2], [1, 2], [1, 2], [1]]
    assert list(fan_out.gone) == [four]


@pytest.mark.parametrize("at", range(4))
async def test_after_a_crash_at_any_of_them_those_before_have_it_and_the_others_have_not(at: int) -> None:
    audience, listening = await settled(4)

    def crash() -> None:
        raise CutOffError

    listening[at].on_deliver = crash
    with pytest.raises(CutOffError):
        await audience.deliver([event(2)], 2)
    listening[at].on_deliver = None
    assert [rev for _, rev in audience.given()] == [2] * at + [1] * (4 - at)
    await audience.deliver([event(2)], 2)
    assert [each.revs for each in listening] == [[1, 2]] * 4


async def test_who_comes_up_to_date_keeps_the_others_in_step_and_who_leaves_knows_where_it_was() -> None:
    audience, (one, two) = await settled(2)
    fresh = Listening(USER, rev=1)
    audience.add(fresh)
    await audience.deliver([event(2)], 10)
    audience.discard(two)
    assert (two.rev, two.place) == (2, None)
    await audience.deliver([event(3)], 10)
    assert [each.revs for each in (one, two, fresh)] == [[1, 2, 3], [1, 2], [2, 3]]


async def test_events_that_they_have_had_are_not_given_again_while_in_step() -> None:
    audience, listening = await settled(3)
    await audience.deliver([event(2)], 10)
    await audience.deliver([event(1), event(2)], 10)
    await audience.deliver([event(2), event(3)], 10)
    assert [each.revs for each in listening] == [[1, 2, 3]] * 3
