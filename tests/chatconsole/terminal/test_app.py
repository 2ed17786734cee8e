"""The terminal front, driven by its keys, in front of a node that says what the test wants."""

from pathlib import Path

import pytest

from chatconsole.api import messages as api
from chatconsole.api.following import Hop, HopName, Leg, Trace
from chatconsole.api.loop import Loop, Stall, Warning
from chatconsole.api.parts import Actor, Actors, Conversations, Failure, Socket, Sockets
from chatconsole.api.tasks import Nursery, Place, Scope, Stack, Task, TaskState, TaskTree
from chatconsole.terminal.desk import SPECS
from tests.kit.console_node import FakeNode, until
from tests.kit.terminal import FixedNodes, Terminal, nodes_of, on_asyncio, terminal

AT = Place("/srv/app.py", 7, "work")
OPEN = Scope(None, False, False)
SLOW = Socket("10.0.0.1:5555", "10.0.0.1", "user-1", 900, 900, 1000, 0, False, 1, 0, "10 s", 1.0, 20.0, 3, "websocket")


def task(number: int, depth: int = 2) -> Task:
    return Task(f"t{number}", depth, f"worker{number:03}", TaskState.BLOCKED, AT, "sleep", 1.0, False, [])


def tree(*numbers: int) -> TaskTree:
    rows: list[Task | Nursery] = [task(0, 0), Nursery("n1", 1, len(numbers), OPEN, []), *map(task, numbers)]
    return TaskTree(len(rows) - 1, False, rows)


def actors(**depths: int) -> Actors:
    listed = [
        Actor(name, "running", depth, 500, 0.0, None, 1, 0, 0, "refuse", 0, 1.0, 0.001, 0.002, None)
        for name, depth in depths.items()
    ]
    return Actors(len(listed), listed)


def line_with(shown: str, text: str) -> str:
    return next(line for line in shown.splitlines() if text in line)


def test_every_view_is_a_key_away_and_fits_80_by_24() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts.update(tasks=tree(1), supervision=[], sockets=Sockets(1, [SLOW]), ended=[], backends=[])
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("worker001", "127.0.0.1:4711 | pid 4711", "no warning", "q Quit")
            for number, spec in enumerate(SPECS, 1):
                await screen.press(str(number))
                await screen.sees(f"[{number} {spec.name}]", spec.columns[0].title, "9 dead")
            await screen.press("tab")
            await screen.sees("[1 tree]")
            await screen.press("shift+tab")
            await screen.sees("[9 dead]")
            await screen.press("question_mark")
            await screen.sees("Enter         open")

    on_asyncio(test)


def test_view_asks_for_its_own_sections_only() -> None:
    async def test() -> None:
        node = FakeNode()
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await until(lambda: len(node.asked) >= 2)
            await screen.press("5")
            await until(lambda: _view_of(node).sections == [api.Section.LOOP, api.Section.SOCKETS])

    on_asyncio(test)


def _view_of(node: FakeNode) -> api.View:
    return [each.view for each in node.asked if isinstance(each, api.Watch) and each.id == 1][-1]


def test_selection_stays_with_its_row_while_others_come_and_go() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["tasks"] = tree(5, 6, 7)
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("worker007")
            await screen.press("end", "up")
            assert line_with(screen.screen, "worker006").startswith(">")
            await node.tell(tasks=tree(1, 2, 3, 4, 5, 6))
            shown = await screen.sees("worker001")
            assert line_with(shown, "worker006").startswith(">")
            await node.tell(tasks=tree(1))
            await screen.loses("worker006")
            assert any(line.startswith(">") for line in screen.screen.splitlines())

    on_asyncio(test)


def test_long_list_is_scrolled_by_keys_and_only_what_is_in_sight_is_drawn() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["tasks"] = tree(*range(1, 900))
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("worker001")
            await screen.press("G")
            await screen.sees("worker899")
            await screen.press("g")
            shown = await screen.sees("worker001")
            assert "worker899" not in shown
            await screen.press("pagedown", "pagedown")
            await screen.sees("worker030")

    on_asyncio(test)


