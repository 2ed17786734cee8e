"""The plain text of a snapshot."""

from pathlib import Path

import pytest

from chatconsole.api.loop import Loop, Stall, Warning
from chatconsole.api.messages import VERSION, Node, Snapshot
from chatconsole.api.parts import Failure, Supervised
from chatconsole.api.tasks import Group, Nursery, Place, Scope, Task, TaskState, TaskTree
from chatconsole.plain import place, plain, seconds

NODE = Node(42, "1.0", "http://127.0.0.1:8081", 0.0, False, 0)
AT = Place("/srv/app.py", 7, "work")
OPEN = Scope(None, False, False)


def text(**sections: object) -> str:
    return plain(Snapshot(VERSION, 0.0, 0.0, 0.0, NODE, **sections))  # pyright: ignore[reportArgumentType]  # sections by name


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0.0, "0 µs"), (0.0000801, "80 µs"), (0.0123, "12.3 ms"), (1.5, "1.5 s")],
)
def test_durations_are_short(value: float | None, shown: str) -> None:
    assert seconds(value) == shown


def test_paths_below_the_working_directory_are_relative() -> None:
    assert place(Place(str(Path.cwd() / "src/a.py"), 3, "f")) == "src/a.py:3 f"
    assert place(AT) == "/srv/app.py:7 work"
    assert place(None) == "-"


def test_loop_that_is_blocked_comes_first() -> None:
    stall = Stall(0.0, 2.5, False, "step", "guilty", AT, [AT])
    shown = text(loop=Loop(0.0, 0.0, 0.0, 1, stall, [], []), warnings=[Warning("loop-blocked", "guilty", "…", AT, 2.5)])
    assert shown.index("THE EVENT LOOP IS BLOCKED") < shown.index("warnings")
    assert "step of 2.5 s from 1970-01-01T00:00:00.000+00:00: guilty at /srv/app.py:7 work" in shown


def test_tree_is_indented_with_scopes_and_what_was_summed_up() -> None:
    scope = Scope(1.5, True, True)
    rows: list[Task | Nursery] = [
        Task("t1", 0, "main", TaskState.BLOCKED, AT, "Event.wait", 0.5, True, [OPEN, scope]),
        Nursery("n1", 1, 9, OPEN, [Group("worker/*", TaskState.RUNNABLE, AT, 8)]),
    ]
    assert text(tasks=TaskTree(10, True, rows)).splitlines()[2:] == [
        "tasks (10)",
        "  t1 main: blocked for more than 500 ms in Event.wait at /srv/app.py:7 work"
        " [deadline in 1.5 s, shielded, cancelled]",
        "    nursery n1 of 9",
        "      … 8 of worker/*: runnable at /srv/app.py:7 work",
        "  … and more than fits: --root ID shows one part",
    ]


def test_errors_of_a_group_are_shown_each() -> None:
    inner = Failure("KeyError", "'x'", AT, [], [], None)
    group = Failure("ExceptionGroup", "both", None, [], [inner, inner], None)
    lines = text(supervision=[Supervised(0, "node", "child", "running", 2, last_error=group)]).splitlines()
    assert lines[-4:] == [
        "  node: child, running, 2 restarts",
        "    ExceptionGroup: both at -",
        "      KeyError: 'x' at /srv/app.py:7 work",
        "      KeyError: 'x' at /srv/app.py:7 work",
    ]


def test_section_that_is_empty_says_so() -> None:
    assert text(warnings=[]).splitlines()[-2:] == ["warnings", "  none"]
