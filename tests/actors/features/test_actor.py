"""The flags of a node: what it has read, and when it reads again."""

from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.adapters.memory.features import MemoryFeatureStore
from actors.features.actor import Features
from chatcore.errors import ChatError, ErrorCode, unavailable
from chatcore.features import Feature

USER, ADMIN = uuid4(), uuid4()
REFRESH = 10.0


@attrs.define
class Nodes:
    """Two over one store; what one tells reaches the other at once, unless `is_parted`."""

    store: MemoryFeatureStore = attrs.field(factory=MemoryFeatureStore)
    is_parted: bool = False
    nodes: list[Features] = attrs.field(factory=list[Features])

    def add(self) -> Features:
        number = len(self.nodes)
        node = Features(self.store, limit=5, refresh_seconds=REFRESH, tell_others=lambda: self._tell(1 - number))
        self.nodes.append(node)
        return node

    def _tell(self, number: int) -> None:
        if not self.is_parted and number < len(self.nodes):
            self.nodes[number].refresh()


@pytest.fixture
async def two(nursery: trio.Nursery, autojump_clock: MockClock) -> AsyncGenerator[Nodes]:
    nodes = Nodes()
    for node in (nodes.add(), nodes.add()):
        nursery.start_soon(node.run)
    await wait_all_tasks_blocked()
    yield nodes
    nursery.cancel_scope.cancel()


async def test_a_change_is_in_force_here_at_once_and_there_a_moment_later(two: Nodes) -> None:
    here, there = two.nodes
    await here.put(Feature("new", True), ADMIN)
    assert here.is_on("new", USER)
    await wait_all_tasks_blocked()
    assert there.is_on("new", USER)
    assert there.of(USER) == {"new": True}
    await there.delete("new")
    assert there.of(USER) == {}
    await wait_all_tasks_blocked()
    assert here.of(USER) == {}


async def test_a_change_of_which_no_word_came_is_found(two: Nodes) -> None:
    two.is_parted = True
    here, there = two.nodes
    await here.put(Feature("new", True), ADMIN)
    await trio.sleep(REFRESH - 0.1)
    assert not there.is_on("new", USER)
    await trio.sleep(0.2)
    assert there.is_on("new", USER)


async def test_old_flags_serve_while_the_database_is_away(two: Nodes) -> None:
    here, there = two.nodes
    await here.put(Feature("new", True), ADMIN)
    await wait_all_tasks_blocked()
    for _ in range(4):
        two.store.faults.fail_next(method="all")
    await trio.sleep(2.5 * REFRESH)
    assert here.read_failures + there.read_failures == 4
    assert here.is_on("new", USER)
    assert there.is_on("new", USER)


async def test_what_is_stored_is_in_force_even_when_it_cannot_be_read_back_at_once(two: Nodes) -> None:
    two.is_parted = True
    here, _ = two.nodes
    two.store.faults.fail_next(method="all")
    await here.put(Feature("new", True), ADMIN)
    await wait_all_tasks_blocked()
    assert here.is_on("new", USER)


async def test_what_was_not_stored_is_refused(two: Nodes) -> None:
    here, _ = two.nodes
    two.store.faults.fail_next(unavailable(), method="put")
    with pytest.raises(ChatError) as refusal:
        await here.put(Feature("new", True), ADMIN)
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    assert not here.is_on("new", USER)


async def test_until_it_has_read_once_nothing_is_on_and_the_list_is_refused() -> None:
    node = Nodes().add()
    assert not node.is_on("new", USER)
    with pytest.raises(ChatError) as refusal:
        node.of(USER)
    assert refusal.value.code is ErrorCode.UNAVAILABLE


class SlowStore(MemoryFeatureStore):
    """Its first reading is answered last."""

    def __init__(self) -> None:
        super().__init__()
        self.answer_first = trio.Event()
        self._readings = 0

    async def all(self) -> list[Feature]:
        self._readings += 1
        found = await super().all()
        if self._readings == 1:
            await self.answer_first.wait()
        return found


async def test_a_late_answer_does_not_undo_a_change(nursery: trio.Nursery) -> None:
    store = SlowStore()
    node = Features(store, limit=5, refresh_seconds=REFRESH, tell_others=lambda: None)
    nursery.start_soon(node.run)
    await wait_all_tasks_blocked()
    await node.put(Feature("new", True), ADMIN)
    store.answer_first.set()
    await wait_all_tasks_blocked()
    assert node.is_on("new", UUID(int=1))
    nursery.cancel_scope.cancel()