def test_part_of_the_tree_is_folded_and_zoomed_into() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["tasks"] = tree(1, 2)
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("worker002")
            await screen.press("down", "down", "left")
            await screen.loses("worker001")
            await screen.press("right")
            await screen.sees("worker001")
            await screen.press("z")
            await until(lambda: _view_of(node).root == "n1")
            await screen.sees("below n1")
            await screen.press("Z")
            await until(lambda: _view_of(node).root is None)

    on_asyncio(test)


def test_search_is_live_and_ends_with_escape() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["tasks"] = tree(1, 2)
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("worker001")
            await screen.press("slash")
            await screen.write("ker002")
            await screen.loses("worker001")
            await screen.press("enter")
            await screen.sees("worker002", "with 'ker002'")
            await screen.press("escape")
            await screen.sees("worker001")

    on_asyncio(test)


def test_what_is_searched_among_actors_the_node_looks_for() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["actors"] = actors(a=1)
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.press("2", "slash")
            await screen.write("users")
            await until(lambda: _view_of(node).grep == "users")

    on_asyncio(test)


def test_top_is_sorted_by_the_mailbox_and_by_other_columns_either_way() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["actors"] = actors(aaa=1, bbb=3, ccc=2)
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.press("2")
            await screen.sees("mailbox▼", "aaa")
            assert _order(screen) == ["bbb", "ccc", "aaa"]
            await screen.press("S")
            await screen.sees("mailbox▲")
            assert _order(screen) == ["aaa", "ccc", "bbb"]
            await screen.press(*["s"] * 7)
            await screen.sees("actor▲")
            assert _order(screen) == ["aaa", "bbb", "ccc"]
            await node.tell(actors=actors(ddd=9))
            await screen.sees("ddd")

    on_asyncio(test)


def _order(screen: Terminal) -> list[str]:
    names = ("aaa", "bbb", "ccc")
    listed = [line[2:5] for line in screen.screen.splitlines()[:10]]
    return [name for name in listed if name in names]


def test_pause_holds_the_view_but_not_the_warnings_count() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["tasks"] = tree(1)
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("worker001")
            await screen.press("space")
            await screen.sees("PAUSED", "paused at")
            await until(lambda: api.Stop(1) in node.asked)
            await node.tell(tasks=tree(2), warnings=[Warning("slow-consumer", "x", "…", None, None)])
            shown = await screen.sees("1 warning")
            assert "worker002" not in shown
            await screen.press("space")
            await screen.sees("worker002")

    on_asyncio(test)


def test_enter_on_a_task_shows_its_whole_stack_and_r_looks_again() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["tasks"] = tree(1)
        node.answers[api.AskStack] = api.Stacked(0, Stack("t1", "worker001", [], "async def work\n  \x1b[2Jawait"))
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("worker001")
            await screen.press("G", "enter")
            await screen.sees("Stack of t1", "async def work", "·[2Jawait")
            node.answers[api.AskStack] = api.Stacked(0, Stack("t1", "worker001", [], "elsewhere"))
            await screen.press("r")
            await screen.sees("elsewhere")
            await screen.press("escape")
            await screen.loses("elsewhere")

    on_asyncio(test)


def test_blocked_loop_is_in_a_red_banner_with_its_stack_whatever_the_view() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["ended"] = []
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.press("9")
            await screen.sees("lag 500 µs")
            stall = Stall(0.0, 2.5, False, "step", "guilty", AT, [Place("/srv/app.py", 3, "handle"), AT])
            await node.tell(loop=Loop(0, 0, 0, 1, stall, [], []))
            await screen.sees("BLOCKED for 2.5 s: guilty", "at /srv/app.py:7 work", "/srv/app.py:3 handle")
            assert screen.app.query_one("#banner").styles.background.hex == "#FF0000"
            await node.tell(loop=Loop(0, 0, 0, 1, None, [stall], []))
            await screen.loses("BLOCKED")

    on_asyncio(test)


