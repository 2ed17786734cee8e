"""For whom a feature is on."""

from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.errors import ChatError, ErrorCode
from chatcore.features import Feature, check_feature

SPACE = UUID(int=7)
USERS = [uuid5(SPACE, str(number)) for number in range(20_000)]
names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
percents = st.integers(0, 10_000).map(lambda step: step / 100)


@given(names, st.uuids(), percents)
def test_enabled_is_on_for_everybody(name: str, user: UUID, percent: float) -> None:
    assert Feature(name, True, percent=percent).is_on_for(user)


@given(names, st.sets(st.uuids(), max_size=5), st.uuids())
def test_at_no_percent_it_is_on_for_beta_users_alone(name: str, beta: set[UUID], other: UUID) -> None:
    feature = Feature(name, False, beta)
    assert all(feature.is_on_for(each) for each in beta)
    assert feature.is_on_for(other) == (other in beta)


@given(names, st.uuids(), percents, percents)
def test_nobody_falls_out_when_the_percent_rises(name: str, user: UUID, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert Feature(name, False, percent=low).is_on_for(user) <= Feature(name, False, percent=high).is_on_for(user)


@given(names, st.uuids())
def test_a_hundred_percent_are_all_and_none_are_none(name: str, user: UUID) -> None:
    assert Feature(name, False, percent=100).is_on_for(user)
    assert not Feature(name, False, percent=0).is_on_for(user)


@pytest.mark.parametrize("percent", [0.5, 5, 50, 95])
def test_the_percent_is_of_all_users(percent: float) -> None:
    feature = Feature("ai-suggestions", False, percent=percent)
    share = 100 * sum(map(feature.is_on_for, USERS)) / len(USERS)
    assert share == pytest.approx(percent, abs=1)


def test_each_feature_has_others() -> None:
    one, other = (Feature(name, False, percent=50) for name in ("one", "other"))
    both = sum(one.is_on_for(user) and other.is_on_for(user) for user in USERS) / len(USERS)
    assert both == pytest.approx(0.25, abs=0.02)


def test_who_has_it_stays_the_same_in_later_releases() -> None:
    feature = Feature("ai-suggestions", False, percent=30)
    assert [number for number, user in enumerate(USERS[:24]) if feature.is_on_for(user)] == FIRST


FIRST = [2, 10, 12, 13, 14, 17]


@pytest.mark.parametrize(
    ("feature", "field"),
    [
        (Feature("", True), "name"),
        (Feature("Upper", True), "name"),
        (Feature(".dot", True), "name"),
        (Feature("a" * 65, True), "name"),
        (Feature("a\n", True), "name"),
        (Feature("a", True, percent=-0.01), "percent"),
        (Feature("a", True, percent=100.01), "percent"),
        (Feature("a", True, percent=0.001), "percent"),
        (Feature("a", True, percent=float("nan")), "percent"),
        (Feature("a", True, USERS[:4]), "betaUserIds"),
    ],
)
def test_what_makes_no_feature_is_refused(feature: Feature, field: str) -> None:
    with pytest.raises(ChatError) as refusal:
        check_feature(feature, max_beta_users=3)
    assert refusal.value.code is ErrorCode.VALIDATION_ERROR
    assert refusal.value.details is not None
    assert list(refusal.value.details) == [field]


@given(names, percents, st.sets(st.uuids(), max_size=3))
def test_what_makes_one_is_taken(name: str, percent: float, beta: set[UUID]) -> None:
    check_feature(Feature(name, False, beta, percent), max_beta_users=3)
