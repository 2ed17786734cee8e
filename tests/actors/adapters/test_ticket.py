"""The one-shot answer between the two sides."""

import pytest
import trio
from trio.testing import MockClock

from actors.adapters.postgres.ticket import Ticket
from chatcore.errors import ChatError, ErrorCode


async def test_the_first_answer_counts() -> None:
    ticket: Ticket[int | None] = Ticket(trio.current_time() + 1)
    ticket.succeed(None)
    ticket.succeed(2)
    ticket.fail(ValueError())
    assert await ticket.wait() is None


async def test_an_error_is_raised_to_who_waits() -> None:
    ticket: Ticket[int] = Ticket(trio.current_time() + 1)
    ticket.fail(KeyError("why"))
    ticket.succeed(1)
    with pytest.raises(KeyError, match="why"):
        await ticket.wait()


async def test_at_the_deadline_the_outcome_is_unknown(autojump_clock: MockClock) -> None:
    ticket: Ticket[int] = Ticket(trio.current_time() + 5)
    with pytest.raises(ChatError) as refusal:
        await ticket.wait()
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    assert trio.current_time() == pytest.approx(5)
    ticket.succeed(1)


async def test_who_is_cancelled_harms_nobody_who_answers(autojump_clock: MockClock) -> None:
    ticket: Ticket[int] = Ticket(trio.current_time() + 5)
    with trio.move_on_after(1) as scope:
        await ticket.wait()
    assert scope.cancelled_caught
    ticket.succeed(1)


async def test_who_does_not_wait_is_told_once_of_value_or_error() -> None:
    told: list[int | Exception] = []
    ticket: Ticket[int] = Ticket(trio.current_time() + 5, told.append)
    ticket.succeed(1)
    ticket.succeed(2)
    assert told == [1]
    expired: Ticket[int] = Ticket(trio.current_time() + 5, told.append)
    expired.expire()
    assert isinstance(told[1], ChatError)
    assert told[1].code is ErrorCode.UNAVAILABLE
