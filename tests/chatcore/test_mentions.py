"""Mentions: whole names, in any case, the longest that fits."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.mentions import MAX_MENTIONS, Mentionable

ANN, ANNA, ANN_LEE, OTHER_ANN, STEVE = (UUID(int=number) for number in range(1, 6))
NAMES = {ANN: "Ann", ANNA: "Anna", ANN_LEE: "Ann Lee", OTHER_ANN: "ann", STEVE: "Ștefan Straße"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hello", set[UUID]()),
        ("@", set[UUID]()),
        ("@Ann", {ANN, OTHER_ANN}),
        ("hi @ANN!", {ANN, OTHER_ANN}),
        ("(@anna)", {ANNA}),
        ("@Ann Lee, look", {ANN_LEE}),
        ("@Ann Leeds", {ANN, OTHER_ANN}),
        ("@Annabel", set[UUID]()),
        ("@Ann_x", set[UUID]()),
        ("me@ann.com", set[UUID]()),
        ("@ Ann", set[UUID]()),
        ("@@Ann", {ANN, OTHER_ANN}),
        ("@anna@ann", {ANNA}),
        ("@Anna and @ȘTEFAN STRASSE", {ANNA, STEVE}),
        ("@S\u0326tefan Stra\u00dfe", {STEVE}),
    ],
)
def test_mentions(text: str, found: set[UUID]) -> None:
    assert Mentionable(NAMES).find(text) == found


def test_only_so_many_are_looked_at() -> None:
    mentionable = Mentionable(NAMES)
    assert mentionable.find("@ " * (MAX_MENTIONS - 1) + "@Anna") == {ANNA}
    assert mentionable.find("@ " * MAX_MENTIONS + "@Anna") == set()


NAME = st.text(min_size=1, max_size=12).filter(lambda name: name.strip() == name and "@" not in name)


@given(st.dictionaries(st.uuids(), NAME, max_size=8), st.data())
def test_whoever_is_named_whole_is_found_and_nobody_without_an_at(names: dict[UUID, str], data: st.DataObject) -> None:
    mentionable = Mentionable(names)
    assert mentionable.find(" ".join(names.values())) == set()
    if names:
        user_id = data.draw(st.sampled_from(sorted(names)))
        assert user_id in mentionable.find(f"- @{names[user_id]}")
