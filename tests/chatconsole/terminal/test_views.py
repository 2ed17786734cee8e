"""What each view makes of a snapshot."""

from collections.abc import Sequence

import pytest

from chatconsole.api.following import Hop, HopName, Leg, Trace
from chatconsole.api.loop import Ended, Loop, Stall, Warning
from chatconsole.api.messages import VERSION, Follow, Node, Section, Snapshot
from chatconsole.api.parts import Actor, Actors, Backend, Conversation, Conversations, Failure, Socket, Sockets
from chatconsole.api.tasks import Group, Nursery, Place, Scope, Task, TaskState, TaskTree
from chatconsole.terminal.board import Board
from chatconsole.terminal.desk import SPECS
from chatconsole.terminal.following import Followed, following
from chatconsole.terminal.table import Kind, Level, Row, Target
from chatconsole.terminal.views import backends, events, one, sockets, top, trace, tree
from chatconsole.terminal.views.spec import Choice, Known, Spec

NODE = Node(42, "1.0", "http://127.0.0.1:8081", 0.0, False, 0)
AT = Place("/srv/app.py", 7, "work")
ERROR = Failure("KeyError", "'x'", AT, [AT], [], None)
NOTHING = Choice()


def snapshot(at: float = 0.0, **sections: object) -> Snapshot:
    return Snapshot(VERSION, at, 0.0, 0.0, NODE, **sections)  # pyright: ignore[reportArgumentType]  # sections by name


def known(**sections: object) -> Known:
    return Known(Board().with_snapshot(snapshot(0.0, **sections)))


def texts(rows: Sequence[Row]) -> list[str]:
    return [" ".join(filter(None, row.cells)) for row in rows]


def actor(name: str, **changed: object) -> Actor:
    figures: dict[str, object] = {
        "state": "running",
        "depth": 0,
        "capacity": 500,
        "oldest_age": 0.0,
        "busy_for": None,
        "handled": 10,
        "refused": 0,
        "dropped": 0,
        "full": "refuse",
        "restarts": 0,
        "rate": 2.0,
        "p50": 0.001,
        "p99": 0.002,
        "last_error": None,
    }
    return Actor(name=name, **(figures | changed))  # pyright: ignore[reportArgumentType]  # figures by name


def socket(queued: int, late: int = 0) -> Socket:
    figures = (queued, queued, 1000, 0, False, 1, 0, "10 s", 1.0, 20.0, late)
    return Socket("10.0.0.1:5", "10.0.0.1", "user-1", *figures, "websocket")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_view_of_nothing_is_empty_and_asks_for_its_sections(spec: Spec) -> None:
    assert spec.rows(Known(), NOTHING) == []
    assert set(spec.sections) <= set(spec.wanted(NOTHING).sections)
    assert Section.LOOP in spec.wanted(NOTHING).sections
    assert sum(column.width for column in spec.columns if not column.drop) + len(spec.columns) - 1 <= 78


def test_scopes_of_a_task_are_rows_below_it_and_say_what_they_are() -> None:
    rows: list[Task | Nursery] = [
        Task("t1", 0, "main", TaskState.BLOCKED, AT, "Event.wait", 0.5, True, [Scope(1.5, True, True)]),
        Nursery("n1", 1, 9, Scope(None, False, True), [Group("worker/*", TaskState.RUNNABLE, AT, 8)]),
    ]
    shown = tree.rows(known(tasks=TaskTree(10, True, rows)), NOTHING)
    assert texts(shown) == [
        "tasks (10)",
        "t1 main blocked >500 ms Event.wait at /srv/app.py:7 work",
        "scope: deadline in 1.5 s, shielded, cancelled",
        "nursery n1 of 9 cancelled cancelled",
        "8 more of worker/* runnable /srv/app.py:7 work",
        "more than fits: z shows one part",
    ]
    assert [row.depth for row in shown] == [0, 1, 2, 2, 3, 1]
    assert shown[1].target == Target(Kind.TASK, "t1")


def test_zoomed_or_searched_tree_asks_for_more_of_it() -> None:
    plain, zoomed, searched = (
        tree.SPEC.wanted(choice) for choice in (NOTHING, Choice(root="n1"), Choice(needle="writer"))
    )
    assert zoomed.root == "n1"
    assert plain.fan < zoomed.fan == searched.fan
    assert searched.grep == ""


def test_actor_whose_mailbox_ages_is_marked_and_ranked() -> None:
    rows = top.actor_rows(known(actors=Actors(2, [actor("old", depth=3, oldest_age=2.0), actor("well")])), NOTHING)
    assert [row.level for row in rows] == [Level.WARNING, Level.PLAIN]
    assert texts(rows)[0] == "old running 3/500 2 s 2 1 ms 2 ms 0 0"
    assert all(len(row.ranks) == len(row.cells) == len(top.ACTORS.columns) for row in rows)


@pytest.mark.parametrize(("told", "level"), [(socket(501), Level.WARNING), (socket(10, late=3), Level.WARNING)])
def test_slow_socket_is_marked(told: Socket, level: Level) -> None:
    [row] = sockets.rows(known(sockets=Sockets(1, [told])), NOTHING)
    assert row.level is level
    assert len(row.ranks) == len(row.cells) == len(sockets.SPEC.columns)


