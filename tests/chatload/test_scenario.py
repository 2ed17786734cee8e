from pathlib import Path

import pytest

from chatload.scenario import KINDS, ConnectStorm, Fanout, RoomShape, ScenarioError, Soak, make_scenario
from chatload.scenario_file import read_scenario

SHIPPED = Path(__file__).parents[2] / "ops" / "load"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_ships_as_a_file(kind: str) -> None:
    scenario = read_scenario(str(SHIPPED / f"{kind}.toml"), {})
    assert scenario.kind == kind
    assert sum(shape.connections for shape in scenario.rooms()) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_runs_on_its_defaults_alone(kind: str) -> None:
    assert make_scenario(kind, {}).rate > 0


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        ("fan-out", {}, "kind must be one of fanout, rooms, direct, connect-storm, slow-consumers, typing, soak"),
        ("fanout", {"pairs": 3}, "pairs is not a key of fanout; it has rate, "),
        ("fanout", {"subscribers": 0}, "subscribers must be from 1 to 1e+06, not 0"),
        ("fanout", {"subscribers": 1.5}, "subscribers must be a whole number, not 1.5"),
        ("fanout", {"subscribers": True}, "subscribers must be a whole number, not True"),
        ("fanout", {"rate": "fast"}, "rate must be a number, not 'fast'"),
        ("fanout", {"rate": False}, "rate must be a number, not False"),
        ("fanout", {"rate": float("nan")}, "rate must be from 0 to 1e+06, not nan"),
        ("fanout", {"size": 10_001}, "size must be from 1 to 10000, not 10001"),
        ("fanout", {"rate": 5, "in_flight": 8}, "rate and in_flight exclude each other"),
        ("typing", {"typists": 51}, "typists must be at most the 50 subscribers"),
        ("soak", {"typists": 101}, "typists must be at most the 100 subscribers"),
        ("connect-storm", {"storms": 10}, "hold must be at least 20: each storm takes its part"),
    ],
)
def test_wrong_value_is_named(kind: str, values: dict[str, object], says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        make_scenario(kind, values)
    assert str(caught.value).startswith(says)


def test_file_errors_name_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, says in [
        ("subscribers = 3", "kind must be one of"),
        ("kind = 3", "kind must be one of"),
        ('kind = "fanout"\nsubscriber = 3', "subscriber is not a key of fanout"),
        ('kind = "fanout"\nsubscribers =', "Invalid value"),
    ]:
        path.write_text(text)
        with pytest.raises(ScenarioError, match=says) as caught:
            read_scenario(str(path), {})
        assert str(caught.value).startswith(f"{path}: ")


def test_name_that_is_neither_kind_nor_file_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"nothing\.toml is neither a kind of scenario \(fanout, .*\) nor a file"):
        read_scenario("nothing.toml", {})


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('kind = "fanout"\nsubscribers = 3\nrate = 7')
    assert read_scenario(str(path), {"subscribers": 5}) == Fanout(subscribers=5, rate=7.0)


def test_override_opens_or_closes_the_loop(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('kind = "fanout"\nrate = 7')
    closed = read_scenario(str(path), {"in_flight": 8})
    assert (closed.rate, closed.in_flight) == (0, 8)
    path.write_text('kind = "fanout"\nin_flight = 8')
    opened = read_scenario(str(path), {"rate": 7})
    assert (opened.rate, opened.in_flight) == (7, 0)


def test_storms_lie_within_the_hold_and_apart() -> None:
    storm = ConnectStorm(storms=3, offline=2.0, hold=12.0)
    times = [moment for pair in storm.storm_times for moment in pair]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= storm.hold - storm.offline / 2
    assert all(back - drop == 2.0 for drop, back in storm.storm_times)


def test_soak_has_every_kind_of_conversation() -> None:
    shapes = Soak(
        subscribers=100, publishers=5, conversations=2, members=4, pairs=3, slow_percent=10, typists=2
    ).rooms()
    assert shapes[0] == RoomShape(listeners=100, senders=5, slow=10, typists=2)
    assert shapes[1:3] == [RoomShape(members=4)] * 2
    assert shapes[3:] == [RoomShape(members=2, direct=True)] * 3
