import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chathttp.stomp.acks import AckMode, TooManyUnackedError, UnackedDeliveries, make_ack_id, subscription_of_ack

CLIENT, INDIVIDUAL = AckMode.CLIENT, AckMode.CLIENT_INDIVIDUAL


def deliveries(mode: AckMode, *seqs: int, mark: int = 0) -> UnackedDeliveries:
    unacked = UnackedDeliveries(mode, mark)
    for seq in seqs:
        unacked.delivered(f"id-{seq}", seq)
    return unacked


def test_a_cumulative_ack_covers_all_before_it() -> None:
    unacked = deliveries(CLIENT, 1, 2, 3, 4)
    assert unacked.ack("id-3") == 3
    assert len(unacked) == 1
    assert unacked.ack("id-2") is None
    assert unacked.ack("id-4") == 4


@pytest.mark.contract("ack:client-individual")
def test_individual_acks_move_the_mark_to_what_has_nothing_open_below() -> None:
    unacked = deliveries(INDIVIDUAL, 1, 2, 3, 4)
    assert unacked.ack("id-2") is None
    assert unacked.ack("id-4") is None
    assert unacked.ack("id-1") == 2
    assert unacked.ack("id-1") is None
    assert unacked.ack("id-3") == 4
    assert len(unacked) == 0


@pytest.mark.parametrize("mode", [CLIENT, INDIVIDUAL])
def test_an_unknown_id_moves_nothing(mode: AckMode) -> None:
    assert deliveries(mode, 1).ack("other") is None


def test_what_a_truncated_history_left_out_is_not_reported_as_delivered() -> None:
    unacked = deliveries(INDIVIDUAL, 100, 101, mark=4)
    assert unacked.ack("id-101") is None
    assert unacked.ack("id-100") == 101


def test_a_change_of_an_earlier_message_never_holds_the_mark_back() -> None:
    unacked = deliveries(INDIVIDUAL, 10, 11, mark=9)
    unacked.delivered("change-of-10", 10)
    unacked.delivered("id-12", 12)
    assert unacked.ack("id-10") == 10
    assert unacked.ack("id-11") == 11
    assert unacked.ack("change-of-10") is None
    assert unacked.ack("id-12") == 12


def test_a_cumulative_ack_of_a_change_covers_the_messages_before_it() -> None:
    unacked = deliveries(CLIENT, 10, 11, mark=9)
    unacked.delivered("change-of-3", 3)
    unacked.delivered("id-12", 12)
    assert unacked.ack("change-of-3") == 11
    assert unacked.ack("id-12") == 12


def test_a_delivery_with_an_open_id_keeps_its_first_place() -> None:
    unacked = deliveries(CLIENT, 1, 2)
    unacked.delivered("id-1", 1)
    assert unacked.ack("id-1") == 1
    assert len(unacked) == 1


@pytest.mark.parametrize("mode", [CLIENT, INDIVIDUAL])
def test_open_deliveries_are_bounded(mode: AckMode) -> None:
    unacked = UnackedDeliveries(mode, 0, max_unacked=2)
    unacked.delivered("a", 1)
    unacked.delivered("b", 2)
    with pytest.raises(TooManyUnackedError, match="more than 2"):
        unacked.delivered("c", 3)
    assert unacked.ack("a") == 1
    unacked.delivered("c", 3)


def test_more_fit_by_default_than_one_replay_brings() -> None:
    unacked = deliveries(INDIVIDUAL, *range(1, 4_097))
    with pytest.raises(TooManyUnackedError, match="more than 4096"):
        unacked.delivered("one more", 4_097)


def test_mode_auto_keeps_no_books() -> None:
    with pytest.raises(ValueError, match="auto"):
        UnackedDeliveries(AckMode.AUTO, 0)


@settings(deadline=None)
@given(data=st.data(), mark=st.integers(0, 5), mode=st.sampled_from([CLIENT, INDIVIDUAL]))
def test_the_mark_is_that_of_a_plain_model(data: st.DataObject, mark: int, mode: AckMode) -> None:
    unacked = UnackedDeliveries(mode, mark)
    open_seqs: set[int] = set()
    sent, reported = mark, mark
    for _ in range(data.draw(st.integers(0, 30))):
        if data.draw(st.booleans()):
            sent += 1
            open_seqs.add(sent)
            unacked.delivered(f"id-{sent}", sent)
            continue
        seq = data.draw(st.integers(mark, sent + 1))
        known = seq in open_seqs
        open_seqs = {other for other in open_seqs if other > seq} if known and mode is CLIENT else open_seqs - {seq}
        floor = min(open_seqs, default=sent + 1) - 1
        expected = floor if known and floor > reported else None
        reported = max(reported, expected or 0)
        assert unacked.ack(f"id-{seq}") == expected
        assert len(unacked) == len(open_seqs)


@pytest.mark.parametrize("subscription", ["sub-0", "a.b.c", "1", "ü:\\\n"])
def test_an_ack_id_names_its_subscription(subscription: str) -> None:
    ack_id = make_ack_id(subscription, 17, "0192f0c1-0000-7000-8000-000000000001")
    assert subscription_of_ack(ack_id) == subscription


@pytest.mark.parametrize("text", ["", "x", "1.2", "1..sub", "1.m.", ".m.sub", "x.m.sub", "٣.m.sub"])
def test_what_is_no_ack_id_names_none(text: str) -> None:
    assert subscription_of_ack(text) is None


def test_ack_ids_differ_by_subscription_and_by_event() -> None:
    assert len({make_ack_id(subscription, rev, "m") for subscription in ("a", "b") for rev in (1, 2)}) == 4
