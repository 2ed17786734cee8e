"""stompjs clients under load in one Node.js process, while the test kills servers."""

import json
import selectors
import subprocess
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self, cast
from urllib.parse import urlsplit

import attrs

from tests.e2e.nodejs import HERE

PATIENCE: Final = 60.0


@attrs.frozen
class Close:
    """How a WebSocket ended that had been open."""

    url: str
    code: int


@attrs.frozen
class Report:
    """What the clients saw. ``faults`` is empty when all is well."""

    faults: Sequence[str]
    messages: int
    connections: Sequence[int]
    closes: Sequence[Sequence[Close]]
    refusals: Sequence[str]
    committed_unreceipted: int
    """Messages that were committed, and whose receipt their senders got on a later connection only."""
    raw: Mapping[str, object]


class LoadedClients:
    """A client for each of ``users``, demo users, with ``window`` messages under way (`kill/rounds.mjs`). Each begins
    at another of the servers and goes on to the next at each attempt.
    """

    def __init__(self, users: Sequence[str], window: int) -> None:
        self._clients = {"users": users, "window": window}
        self._process = subprocess.Popen(
            ["node", "kill/rounds.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def await_flow(self, urls: Sequence[str], receipts: int = 1) -> None:
        """Returns when each client has that many more receipts from one of these servers."""
        servers = [{"url": url, "wsUrl": ws_url(url)} for url in urls]
        answer = self._ask({"command": "flow", "servers": servers, "receipts": receipts, **self._clients})
        assert answer["flowing"], answer

    def finish(self) -> Report:
        """Once every message is acknowledged, and received by all."""
        raw = self._ask({"command": "finish"})
        closes = cast("list[list[dict[str, str | int]]]", raw["closes"])
        return Report(
            faults=cast("list[str]", raw["faults"]),
            messages=cast("int", raw["messages"]),
            connections=cast("list[int]", raw["connections"]),
            closes=[[Close(str(each["url"]), int(each["code"])) for each in client] for client in closes],
            refusals=cast("list[str]", raw["refusals"]),
            committed_unreceipted=cast("int", raw["committedUnreceipted"]),
            raw=raw,
        )

    def _ask(self, command: Mapping[str, object]) -> dict[str, object]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps(command), file=stdin, flush=True)
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            assert selector.select(PATIENCE), f"no answer to {command} in {PATIENCE} s"
        line = stdout.readline()
        assert line, f"the clients ended with status {self._process.wait()}"
        return cast("dict[str, object]", json.loads(line))


def ws_url(url: str) -> str:
    """The STOMP endpoint of the server at `url`."""
    return f"ws://{urlsplit(url).netloc}/ws"