def test_action_is_done_only_when_what_it_would_do_was_confirmed() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["sockets"] = Sockets(1, [SLOW])
        node.answers[api.Act] = api.Asked(0, "nonce", "disconnect 10.0.0.1:5555; it comes back", 60.0)
        node.answers[api.Confirm] = api.Done(0, "10.0.0.1:5555 is disconnected")
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.press("5")
            await screen.sees("10.0.0.1:5555")
            for answer in ("escape", "enter", "n"):
                await screen.press("a")
                await screen.sees("disconnect 10.0.0.1:5555")
                await screen.press("enter")
                await screen.sees("it comes back")
                await screen.press(answer)
                await screen.loses("it comes back")
            assert not [each for each in node.asked if isinstance(each, api.Confirm)]
            await screen.press("a", "enter")
            await screen.sees("it comes back")
            await screen.press("y")
            await screen.sees("is disconnected")
            act = node.last(api.Act)
            assert isinstance(act, api.Act)
            assert (act.action, act.target) == ("disconnect", "10.0.0.1:5555")

    on_asyncio(test)


def test_log_level_is_asked_for_and_a_refusal_is_told() -> None:
    async def test() -> None:
        node = FakeNode()
        node.answers[api.Act] = api.Refused(0, "VALIDATION_ERROR", "value: one of debug, info")
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("a Act")
            await screen.press("a", "down", "enter")
            await screen.sees("LOGGER LEVEL")
            await screen.write("trio LOUD")
            await screen.press("enter")
            await screen.sees("one of debug, info")
            act = node.last(api.Act)
            assert isinstance(act, api.Act)
            assert (act.action, act.target, act.value) == ("log-level", "trio", "loud")

    on_asyncio(test)


@pytest.mark.parametrize("by_node", [True, False])
def test_read_only_console_has_no_actions(by_node: bool) -> None:
    async def test() -> None:
        node = FakeNode(read_only=by_node, repl=True)
        node.parts["sockets"] = Sockets(1, [SLOW])
        nodes = nodes_of(node.beacon)
        async with node.running(), terminal(nodes, node.beacon, read_only=not by_node) as screen:
            await screen.press("5")
            shown = await screen.sees("10.0.0.1:5555", "read-only")
            assert "a Act" not in shown
            await screen.press("a", "p")
            assert len(screen.app.screen_stack) == 1
            await screen.press("ctrl+p")
            await screen.write("disconnect")
            await screen.pilot.pause(0.3)
            assert "Action:" not in screen.screen

    on_asyncio(test)


def test_command_palette_begins_an_action() -> None:
    async def test() -> None:
        node = FakeNode()
        node.answers[api.Act] = api.Asked(0, "nonce", "drain this node", 60.0)
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("a Act")
            await screen.press("ctrl+p")
            await screen.write("drain")
            await screen.sees("drain the node, which ends it")
            await screen.press("enter")
            await screen.sees("Confirm", "drain this node")

    on_asyncio(test)


def test_users_are_shown_only_when_that_was_confirmed() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["sockets"] = Sockets(1, [SLOW])
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.press("5")
            await screen.sees("user-1")
            await screen.press("u")
            await screen.sees("log will tell")
            assert not _view_of(node).reveal
            await screen.press("y")
            await until(lambda: _view_of(node).reveal)
            await screen.sees("users shown")
            await screen.press("u")
            await until(lambda: not _view_of(node).reveal)

    on_asyncio(test)


def test_socket_and_actor_are_opened_with_all_that_is_known() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts.update(actors=actors(users=7), sockets=Sockets(1, [SLOW]), conversations=Conversations(0, []))
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.press("2")
            await screen.sees("users")
            await screen.press("enter")
            await screen.sees("[4 actor]", "7 of 500 wait", "p50 1 ms, p99 2 ms")
            await screen.press("5")
            await screen.sees("10.0.0.1:5555")
            await screen.press("enter")
            await screen.sees("[4 actor]", "late in 3 looks", "10 s")

    on_asyncio(test)


