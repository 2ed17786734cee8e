"""The terminal front, driven by Textual's pilot, as the text that is on its screen."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import define
from textual.pilot import Pilot

from chatconsole.beacon import Beacon
from chatconsole.terminal.app import ConsoleApp
from chatconsole.terminal.nodes import Nodes


@define
class FixedNodes(Nodes):
    """Those that `listed` gives."""

    listed: Callable[[], Sequence[Beacon]] = lambda: ()

    def find(self) -> list[Beacon]:
        return list(self.listed())


@define
class Terminal:
    app: ConsoleApp
    pilot: Pilot[None]

    @property
    def screen(self) -> str:
        """As it is drawn, line by line."""
        strips = self.app.screen._compositor.render_strips(self.app.size)  # pyright: ignore[reportPrivateUsage]  # Textual has no public way to the cells
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def press(self, *keys: str) -> None:
        """Returns when what they did is done."""
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        await self.press(*["space" if each == " " else _KEYS.get(each, each) for each in text])

    async def sees(self, *texts: str, patience: float = 30.0) -> str:
        """The screen, once all of that is on it."""
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            shown = self.screen
            missing = [text for text in texts if text not in shown]
            if not missing:
                return shown
            assert asyncio.get_running_loop().time() < deadline, f"{missing} not on the screen:\n{shown}"
            await asyncio.sleep(0.02)

    async def loses(self, text: str, patience: float = 30.0) -> str:
        """The screen, once that is no more on it."""
        deadline = asyncio.get_running_loop().time() + patience
        while text in self.screen:
            assert asyncio.get_running_loop().time() < deadline, f"{text!r} still on the screen:\n{self.screen}"
            await asyncio.sleep(0.02)
        return self.screen


_KEYS = {"-": "minus", ":": "colon", "/": "slash", ".": "full_stop", "(": "left_parenthesis", ")": "right_parenthesis"}


@asynccontextmanager
async def terminal(
    nodes: Nodes, beacon: Beacon | None, *, read_only: bool = False, size: tuple[int, int] = (80, 24)
) -> AsyncGenerator[Terminal]:
    app = ConsoleApp(nodes, beacon, read_only=read_only)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Terminal(app, pilot)


def nodes_of(*found: Beacon) -> FixedNodes:
    return FixedNodes(Path(), listed=lambda: found)


def on_asyncio(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Textual stands on asyncio, the other tests on Trio."""
    asyncio.run(test())
