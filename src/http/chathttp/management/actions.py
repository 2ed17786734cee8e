"""What the console may do to a node: each asked for, confirmed, noted in the log, and off with read-only."""

import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import trio
from attrs import frozen

from chatconsole.api.messages import Snapshot, View
from chatcore.errors import ChatError, ErrorCode, invalid, not_found
from chathttp.errors import CLOSE_DRAIN
from chathttp.management.sources import Sources

PASSIVATE_SECONDS: Final = 5.0
"""For a conversation to finish what is in hand."""
NAMES: Final = ("disconnect", "restart", "passivate", "log-level", "drain", "snapshot")
LEVELS: Final = ("debug", "info", "warning", "error")


@frozen
class Action:
    """Ready to be done in the node's loop; `perform` tells what came of it, and may raise `ChatError`."""

    name: str
    target: str
    value: str
    perform: Callable[[], Awaitable[str]]


class Actions:
    """`disconnect` TARGET a socket's id; `restart` or `passivate` TARGET a conversation's id, or its actor's name;
    `log-level` TARGET a logger (empty: all) VALUE its level; `drain` the node; `snapshot` of everything to a file under
    `data_dir`.
    """

    def __init__(
        self,
        sources: Sources,
        look: Callable[[View], Awaitable[Snapshot]],
        drain: Callable[[], None],
        data_dir: Path,
        *,
        read_only: bool,
    ) -> None:
        self._sources = sources
        self._look = look
        self._drain = drain
        self._data_dir = data_dir
        self._read_only = read_only
        self._makers: dict[str, Callable[[str, str], tuple[Callable[[], Awaitable[str]], str]]] = {
            "disconnect": self._disconnect,
            "restart": self._restart,
            "passivate": self._passivate,
            "log-level": self._log_level,
            "drain": self._end,
            "snapshot": self._keep,
        }

    def prepare(self, name: str, target: str, value: str) -> tuple[Action, str]:
        """The action, and what it would do in words. Raises `FORBIDDEN` and `VALIDATION_ERROR`."""
        if self._read_only:
            raise ChatError(ErrorCode.FORBIDDEN, "This console is read-only")
        maker = self._makers.get(name)
        if maker is None:
            raise invalid("action", f"one of {', '.join(self._makers)}")
        perform, says = maker(target, value)
        return Action(name, target, value, perform), says

    def _disconnect(self, target: str, _: str) -> tuple[Callable[[], Awaitable[str]], str]:
        async def perform() -> str:
            for session in list(self._sources.sessions()):
                transport = session.inspect().transport
                if f"{transport.peer.host}:{transport.peer.port}" == target:
                    transport.close(CLOSE_DRAIN, "disconnected by an operator")
                    return f"{target} is disconnected"
            raise not_found("The socket")

        return perform, f"disconnect {target}; its client comes back by itself"

    def _restart(self, target: str, _: str) -> tuple[Callable[[], Awaitable[str]], str]:
        key = _conversation(target)

        async def perform() -> str:
            self._sources.actors.restart(key)
            return f"conversations/{key} is restarted"

        says = (
            f"restart conversations/{key}: it is read from the database anew, its subscribers stay; posts that are on"
            " their way are refused as UNAVAILABLE unless they are stored by then"
        )
        return perform, says

    def _passivate(self, target: str, _: str) -> tuple[Callable[[], Awaitable[str]], str]:
        key = _conversation(target)

        async def perform() -> str:
            await self._sources.actors.passivate(key, PASSIVATE_SECONDS)
            return f"conversations/{key} has left memory"

        return perform, f"take conversations/{key} out of memory, unless somebody is subscribed to it"

    def _log_level(self, target: str, value: str) -> tuple[Callable[[], Awaitable[str]], str]:
        if value not in LEVELS:
            raise invalid("value", f"one of {', '.join(LEVELS)}")
        if target and target not in logging.Logger.manager.loggerDict:
            raise invalid("target", "there is no such logger")

        async def perform() -> str:
            logging.getLogger(target or None).setLevel(value.upper())
            return f"{target or 'everything'} is logged from {value} on"

        return perform, f"log {target or 'everything'} from {value} on, until the node ends"

    def _end(self, *_: str) -> tuple[Callable[[], Awaitable[str]], str]:
        async def perform() -> str:
            self._drain()
            return "the node drains"

        return perform, "drain this node: its sockets are closed over the drain time, then the process ends"

    def _keep(self, *_: str) -> tuple[Callable[[], Awaitable[str]], str]:
        path = self._data_dir / "console" / f"snapshot-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"

        async def perform() -> str:
            snapshot = await self._look(View(limit=2000, fan=2000))
            await trio.to_thread.run_sync(_write, path, snapshot)
            return f"written to {path}"

        return perform, f"write all that is known of this node to {path}"


def _conversation(target: str) -> UUID:
    try:
        return UUID(target.removeprefix("conversations/"))
    except ValueError:
        raise invalid("target", "is no conversation's id, nor its actor's name") from None


def _write(path: Path, snapshot: Snapshot) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(snapshot)))