def test_warning_leads_to_what_it_is_about() -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["warnings"] = [Warning("crash-loop", "conversations/c1", "backoff: KeyError", AT, None)]
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.press("8")
            await screen.sees("! crash-loop"[2:], "/srv/app.py:7 work")
            await screen.press("enter")
            await screen.sees("backoff: KeyError", "Escape closes")
            await screen.press("escape", "o")
            await screen.sees("[4 actor]", "conversations/c1")

    on_asyncio(test)


def test_conversation_is_followed_hop_by_hop_until_it_is_stopped() -> None:
    async def test() -> None:
        node = FakeNode()
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.press("f")
            await screen.write("conversation c1")
            await screen.press("enter")
            await until(lambda: api.Follow(3, conversation="c1") in node.asked)
            await screen.sees("asks the node to follow conversation c1")
            await node.send(api.Traces(3, [], 0))
            await screen.loses("asks the node")
            await screen.sees("follows conversation c1")
            hops = [Hop(HopName.RECEIVED, 0.0, ""), Hop(HopName.COMMIT_ANSWERED, 0.004, "batch of 3")]
            told = Trace("c1", "m1", None, "user-1", "committed", 7, 9, [Leg("here", True, 0.0, None, hops)])
            await node.send(api.Traces(3, [told], 2))
            await screen.sees("[7 trace]", "follows conversation c1", "commit-answered", "+4 ms", "2 dropped")
            await screen.press("x")
            await until(lambda: api.Stop(3) in node.asked)
            await screen.sees("follows nothing", "commit-answered")

    on_asyncio(test)


def test_python_is_run_where_the_node_allows_it() -> None:
    async def test() -> None:
        node = FakeNode(repl=True)
        failed = Failure("ZeroDivisionError", "division by zero", AT, [], [], None)
        node.answers[api.Run] = api.Ran(0, "before\n", False, failed, 0.001)
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            await screen.sees("a Act")
            await screen.press("p")
            await screen.write("node")
            await screen.press("enter")
            await screen.sees(">>> node", "before", "ZeroDivisionError: division by zero", "(1 ms)")
            await screen.press("up")
            asked = node.last(api.Run)
            assert isinstance(asked, api.Run)
            assert asked.source == "node"

    on_asyncio(test)


def test_restarted_node_is_found_again_and_still_watched() -> None:
    async def test() -> None:
        old, new = FakeNode(4711), FakeNode(4711)
        new.parts["tasks"] = tree(8)
        listed = [old]
        nodes = FixedNodes(Path(), listed=lambda: [each.beacon for each in listed])
        async with old.running():
            old.parts["tasks"] = tree(1)
            async with terminal(nodes, old.beacon) as screen:
                await screen.sees("worker001")
                await _end(old)
                listed.clear()
                await screen.sees("NOT CONNECTED", "process 4711")
                async with new.running():
                    listed.append(new)
                    await screen.sees("worker008")
                    await screen.loses("NOT CONNECTED")

    on_asyncio(test)


async def _end(node: FakeNode) -> None:
    for connection in node.connections:
        await connection.close()


def test_of_several_nodes_one_is_picked_and_another_later() -> None:
    async def test() -> None:
        one, two = FakeNode(1001), FakeNode(1002)
        one.parts["tasks"], two.parts["tasks"] = tree(1), tree(2)
        async with one.running(), two.running(), terminal(nodes_of(one.beacon, two.beacon), None) as screen:
            await screen.sees("Which node?", "process 1001", "process 1002")
            await screen.press("down", "enter")
            await screen.sees("worker002", "pid 1002")
            await screen.press("n")
            await screen.sees("Which node?")
            await screen.press("enter")
            shown = await screen.sees("worker001", "pid 1001")
            assert "worker002" not in shown

    on_asyncio(test)


def test_without_colours_marks_say_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        node = FakeNode()
        node.parts["sockets"] = Sockets(1, [SLOW])
        async with node.running(), terminal(nodes_of(node.beacon), node.beacon) as screen:
            assert screen.app.no_color
            await screen.press("5")
            shown = await screen.sees("10.0.0.1:5555", "[5 sockets]")
            assert line_with(shown, "900 B").startswith(">!")

    monkeypatch.setenv("NO_COLOR", "1")
    on_asyncio(test)
