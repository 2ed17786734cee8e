"""What an excerpt shows."""

from hypothesis import given
from hypothesis import strategies as st

from chatcore.excerpt import LEAD, LEFT_OUT, LENGTH, Fragment, excerpt

LONG = "word " * 100


@st.composite
def texts_with_matches(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    text = draw(st.text(st.sampled_from("ab é\n"), max_size=4 * LENGTH))
    bounds = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    return text, list(zip(bounds[::2], bounds[1::2], strict=False))


@given(texts_with_matches())
def test_it_is_one_part_of_the_text_with_its_matches_marked(given_: tuple[str, list[tuple[int, int]]]) -> None:
    text, matches = given_
    shown = excerpt(text, matches)
    body = [each for each in shown if each.text != LEFT_OUT]
    whole = "".join(each.text for each in body)
    start = 0 if shown[:1] != (Fragment(LEFT_OUT, False),) else text.index(whole)
    assert whole in text
    assert len(whole) <= LENGTH
    assert (len(text) <= LENGTH) <= (whole == text)
    assert all(each.text for each in shown)
    if matches:
        low, high = matches[0]
        assert any(each.is_match for each in body)
        assert whole == text[start : start + len(whole)] or text.count(whole) > 1
        assert text[low:high].startswith(next(each.text for each in body if each.is_match))
    else:
        assert not any(each.is_match for each in shown)


def test_a_short_text_is_whole() -> None:
    assert excerpt("see you tomorrow", [(4, 7)]) == (
        Fragment("see ", False),
        Fragment("you", True),
        Fragment(" tomorrow", False),
    )


def test_a_long_text_is_cut_between_words_around_the_first_match() -> None:
    text = f"{LONG}here it is {LONG}"
    place = text.index("here")
    shown = excerpt(text, [(place, place + 4)])
    assert shown[0] == shown[-1] == Fragment(LEFT_OUT, False)
    assert shown[2] == Fragment("here", True)
    assert shown[1].text.startswith("word ")
    assert LEAD - 5 <= len(shown[1].text) <= LEAD
    assert shown[-2].text.endswith("word")


def test_a_match_at_the_end_of_a_long_text_is_shown_with_what_precedes_it() -> None:
    text = f"{LONG}last"
    shown = excerpt(text, [(len(text) - 4, len(text))])
    assert shown[-1] == Fragment("last", True)
    assert sum(len(each.text) for each in shown[1:]) > LENGTH - 10


def test_a_text_without_spaces_is_cut_all_the_same() -> None:
    shown = excerpt("x" * 1000, [(500, 900)])
    assert [each.is_match for each in shown] == [False, False, True, False]
    assert len(shown[1].text) == LEAD
