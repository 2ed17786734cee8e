"""What continues the position passes, what was had does not, what is ahead asks for the rest."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.gate import Admission, Gate


@pytest.mark.parametrize(
    ("prev_rev", "rev", "admission"),
    [
        (4, 5, Admission.DROP),
        (3, 4, Admission.DROP),
        (5, 6, Admission.DELIVER),
        (5, 9, Admission.DELIVER),
        (3, 7, Admission.DELIVER),
        (6, 7, Admission.BEHIND),
        (7, 9, Admission.BEHIND),
    ],
)
def test_a_batch_is_judged_by_what_it_continues(prev_rev: int, rev: int, admission: Admission) -> None:
    assert Gate(5).admit(prev_rev, rev) is admission


def test_judging_moves_nothing_and_the_position_never_falls() -> None:
    gate = Gate(5)
    gate.admit(5, 8)
    assert gate.position == 5
    gate.advance(8)
    gate.advance(6)
    assert gate.position == 8


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(0, 2**32), st.floats(0, 0.6))
def test_batches_in_any_order_with_losses_and_repeats_deliver_every_rev_once_in_order(
    sizes: list[int], seed: int, loss: float
) -> None:
    rng = random.Random(seed)
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    batches = [(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    arriving = [batch for batch in batches * 2 if rng.random() >= loss]
    rng.shuffle(arriving)
    gate = Gate(0)
    delivered: list[int] = []
    for prev_rev, rev in [*arriving, batches[-1]]:
        match gate.admit(prev_rev, rev):
            case Admission.DROP:
                continue
            case Admission.BEHIND:
                upto = ends[-1]
            case Admission.DELIVER:
                upto = rev
        delivered += range(gate.position + 1, upto + 1)
        gate.advance(upto)
    assert delivered == list(range(1, ends[-1] + 1))
