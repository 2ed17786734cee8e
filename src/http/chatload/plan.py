"""Who does what: a scenario's conversations made on the server, and its connections dealt out to the workers."""

import math
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Final

from attrs import frozen

from chatload.messages import ConnectionPlan, RoomPlan
from chatload.rest import Rest
from chatload.scenario import RoomShape, Scenario, ScenarioError
from chatload.users import LoadUser

PORTS: Final = 25_000
"""Connections from one local address; Linux has 28,232 ports for them by default."""
_ROOMS_PER_WORKER: Final = 4
"""With at least so many conversations for each worker, a conversation is one worker's."""


@frozen
class Plan:
    """`workers` has for each process the connections it holds; `listeners` counts the subscribers of each room whose
    deliveries are measured.
    """

    rooms: Sequence[RoomPlan]
    workers: Sequence[Sequence[ConnectionPlan]]
    listeners: dict[int, int]
    publishers: int
    connections: int
    notes: Sequence[str]


def wanted_users(scenario: Scenario) -> int:
    """One for each connection."""
    return sum(shape.connections for shape in scenario.rooms())


def make_plan(
    scenario: Scenario,
    users: Sequence[LoadUser],
    rest: Rest,
    processes: int,
    *,
    servers: int = 1,
    many_sources: bool,
) -> Plan:
    """Makes the conversations, each of which has connections on all of so many `servers`. With `many_sources`
    connections may come from any address of 127.0.0.0/8.

    Raises `RestError`, and `ScenarioError` when there are too few users for the pairs.
    """
    shapes = scenario.rooms()
    maker = _Maker(scenario, users, rest)
    for shape in shapes:
        maker.add(shape)
    total = len(maker.connections)
    dealt: list[list[ConnectionPlan]] = [[] for _ in range(processes)]
    whole_rooms = len(shapes) >= _ROOMS_PER_WORKER * processes
    phases = _phases(maker.sender_order)
    several = many_sources and total > PORTS
    for index, draft in enumerate(maker.connections):
        number, publishers = phases.get(index, (0, 0))
        plan = ConnectionPlan(
            index=index,
            room=draft.room,
            token=draft.user.token,
            listens=draft.listens,
            phase=number / publishers if publishers else None,
            in_flight=_share(scenario.in_flight, number, publishers),
            slow=draft.slow,
            typing_phase=draft.typing_phase,
            # By turns, moved on by one whenever processes and servers would come together as before: so every process
            # reaches every server.
            server=(index + index // math.lcm(processes, servers)) % servers,
            source=f"127.0.0.{1 + index // PORTS}" if several else None,
        )
        dealt[(draft.room if whole_rooms else index) % processes].append(plan)
    listeners: dict[int, int] = {}
    for draft in maker.connections:
        if draft.listens and not draft.slow:
            listeners[draft.room] = listeners.get(draft.room, 0) + 1
    workers = [each for each in dealt if each]
    return Plan(maker.rooms, workers, listeners, len(phases), total, maker.notes)


@frozen
class _Draft:
    user: LoadUser
    room: int
    listens: bool
    slow: bool
    typing_phase: float | None


class _Maker:
    def __init__(self, scenario: Scenario, users: Sequence[LoadUser], rest: Rest) -> None:
        self.rooms: list[RoomPlan] = []
        self.connections: list[_Draft] = []
        self.sender_order: list[tuple[int, int, int]] = []
        """Place in the room, room, and connection of each publisher."""
        self.notes: list[str] = []
        self._users = users
        self._rest = rest
        self._taken = 0
        self._pairs = 0
        self._direct = sum(shape.direct for shape in scenario.rooms())

    def add(self, shape: RoomShape) -> None:
        room = len(self.rooms)
        if shape.direct:
            members = self._pair()
            made = self._rest.make_direct(members[0].token, members[1].user_id)
        else:
            wanted = min(shape.connections, len(self._users))
            members = [self._users[(self._taken + i) % len(self._users)] for i in range(wanted)]
            self._taken += wanted
            made = self._rest.make_group(members[0].token, [each.user_id for each in members[1:]])
            if made.members < shape.connections:
                self.notes.append(f"{shape.connections} connections of one conversation share {made.members} users")
            members = members[: made.members]
        # Those that send come first: they get users of their own, so that no two share a rate limit.
        people = list(islice(cycle(members), shape.connections))
        typists: list[tuple[str, float]] = []
        first_listener = shape.senders + shape.members
        for place, user in enumerate(people):
            listener = place - first_listener
            typing = listener >= 0 and len(people) - place <= shape.typists
            phase = (len(people) - place) / (shape.typists + 1) if typing else None
            if phase is not None:
                typists.append((user.user_id, phase))
            if place < first_listener:
                self.sender_order.append((place, room, len(self.connections)))
            self.connections.append(_Draft(user, room, place >= shape.senders, 0 <= listener < shape.slow, phase))
        self.rooms.append(RoomPlan(room, made.id, made.last_seq, typists))

    def _pair(self) -> list[LoadUser]:
        count, number = len(self._users), self._pairs
        self._pairs += 1
        if 2 * self._direct <= count:
            return [self._users[2 * number], self._users[2 * number + 1]]
        # Fewer than two users a pair: each user is in several, every pair is another one.
        step = 1 + number // count
        if 2 * step >= count:
            raise ScenarioError(f"{count} users are too few for that many pairs")
        first = number % count
        return [self._users[first], self._users[(first + step) % count]]


def _phases(order: list[tuple[int, int, int]]) -> dict[int, tuple[int, int]]:
    """For each publisher's connection its number and how many there are; neighbours are of different rooms."""
    return {connection: (number, len(order)) for number, (_, _, connection) in enumerate(sorted(order))}


def _share(in_flight: int, number: int, publishers: int) -> int:
    if not publishers:
        return 0
    each, over = divmod(in_flight, publishers)
    return each + (number < over)
