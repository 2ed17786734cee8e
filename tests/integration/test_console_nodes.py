"""The console of several nodes on one machine: all are found, and one is chosen."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from chatconsole.beacon import Beacon, beacons
from chatconsole.terminal.nodes import Nodes, label
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devnodes import DevNodes
from tests.kit.devserver import DevServer
from tests.kit.postgres import remove_scratch, scratch_directory
from tests.kit.redis import RedisServer
from tests.kit.terminal import on_asyncio, terminal

PATIENCE = 60.0


@pytest.fixture(scope="module")
def nodes() -> Generator[DevNodes]:
    """Three, managed by Unix sockets."""
    directory = scratch_directory()
    with DevNodes(directory, 3, env={"STACKMENTOR_MANAGEMENT_HOST": str(directory / "managed.sock")}) as nodes:
        yield nodes
    remove_scratch(directory)


def looked(*arguments: str, data_dir: Path) -> list[Any]:
    done = stackmentor(
        "console", "--once", "--json", "--sections", "loop", "--observe", "0", *arguments, data_dir=data_dir
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_of_several_nodes_has_a_unix_socket_of_its_own(nodes: DevNodes) -> None:
    found = beacons(nodes.data_dir)
    sockets = [str(nodes.data_dir / f"managed.node-{number}.sock") for number in (1, 2, 3)]
    assert sorted(each.host for each in found) == sockets
    assert all(Path(path).stat().st_mode & 0o777 == 0o600 for path in sockets)
    assert {each.host: each.serves for each in found} == dict(zip(sockets, nodes.urls, strict=True))


def test_once_tells_of_every_node_and_with_a_process_of_that_one(nodes: DevNodes) -> None:
    told = [each["node"] for each in looked(data_dir=nodes.data_dir)]
    assert {each["pid"] for each in told} == {nodes.node_pid(number) for number in (1, 2, 3)}
    second = nodes.node_pid(2)
    [only] = looked("--pid", str(second), data_dir=nodes.data_dir)
    assert only["node"]["pid"] == second
    plain = stackmentor("console", "--once", "--pid", str(second), data_dir=nodes.data_dir)
    assert re.findall(r"^process (\d+),", plain.stdout, re.MULTILINE) == [str(second)]


def test_process_that_is_no_node_is_said_in_one_line(nodes: DevNodes) -> None:
    done = stackmentor("console", "--once", "--pid", str(os.getpid()), data_dir=nodes.data_dir)
    assert done.returncode == 1
    expected = f"stackmentor: no node with process id {os.getpid()} runs on the data directory {nodes.data_dir}"
    assert done.stderr.startswith(expected)
    assert done.stderr.count("\n") == 1


def test_terminal_asks_which_of_several_nodes_and_tells_which_it_shows(nodes: DevNodes) -> None:
    found = beacons(nodes.data_dir)

    async def test() -> None:
        async with terminal(Nodes(nodes.data_dir), None, size=(140, 40)) as screen:
            await screen.sees("Which node?", *map(label, found), patience=PATIENCE)
            await screen.press("down", "enter")
            await screen.sees(headline(found[1]), "supervision", patience=PATIENCE)
            await screen.press("n")
            await screen.sees("Which node?", patience=PATIENCE)
            await screen.press("down", "down", "enter")
            await screen.sees(headline(found[2]), "supervision", patience=PATIENCE)

    on_asyncio(test)


def headline(beacon: Beacon) -> str:
    return f"{beacon.serves.removeprefix('http://')} | pid {beacon.pid}"


def test_workers_have_a_unix_socket_each_and_are_told_apart_by_their_processes(
    data_dir: Path, database_url: str, redis_server: RedisServer
) -> None:
    env = {
        "STACKMENTOR_DATABASE_URL": database_url,
        "STACKMENTOR_REDIS_URL": redis_server.url,
        "STACKMENTOR_HOST": "127.0.0.1",
        "STACKMENTOR_DRAIN_TIME": "1",
        "STACKMENTOR_MANAGEMENT_HOST": str(data_dir / "m.sock"),
    }
    with DevServer(data_dir, env=env, command=(*COMMAND, "serve", "--workers", "2")):
        found = beacons(data_dir)
        assert sorted(each.host for each in found) == [str(data_dir / f"m.worker-{index}.sock") for index in (0, 1)]
        assert len({each.serves for each in found}) == 1
        assert {each["node"]["pid"] for each in looked(data_dir=data_dir)} == {each.pid for each in found}

        async def test() -> None:
            async with terminal(Nodes(data_dir), None, size=(140, 40)) as screen:
                await screen.sees("Which node?", *map(label, found), patience=PATIENCE)
                await screen.press("enter")
                await screen.sees(headline(found[0]), "supervision", patience=PATIENCE)

        on_asyncio(test)


@pytest.mark.parametrize("missing", ["textual", "websockets"])
def test_terminal_without_its_extra_is_one_line_and_once_goes_on(nodes: DevNodes, missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; {COMMAND[-1]}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("STACKMENTOR_")}
    env["STACKMENTOR_DATA_DIR"] = str(nodes.data_dir)
    done, once = (
        subprocess.run(
            [sys.executable, "-c", script, "console", *arguments],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        for arguments in ((), ("--once", "--sections", "loop", "--observe", "0"))
    )
    assert done.returncode == 1
    assert done.stderr == (
        "stackmentor: the console needs its extra: pip install 'stackmentor-chat[console]'; --once works without\n"
    )
    assert once.returncode == 0, once.stderr
    assert "event loop" in once.stdout
