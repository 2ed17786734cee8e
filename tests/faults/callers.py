"""REST clients: one who writes and changes what he wrote, and one who reads."""

import json

import attrs
import httpx
import trio

from tests.faults.cluster import Node
from tests.faults.history import Acked, Edited, Read, Sent
from tests.faults.world import TRY_AGAIN, BackOff, Member, World

TIMEOUT = 8.0


@attrs.define
class Caller:
    """One user's calls, each repeated on one node or another until it has an answer that is not "try again"."""

    world: World
    member: Member
    _http: httpx.AsyncClient = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.member.user.token}"}
        self._http = httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(TIMEOUT, connect=2.0))

    async def close(self) -> None:
        with trio.move_on_after(1, shield=True):
            await self._http.aclose()

    async def call(
        self, method: str, path: str, body: object = None, *, node: Node | None = None, accept: tuple[int, ...] = ()
    ) -> httpx.Response | None:
        """The answer, or None for one that is a trouble, which is recorded. `accept` are statuses besides 2xx."""
        back_off = BackOff(self.world.rng)
        node = node or self.world.rng.choice(self.world.nodes)
        while True:
            try:
                answer = await self._http.request(method, f"{node.url}{path}", json=body)
            except httpx.TransportError as error:
                self.world.ended(f"{self.member.name}, {method}", type(error).__name__)
            else:
                if answer.is_success or answer.status_code in accept:
                    return answer
                code = _code(answer)
                if code not in TRY_AGAIN:
                    self.world.trouble(self.member.name, f"{method} {path}: {answer.status_code} {code}", node)
                    return None
            await back_off.wait()
            node = self.world.rng.choice(self.world.nodes)


@attrs.define
class Author(Caller):
    """Posts messages one after the other, and edits or deletes some of them, each once."""

    pause: float = 0.1
    idle: bool = True

    @property
    def done(self) -> bool:
        return not self.world.sending and self.idle

    async def run(self) -> None:
        count = 0
        try:
            while self.world.sending:
                count += 1
                self.idle = False
                message_id = await self._post(f"{self.member.name}-{count}")
                if message_id is not None and self.world.rng.random() < 0.4:
                    await self._change(message_id)
                self.idle = True
                await trio.sleep(self.world.rng.uniform(0.5, 1.5) * self.pause)
        finally:
            await self.close()

    async def _post(self, key: str) -> str | None:
        world, node = self.world, self.member.home
        text, now = world.text(key), trio.current_time()
        world.history.sent[key] = Sent(key, world.conversation, self.member.user.id, text, node.name, now)
        body = {"conversationId": world.conversation, "text": text, "clientMessageId": key}
        answer = await self.call("POST", "/api/messages", body, node=node)
        if answer is None:
            return None
        given = answer.json()
        world.history.acked.append(Acked(key, given["id"], given["seq"], trio.current_time(), repeated=True))
        return given["id"]

    async def _change(self, message_id: str) -> None:
        world = self.world
        text = None if world.rng.random() < 0.3 else world.text("edited")
        change = Edited(message_id, text, trio.current_time(), acked=False)
        world.history.edited[message_id] = change
        path = f"/api/messages/{message_id}"
        answer = await (self.call("DELETE", path) if text is None else self.call("PATCH", path, {"text": text}))
        if answer is not None:
            world.history.edited[message_id] = attrs.evolve(change, acked=True)


@attrs.define
class Reader(Caller):
    """Reads up to the last message that anybody had acknowledged, again and again, on one node or another."""

    pause: float = 0.3

    async def run(self) -> None:
        try:
            while True:
                await trio.sleep(self.world.rng.uniform(0.5, 1.5) * self.pause)
                seq = max((each.seq for each in self.world.history.acked[-20:]), default=0)
                path = f"/api/conversations/{self.world.conversation}/read"
                if seq and await self.call("PUT", path, {"seq": seq}) is not None:
                    read = Read(self.world.conversation, self.member.user.id, seq, trio.current_time())
                    self.world.history.reads.append(read)
        finally:
            await self.close()


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["errorCode"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return answer.text[:80]
