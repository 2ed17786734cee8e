"""The console in the terminal, driven by its keys, on running servers with planted faults."""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

from chatconsole.beacon import beacons
from chatconsole.terminal.nodes import Nodes
from tests.kit.api import Api
from tests.kit.command import COMMAND, stackmentor
from tests.kit.devserver import DevServer
from tests.kit.terminal import on_asyncio, terminal

ROOT = Path(__file__).parents[2]
LARGE = (140, 40)
PATIENCE = 60.0


def incident(name: str, data_dir: Path) -> DevServer:
    return DevServer(data_dir, command=(sys.executable, "-m", f"ops.incidents.{name}"), cwd=ROOT)


def post(server: DevServer, text: str) -> str:
    """Send it as Alice to her group, whatever becomes of it; the group's id."""
    with Api(server.url) as alice:
        alice.sign_in("alice@example.com")
        group: str = next(each["id"] for each in alice.get("/api/conversations") if each["type"] == "GROUP")
        alice.call("POST", "/api/messages", {"conversationId": group, "text": f"{text} {uuid4()}"})
        return group


def test_live_tree_stack_and_one_conversation_of_a_running_server(dev_server: DevServer) -> None:
    group = post(dev_server, "hello")

    async def test() -> None:
        nodes = Nodes(dev_server.data_dir)
        [beacon] = nodes.find()
        async with terminal(nodes, beacon, size=LARGE) as screen:
            await screen.sees("supervision", "management", f"pid {dev_server.pid}")
            await screen.press("slash")
            await screen.write("accept_connections")
            await screen.press("enter")
            await screen.sees("accept_connections", "listener.py:")
            await screen.press("end")
            await screen.press("enter")
            await screen.sees("Stack of t", "src/http/chathttp/edge/listener.py")
            await screen.press("escape", "escape", "3")
            await screen.sees(group)
            await screen.press("slash")
            await screen.write(group[:8])
            await screen.press("enter")
            await screen.press("home")
            await screen.press("enter")
            await screen.sees("[4 actor]", "behind database", "when full")
            await screen.press("6")
            await screen.sees("store", "up for", "round trip")

    on_asyncio(test)


def test_blocked_loop_is_in_the_banner_with_its_line_while_it_is_blocked(data_dir: Path) -> None:
    with incident("blocked_loop", data_dir) as server:

        async def test() -> None:
            nodes = Nodes(data_dir)
            [beacon] = nodes.find()
            async with terminal(nodes, beacon, size=LARGE) as screen:
                await screen.sees("supervision")
                sender = threading.Thread(target=post, args=(server, "!block"))
                sender.start()
                await screen.sees("THE EVENT LOOP IS BLOCKED", "ops/incidents/blocked_loop.py:", "price_of")
                await screen.press("8")
                await screen.sees("loop-blocked")
                sender.join()
                await screen.loses("THE EVENT LOOP IS BLOCKED")

        on_asyncio(test)


def test_crash_loop_is_followed_from_the_warning_to_the_error(data_dir: Path) -> None:
    with incident("crash_loop", data_dir) as server:
        group = post(server, "!crash")

        async def test() -> None:
            nodes = Nodes(data_dir)
            [beacon] = nodes.find()
            async with terminal(nodes, beacon, size=LARGE) as screen:
                await screen.press("8")
                await screen.sees("crash-loop", "LookupError", "crash_loop.py:")
                await screen.press("slash")
                await screen.write("crash-loop")
                await screen.press("enter")
                await screen.press("o")
                await screen.sees("[4 actor]", f"conversations/{group}", "last error", "no template for a message")

        on_asyncio(test)


def test_slow_consumer_is_followed_from_the_warning_to_the_socket_and_disconnected(data_dir: Path) -> None:
    # A limit that it never comes to: it is slow for as long as nobody does anything about it.
    env = {"STACKMENTOR_OUTBOX_LIMIT_BYTES": "67108864", "STACKMENTOR_SEND_RATE": "1000"}
    with DevServer(data_dir, env=env) as server:
        culprit = subprocess.Popen([sys.executable, "-m", "ops.incidents.slow_consumer", server.url], cwd=ROOT)
        try:

            async def test() -> None:
                nodes = Nodes(data_dir)
                [beacon] = nodes.find()
                async with terminal(nodes, beacon, size=LARGE) as screen:
                    await screen.press("8")
                    await screen.sees("slow-consumer", "outbox.py:", "Outbox.run_writer", patience=PATIENCE)
                    await screen.press("slash")
                    await screen.write("slow-consumer")
                    await screen.press("enter", "o")
                    await screen.sees("[4 actor]", "slow consumer", "looks in a row", patience=PATIENCE)
                    await screen.press("a")
                    await screen.sees("Which action?", "disconnect 127.0.0.1:")
                    await screen.press("enter")
                    await screen.sees("its client comes back by itself", patience=PATIENCE)
                    await screen.press("y")
                    await screen.sees("is disconnected", patience=PATIENCE)

            on_asyncio(test)
        finally:
            culprit.kill()
            culprit.wait()


def test_server_that_was_restarted_is_found_again(data_dir: Path) -> None:
    with DevServer(data_dir) as server:

        async def test() -> None:
            nodes = Nodes(data_dir)
            [beacon] = nodes.find()
            async with terminal(nodes, beacon) as screen:
                await screen.sees(f"pid {beacon.pid}", "supervision")
                server.kill()
                await screen.sees("NOT CONNECTED")
                server.start_without_waiting()
                server.await_ready()
                [again] = beacons(data_dir)
                await screen.sees(f"pid {again.pid}")
                await screen.loses("NOT CONNECTED")

        on_asyncio(test)


def test_command_runs_in_a_real_terminal_and_ends_by_its_key(dev_server: DevServer) -> None:
    master, slave = pty.openpty()
    env = {name: value for name, value in os.environ.items() if not name.startswith("STACKMENTOR_")}
    env |= {"STACKMENTOR_DATA_DIR": str(dev_server.data_dir), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(
        [*COMMAND, "console"], env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ) as process:
        os.close(slave)
        try:
            drawn = _read_until(master, b"supervision")
            os.write(master, b"q")
            _read_until(master, b"\x1b[?1049l")
            assert process.wait(10) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            os.close(master)
    assert b"1 tree" in drawn


def _read_until(descriptor: int, wanted: bytes) -> bytes:
    """What was drawn, once that is in it, the cursor's movements left in."""
    deadline = time.monotonic() + 20
    drawn = b""
    while wanted not in drawn:
        assert select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0], drawn[-2000:]
        drawn += os.read(descriptor, 65_536)
    return drawn


def test_without_a_terminal_it_is_one_line(dev_server: DevServer) -> None:
    done = stackmentor("console", data_dir=dev_server.data_dir)
    assert done.returncode == 1
    assert done.stderr == "stackmentor: the console needs a terminal; --once prints everything as text\n"
