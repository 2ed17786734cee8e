"""The contract of `Claims`."""

import trio

from actors.privacy.ports import START, Denied, Taken
from tests.kit.chat import Chat

LONG = 600.0


async def test_one_holder_at_a_time(chat: Chat) -> None:
    one, other = chat.new_id(), chat.new_id()
    assert await chat.claims.take("work", one, lease=LONG, interval=0.0) == Taken(START)
    denied = await chat.claims.take("work", other, lease=LONG, interval=0.0)
    assert isinstance(denied, Denied)
    assert LONG - 60 < denied.wait <= LONG
    assert isinstance(await chat.claims.take("other work", other, lease=LONG, interval=0.0), Taken)


async def test_of_many_that_ask_at_once_one_has_it(chat: Chat) -> None:
    answers: list[Taken | Denied] = []

    async def ask() -> None:
        answers.append(await chat.claims.take("work", chat.new_id(), lease=LONG, interval=0.0))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(ask)
    assert sum(isinstance(each, Taken) for each in answers) == 1


async def test_it_goes_on_where_one_who_fell_silent_was(chat: Chat) -> None:
    one, other, position = chat.new_id(), chat.new_id(), chat.new_id()
    await chat.claims.take("work", one, lease=LONG, interval=0.0)
    assert await chat.claims.hold("work", one, position, lease=-1.0)
    assert await chat.claims.take("work", other, lease=LONG, interval=0.0) == Taken(position)
    assert not await chat.claims.hold("work", one, START, lease=LONG)
    await chat.claims.finish("work", one)
    assert isinstance(await chat.claims.take("work", one, lease=LONG, interval=0.0), Denied)


async def test_what_was_finished_rests_for_the_interval(chat: Chat) -> None:
    one, other = chat.new_id(), chat.new_id()
    await chat.claims.take("work", one, lease=LONG, interval=LONG)
    await chat.claims.hold("work", one, chat.new_id(), lease=LONG)
    await chat.claims.finish("work", one)
    denied = await chat.claims.take("work", other, lease=LONG, interval=LONG)
    assert isinstance(denied, Denied)
    assert LONG - 60 < denied.wait <= LONG
    assert await chat.claims.take("work", other, lease=LONG, interval=0.0) == Taken(START)
