"""Who types, held against a history of all that was said."""

from math import inf
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.typing import Typing

ALICE, BOB = UUID(int=1), UUID(int=2)


@pytest.mark.contract("limit typing events a second")
def test_a_repeated_start_prolongs_and_is_no_news() -> None:
    typing = Typing(6.0, 1.0)
    assert typing.start(ALICE, 0.0)
    assert not typing.start(ALICE, 5.0)
    assert typing.expire(6.0) == []
    assert typing.next_deadline == 11.0
    assert typing.expire(11.0) == [ALICE]
    assert typing.next_deadline == inf


def test_a_start_too_soon_after_the_last_one_is_dropped_and_a_stop_never_is() -> None:
    typing = Typing(6.0, 1.0)
    assert typing.start(ALICE, 0.0)
    assert typing.stop(ALICE)
    assert not typing.start(ALICE, 0.9)
    assert typing.now_typing == ()
    assert not typing.stop(ALICE)
    assert typing.start(ALICE, 1.0)
    assert typing.stop(ALICE)


def test_users_do_not_share_a_rate() -> None:
    typing = Typing(6.0, 1.0)
    assert typing.start(ALICE, 0.0)
    assert typing.start(BOB, 0.0)
    assert typing.now_typing == (ALICE, BOB)


steps = st.lists(
    st.tuples(st.sampled_from(["start", "stop", "expire"]), st.sampled_from([ALICE, BOB]), st.floats(0.0, 4.0)),
    max_size=40,
)


@given(steps, st.floats(0.5, 8.0), st.floats(0.1, 3.0))
def test_announcements_alternate_keep_their_distance_and_end_in_time(
    taken: list[tuple[str, UUID, float]], timeout: float, min_interval: float
) -> None:
    typing = Typing(timeout, min_interval)
    now = 0.0
    announced: dict[UUID, list[tuple[float, bool]]] = {ALICE: [], BOB: []}
    held: dict[UUID, float] = {}
    for step, user_id, pause in taken:
        now += pause
        history = announced[user_id]
        is_typing = bool(history) and history[-1][1]
        match step:
            case "start":
                last_start = max((at for at, started in history if started), default=-inf)
                news = typing.start(user_id, now)
                assert news == (not is_typing and now - last_start >= min_interval)
                if news:
                    history.append((now, True))
                if news or is_typing:
                    held[user_id] = now + timeout
            case "stop":
                assert typing.stop(user_id) == is_typing
                if is_typing:
                    history.append((now, False))
            case _:
                for gone in typing.expire(now):
                    assert held[gone] <= now
                    announced[gone].append((now, False))
        typists = {each for each, said in announced.items() if said and said[-1][1]}
        assert set(typing.now_typing) == typists
        assert typing.next_deadline == min((held[each] for each in typists), default=inf)
        if step == "expire":
            assert all(held[each] > now for each in typists)


def test_a_start_that_lasts_is_told_to_others_every_half_timeout() -> None:
    typing = Typing(6.0, 1.0)
    assert not typing.tell(ALICE, 0.0)
    typing.start(ALICE, 0.0)
    assert typing.tell(ALICE, 0.0)
    assert typing.next_deadline == 6.0
    typing.start(ALICE, 1.0)
    assert not typing.tell(ALICE, 1.0)
    assert typing.next_deadline == 3.0
    assert typing.take_untold(2.9) == []
    assert typing.take_untold(3.0) == [ALICE]
    assert typing.take_untold(6.5) == []
    typing.start(ALICE, 6.5)
    assert typing.tell(ALICE, 6.5)
    assert typing.retell(7.0) == [ALICE]
    assert typing.untell(ALICE)
    assert not typing.untell(ALICE)


def test_a_start_that_was_heard_is_no_business_of_this_node_to_tell() -> None:
    typing = Typing(6.0, 1.0)
    assert typing.heard(BOB, 0.0)
    assert not typing.heard(BOB, 0.1)
    assert typing.retell(1.0) == typing.take_untold(5.0) == []
    assert not typing.untell(BOB)
    assert typing.expire(6.1) == [BOB]
    assert typing.heard(BOB, 6.2)
