from collections.abc import Sequence

import pytest

from chatload.messages import ConnectionPlan
from chatload.plan import PORTS, Plan, make_plan, wanted_users
from chatload.rest import Conversation, Rest
from chatload.scenario import Scenario, ScenarioError, make_scenario
from chatload.users import LoadUser


class FakeRest(Rest):
    """Makes conversations of at most `limit` members, and remembers who is in which."""

    def __init__(self, limit: int = 1000) -> None:
        self.groups: list[list[str]] = []
        self.pairs: list[frozenset[str]] = []
        self._limit = limit

    def make_group(self, token: str, others: Sequence[str]) -> Conversation:
        members = [token, *others][: self._limit]
        self.groups.append(members)
        return Conversation(f"group-{len(self.groups)}", 0, len(members))

    def make_direct(self, token: str, other: str) -> Conversation:
        self.pairs.append(frozenset({token, other}))
        return Conversation(f"pair-{len(self.pairs)}", 5, 2)


def users(count: int) -> list[LoadUser]:
    """Each has its id as token."""
    return [LoadUser(f"u{number}", f"u{number}") for number in range(count)]


def planned(scenario: Scenario, rest: FakeRest, count: int | None = None, processes: int = 1, servers: int = 1) -> Plan:
    made = users(wanted_users(scenario) if count is None else count)
    return make_plan(scenario, made, rest, processes, servers=servers, many_sources=True)


def connections(plan: Plan) -> list[ConnectionPlan]:
    return sorted((each for worker in plan.workers for each in worker), key=lambda each: each.index)


def test_each_connection_is_a_user_of_its_own_when_there_are_enough() -> None:
    plan = planned(make_scenario("fanout", {"subscribers": 20, "publishers": 3}), rest := FakeRest())
    assert sorted(each.token for each in connections(plan)) == sorted(rest.groups[0])
    assert [each.phase is not None for each in connections(plan)] == [True] * 3 + [False] * 20
    assert [each.listens for each in connections(plan)] == [False] * 3 + [True] * 20
    assert (plan.listeners, plan.publishers, plan.notes) == ({0: 20}, 3, [])


def test_connections_share_the_users_of_a_group_that_takes_no_more() -> None:
    plan = planned(make_scenario("fanout", {"subscribers": 20, "publishers": 3}), rest := FakeRest(limit=10))
    tokens = [each.token for each in connections(plan)]
    assert set(tokens) == set(rest.groups[0])
    assert len(set(tokens[:3])) == 3
    assert plan.notes == ["23 connections of one conversation share 10 users"]


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("servers", [1, 2, 3, 4])
def test_connections_of_a_room_and_of_each_process_are_spread_over_all_servers(processes: int, servers: int) -> None:
    plan = planned(make_scenario("fanout", {"subscribers": 42, "publishers": 6}), FakeRest(), None, processes, servers)
    everyone = range(servers)
    for worker in plan.workers:
        counts = [sum(each.server == server for each in worker) for server in everyone]
        assert max(counts) - min(counts) <= 1
    publishing = {each.server for each in connections(plan) if each.phase is not None}
    assert publishing == set(everyone)


@pytest.mark.parametrize("processes", [1, 2])
def test_pairs_write_across_servers_in_both_directions(processes: int) -> None:
    plan = planned(make_scenario("direct", {"pairs": 8}), FakeRest(), None, processes, 2)
    firsts = {room: [each.server for each in connections(plan) if each.room == room] for room in range(8)}
    assert sorted(map(tuple, firsts.values())) == [(0, 1)] * 4 + [(1, 0)] * 4


def test_publishers_are_spread_over_the_period() -> None:
    plan = planned(make_scenario("fanout", {"subscribers": 1, "publishers": 4}), FakeRest())
    assert [each.phase for each in connections(plan)[:4]] == [0.0, 0.25, 0.5, 0.75]


def test_neighbouring_sends_are_of_different_rooms() -> None:
    plan = planned(make_scenario("rooms", {"conversations": 4, "members": 3}), FakeRest())
    in_turn = sorted(connections(plan), key=lambda each: each.phase or 0.0)
    assert [each.room for each in in_turn] == [0, 1, 2, 3] * 3


def test_what_is_in_flight_is_shared_out_whole() -> None:
    plan = planned(make_scenario("fanout", {"publishers": 3, "in_flight": 8}), FakeRest())
    assert [each.in_flight for each in connections(plan)[:4]] == [3, 3, 2, 0]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_a_large_room_is_spread_over_the_processes(processes: int) -> None:
    plan = planned(make_scenario("fanout", {"subscribers": 29, "publishers": 1}), FakeRest(), processes=processes)
    sizes = [len(worker) for worker in plan.workers]
    assert sum(sizes) == 30
    assert max(sizes) - min(sizes) <= 1


def test_small_rooms_are_one_process_each() -> None:
    plan = planned(make_scenario("rooms", {"conversations": 12, "members": 3}), FakeRest(), processes=3)
    rooms = [{each.room for each in worker} for worker in plan.workers]
    assert [len(each) for each in rooms] == [4, 4, 4]
    assert sum(len(each) for each in rooms) == len({room for each in rooms for room in each})


def test_process_without_connections_is_not_started() -> None:
    plan = planned(make_scenario("fanout", {"subscribers": 1, "publishers": 1}), FakeRest(), processes=8)
    assert [len(worker) for worker in plan.workers] == [1, 1]


@pytest.mark.parametrize("count", [6, 20, 40])
def test_pairs_are_all_different_with_fewer_users_than_two_a_pair(count: int) -> None:
    scenario = make_scenario("direct", {"pairs": 10})
    plan = planned(scenario, rest := FakeRest(), count)
    assert len(set(rest.pairs)) == 10
    assert all(len(pair) == 2 for pair in rest.pairs)
    assert {room.base for room in plan.rooms} == {5}
    for room in plan.rooms:
        assert {each.token for each in connections(plan) if each.room == room.index} == rest.pairs[room.index]


def test_too_few_users_for_the_pairs_are_refused() -> None:
    with pytest.raises(ScenarioError, match="5 users are too few for that many pairs"):
        planned(make_scenario("direct", {"pairs": 11}), FakeRest(), 5)


def test_slow_and_typing_subscribers_are_not_the_same() -> None:
    values = {"subscribers": 10, "slow_percent": 30, "typists": 2, "conversations": 0, "pairs": 0}
    plan = planned(make_scenario("soak", values), FakeRest())
    slow = {each.index for each in connections(plan) if each.slow}
    typists = [each for each in connections(plan) if each.typing_phase is not None]
    assert (len(slow), len(typists)) == (3, 2)
    assert slow.isdisjoint(each.index for each in typists)
    assert sorted(plan.rooms[0].typists) == sorted((each.token, each.typing_phase) for each in typists)
    assert plan.listeners == {0: 7}


def test_more_connections_than_ports_come_from_several_addresses() -> None:
    scenario = make_scenario("fanout", {"subscribers": 2 * PORTS, "publishers": 1})
    sources = [each.source for each in connections(planned(scenario, FakeRest(), 10))]
    assert {source: sources.count(source) for source in set(sources)} == {
        "127.0.0.1": PORTS,
        "127.0.0.2": PORTS,
        "127.0.0.3": 1,
    }
    few = make_scenario("fanout", {"subscribers": 10})
    assert {each.source for each in connections(planned(few, FakeRest()))} == {None}