def test_counts_of_the_store_have_their_change_a_second() -> None:
    before = snapshot(at=10.0, backends=[Backend("store", "up", 1.0, None, 0.001, {"appends": 10.0})])
    after = snapshot(at=12.0, backends=[Backend("store", "up", 3.0, None, 0.001, {"appends": 40.0})])
    board = Board().with_snapshot(before).with_snapshot(after)
    assert texts(backends.rows(Known(board), NOTHING)) == ["store up for 3 s, round trip 1 ms", "appends 40 +15"]


def test_sections_that_a_blocked_node_cannot_tell_are_kept_and_known_as_stale() -> None:
    board = Board().with_snapshot(snapshot(actors=Actors(0, []))).with_snapshot(snapshot(at=1.0, warnings=[]))
    assert board.now is not None
    assert board.now.actors == Actors(0, [])
    assert board.stale == {"actors"}


def test_one_shows_an_actor_its_conversation_and_how_it_died() -> None:
    room = Conversation("c1", 7, 9, 3, 2, ["user-1"], 5, 6, True, 0)
    rows = one.rows(
        known(
            actors=Actors(1, [actor("conversations/c1", restarts=2, last_error=ERROR)]),
            conversations=Conversations(1, [room]),
            ended=[Ended(0.0, "actor", "conversations/c1", "crashed", ERROR)],
        ),
        Choice(subject=Target(Kind.CONVERSATION, "c1")),
    )
    shown = "\n".join(texts(rows))
    for fact in ("restarts 2", "last error KeyError: 'x' at /srv/app.py:7 work", "seq 7", "typing user-1", "crashed"):
        assert fact in shown
    assert rows[-1].detail is not None
    assert "/srv/app.py:7 work" in rows[-1].detail()


def test_warning_of_a_stall_opens_with_its_stack() -> None:
    stall = Stall(0.0, 2.5, False, "step", "guilty", AT, [Place("/srv/app.py", 3, "handle"), AT])
    told = known(loop=Loop(0, 0, 0, 1, stall, [], []), warnings=[Warning("loop-blocked", "guilty", "blocked", AT, 2.5)])
    [row] = events.warning_rows(told, NOTHING)
    assert row.level is Level.BAD
    assert row.detail is not None
    assert "/srv/app.py:3 handle\n  /srv/app.py:7 work" in row.detail()


def test_warnings_of_the_same_kind_have_keys_of_their_own() -> None:
    twice = [Warning("no-checkpoint", "a", "…", AT, 1.0)] * 2
    assert len({row.key for row in events.warning_rows(known(warnings=twice), NOTHING)}) == 2


def test_dead_keep_their_keys_when_another_dies() -> None:
    eldest = Ended(1.0, "task", "a", "ended", None)
    [row] = events.ended_rows(known(ended=[eldest]), NOTHING)
    assert (
        events.ended_rows(known(ended=[Ended(2.0, "task", "b", "crashed", ERROR), eldest]), NOTHING)[1].key == row.key
    )


def test_trace_is_drawn_hop_by_hop_with_the_time_of_each_step() -> None:
    hops = [
        Hop(HopName.RECEIVED, 0.0, ""),
        Hop(HopName.BATCH_SENT, 0.001, "of 3"),
        Hop(HopName.FAN_OUT_LAST, 0.004, ""),
    ]
    legs = [Leg("here", True, 0.0, None, hops), Leg("there", False, 0.0, 0.002, [Hop(HopName.BRIDGE_RECEIVED, 0, "")])]
    followed = Followed()
    followed.add([Trace("c1", "m1", None, "user-1", "committed", 7, 9, legs)], 0)
    rows = trace.rows(Known(followed=followed), NOTHING)
    assert [row.depth for row in rows] == [0, 1, 2, 2, 2, 1, 2]
    assert [row.cells[:3] for row in rows[2:5]] == [
        ("received", "0 µs", ""),
        ("batch-sent", "1 ms", "+1 ms"),
        ("fan-out-last", "4 ms", "+3 ms"),
    ]
    assert "2 ms after the publish" in texts(rows)[5]
    assert rows[0].detail is not None
    assert "batch-sent" in rows[0].detail()


def test_followed_messages_are_bounded_and_the_newest_comes_first() -> None:
    followed = Followed()
    followed.add([Trace("c", str(number), None, None, "open", None, None, []) for number in range(300)], 5)
    assert len(followed.traces) == 200
    assert followed.traces[0].message == "299"
    assert followed.dropped == 5


@pytest.mark.parametrize(
    ("written", "request_"),
    [
        ("", Follow(3)),
        ("any", Follow(3)),
        ("conversation c9", Follow(3, conversation="c9")),
        ("message m1", Follow(3, message="m1")),
        ("c1", Follow(3, conversation="c1")),
        ("m1", Follow(3, message="m1")),
    ],
)
def test_what_to_follow_may_be_written_in_short(written: str, request_: Follow) -> None:
    assert following(written, ["c1"]) == request_


def test_what_to_follow_must_be_understood() -> None:
    with pytest.raises(ValueError, match="conversation ID"):
        following("three words here", [])
