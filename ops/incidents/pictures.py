"""The pictures of the terminal in docs/console.md: each incident is caused, and what the console shows is kept as SVG.

python -m ops.incidents.pictures docs
"""

import asyncio
import re
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from chatconsole.terminal.nodes import Nodes
from tests.kit.api import Api
from tests.kit.devserver import DevServer
from tests.kit.postgres import remove_scratch, scratch_directory
from tests.kit.terminal import Terminal, terminal

SIZE: Final = (104, 26)
PATIENCE: Final = 30.0
ROOT: Final = Path(__file__).parents[2]


def post(server: DevServer, text: str) -> None:
    """As Alice, to her group, whatever becomes of it."""
    with Api(server.url) as alice:
        alice.sign_in("alice@example.com")
        group = next(each["id"] for each in alice.get("/api/conversations") if each["type"] == "GROUP")
        alice.call("POST", "/api/messages", {"conversationId": group, "text": text})


async def blocked(screen: Terminal, server: DevServer) -> None:
    sender = threading.Thread(target=post, args=(server, "!block"))
    sender.start()
    await screen.sees("THE EVENT LOOP IS BLOCKED for 2", "price_of", patience=PATIENCE)


async def crashing(screen: Terminal, server: DevServer) -> None:
    await asyncio.to_thread(post, server, "!crash")
    await screen.press("8")
    await screen.sees("crash-loop", "1 warning", patience=PATIENCE)


async def followed(screen: Terminal, server: DevServer) -> None:
    await screen.press("f")
    await screen.press("enter")
    await screen.sees(" follows any message", patience=PATIENCE)
    await asyncio.to_thread(post, server, "on its way")
    await screen.sees("commit-answered", patience=PATIENCE)


async def tree(screen: Terminal, server: DevServer) -> None:
    del server
    await screen.sees("supervision", "drain", patience=PATIENCE)


PICTURES: Final[dict[str, tuple[str, Callable[[Terminal, DevServer], Awaitable[None]]]]] = {
    "console-tree": ("crash_loop", tree),
    "console-follow": ("crash_loop", followed),
    "console-warnings": ("crash_loop", crashing),
    "console-blocked": ("blocked_loop", blocked),
}


async def take(name: str, folder: Path) -> None:
    incident, cause = PICTURES[name]
    directory = scratch_directory()
    with DevServer(directory, command=(sys.executable, "-m", f"ops.incidents.{incident}"), cwd=ROOT) as server:
        nodes = Nodes(directory)
        [beacon] = nodes.find()
        async with terminal(nodes, beacon, size=SIZE) as screen:
            await cause(screen, server)
            svg = screen.app.export_screenshot(title=f"stackmentor console: {name.removeprefix('console-')}")
            (folder / f"{name}.svg").write_text(small(svg))
    remove_scratch(directory)


def small(svg: str) -> str:
    """With the reader's own fixed-width font: nothing is loaded from elsewhere."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "monospace")
    return re.sub(r">\s+<", ">\n<", svg)


def main() -> None:
    for name in PICTURES:
        asyncio.run(take(name, Path(sys.argv[1])))


if __name__ == "__main__":
    main()
