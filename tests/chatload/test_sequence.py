from hypothesis import given
from hypothesis import strategies as st

from chatload.sequence import LARGEST_GAP, SequenceChecker

counts = st.integers(1, 60)


def checked(seqs: list[int], base: int = 0) -> SequenceChecker:
    checker = SequenceChecker(base)
    for seq in seqs:
        checker.take(seq)
    return checker


@given(counts, st.integers(0, 1000))
def test_what_comes_once_and_in_order_has_no_fault(count: int, base: int) -> None:
    checker = checked(list(range(base + 1, base + count + 1)), base)
    assert (checker.lost(base + count), checker.doubled, checker.out_of_order) == (0, 0, 0)


@given(counts, st.data())
def test_each_planted_loss_is_found_and_nothing_else(count: int, data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(1, count)))
    checker = checked([seq for seq in range(1, count + 1) if seq not in lost])
    assert (checker.lost(count), checker.doubled, checker.out_of_order) == (len(lost), 0, 0)


@given(counts, st.data())
def test_each_planted_repeat_is_found_and_nothing_else(count: int, data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.tuples(st.integers(1, count), st.integers(1, count)).map(sorted)))
    seqs = list(range(1, count + 1))
    for seq, after in repeats:
        seqs.insert(seqs.index(after) + 1, seq)
    checker = checked(seqs)
    assert (checker.lost(count), checker.doubled, checker.out_of_order) == (0, len(repeats), 0)


@given(counts, st.data())
def test_each_planted_swap_of_neighbours_is_found_and_nothing_else(count: int, data: st.DataObject) -> None:
    swapped = sorted(data.draw(st.sets(st.integers(0, max(0, count // 2 - 1)))) if count > 1 else [])
    seqs = list(range(1, count + 1))
    for place in swapped:
        seqs[2 * place], seqs[2 * place + 1] = seqs[2 * place + 1], seqs[2 * place]
    checker = checked(seqs)
    assert (checker.lost(count), checker.doubled, checker.out_of_order) == (0, 0, len(swapped))


@given(st.permutations(range(1, 30)))
def test_any_order_of_all_messages_loses_and_doubles_none(seqs: list[int]) -> None:
    checker = checked(list(seqs))
    late = sum(seq < max(seqs[:place], default=0) for place, seq in enumerate(seqs))
    assert (checker.lost(29), checker.doubled, checker.out_of_order) == (0, 0, late)


@given(st.sets(st.integers(1, 30)), st.integers(30, 40))
def test_resume_after_a_gap_asks_for_all_that_is_missing_and_fills_it(seen: set[int], upto: int) -> None:
    checker = checked(sorted(seen))
    after = checker.resume()
    assert set(range(1, after + 1)) <= seen
    assert after + 1 not in seen
    for seq in range(after + 1, upto + 1):
        checker.take(seq)
    assert (checker.lost(upto), checker.doubled, checker.out_of_order) == (0, 0, 0)


def test_message_after_the_last_that_came_is_lost() -> None:
    assert checked([1, 2]).lost(5) == 3


def test_replay_that_the_server_has_cut_is_no_loss() -> None:
    checker = checked([1, 2])
    checker.take_truncated(10)
    checker.take(11)
    assert (checker.lost(11), checker.truncated, checker.doubled) == (0, 7, 0)


def test_absurd_number_is_counted_without_being_stored() -> None:
    checker = checked([1, LARGEST_GAP * 1000])
    assert checker.lost(LARGEST_GAP * 1000) == LARGEST_GAP * 1000 - 2
