"""The REST application over in-memory stores and real conversation actors."""

import json
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import attrs
import trio
from quart_trio import QuartTrio

from actors.adapters.disk.objects import DiskObjects
from actors.adapters.memory.attachments import MemoryAttachmentStore
from actors.adapters.memory.devices import MemoryDevices
from actors.adapters.memory.features import MemoryFeatureStore
from actors.adapters.memory.pages import MemoryHistoryPages
from actors.attachments.desk import AttachmentDesk, AttachmentPolicy
from actors.bridge.alone import Alone
from actors.caching.cache import Cache
from actors.caching.relations import CachedRelations
from actors.caching.users import CachedUserDirectory
from actors.conversation.directory import Conversations, supervise_conversations
from actors.conversation.messages import Refresh
from actors.conversation.policy import ConversationPolicy
from actors.conversation.room import ConversationServices
from actors.features.actor import Features
from actors.identity_ports import Account
from actors.privacy.erasure import Erasures
from actors.privacy.export import Exports
from actors.runtime.spec import RestartIntensity
from actors.users.actor import Users
from actors.users.messages import Notify
from chathttp.attachments.transfers import ServedFiles, Transfers
from chathttp.identity.config import IdentityConfig
from chathttp.identity.tokens import TokenMint
from chathttp.ids import IdSource
from chathttp.policies import block_cache_policy, erasure_policy, export_policy, user_cache_policy
from chathttp.rate import RateLimiter
from chathttp.rest.app import create_app
from chathttp.rest.services import Health, HealthState, Services
from chathttp.settings import Settings
from chathttp.wire import JsonBodyEncoder
from tests.kit.attachments import POLICY, attachment_desk, members_of
from tests.kit.identity import IdentityKit, open_identity
from tests.kit.openapi import check_answer
from tests.kit.presence import Nobody, SeenUsers

PEER = "203.0.113.5"


@attrs.frozen
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The errorCode; the body has the three fields of every error, and no other."""
        parsed = self.json
        assert set(parsed) == {"errorCode", "message", "details"}
        return parsed["errorCode"]

    @property
    def field(self) -> str:
        """The field that a `VALIDATION_ERROR` is about."""
        assert (self.status, self.error) == (400, "VALIDATION_ERROR"), self.body
        (field,) = self.json["details"]
        return field


@attrs.define
class HealthSwitch:
    database: HealthState = HealthState.UP
    redis: HealthState = HealthState.UP
    ready: bool = True
    alive: bool = True


@attrs.define
class RestKit:
    app: QuartTrio
    identity: IdentityKit
    conversations: Conversations
    health: HealthSwitch
    notified: list[Notify]
    presence: SeenUsers
    mint: TokenMint
    attachments: AttachmentDesk

    async def user(self, name: str, groups: tuple[str, ...] = ()) -> tuple[UUID, str]:
        """A user and his token."""
        account = Account(uuid4(), f"{name}@example.com", name, None, confirmed=True, groups=groups)
        await self.identity.stores.create([account])
        now = self.identity.clock()
        return account.user_id, self.mint.access_token(account, now, uuid4(), now)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        peer: str = PEER,
    ) -> Answer:
        """One request; its answer is held against the OpenAPI document. `data` is a body sent as it is."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            data = json.dumps(body).encode()
        client: Any = self.app.test_client()
        response = await client.open(
            path, method=method, headers=sent, data=data, scope_base={"client": (peer, 40_000)}
        )
        received: bytes = await response.get_data(as_text=False)
        answer = Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            received,
        )
        check_answer(method, path.partition("?")[0], answer.status, dict(answer.headers), answer.body)
        return answer

    async def group(self, token: str, *others: UUID) -> str:
        """A new group's id."""
        given = {"type": "GROUP", "participantIds": [str(each) for each in others], "name": "Group"}
        answer = await self.call("POST", "/api/conversations", given, token=token)
        assert answer.status == 201
        return answer.json["id"]

    async def send(self, token: str, conversation_id: str, text: str = "hi", **more: object) -> Answer:
        given = {"conversationId": conversation_id, "text": text} | more
        return await self.call("POST", "/api/messages", given, token=token)


@asynccontextmanager
async def open_rest(
    settings: Settings | None = None,
    identity: IdentityConfig | None = None,
    directory: Path | None = None,
    policy: AttachmentPolicy = POLICY,
    transfers: Transfers | None = None,
) -> AsyncGenerator[RestKit]:
    """Runs until the block ends. With a `directory` attachments are served from there."""
    settings = settings or Settings()
    kit = await open_identity(IdentityConfig.from_settings(settings))
    chat, users = kit.chat, Users(1000)
    conversations = supervise_conversations(
        ConversationServices(
            chat.log,
            chat.history,
            chat.conversations,
            users,
            JsonBodyEncoder(),
            ConversationPolicy(max_members=settings.max_group_size),
            Alone(),
            Nobody(),
            chat.groups,
        ),
        max_conversations=100,
        intensity=RestartIntensity(3, 30.0),
        rng=random.Random(1),
    )
    notified: list[Notify] = []
    features = Features(
        MemoryFeatureStore(), limit=settings.max_features, refresh_seconds=60.0, tell_others=lambda: None
    )
    disk = None if directory is None else DiskObjects(directory, kit.clock.seconds)
    rows = MemoryAttachmentStore(chat.state)
    attachments = attachment_desk(rows, chat.standings, disk, policy, now=kit.clock)
    presence = SeenUsers()
    health = HealthSwitch()
    exports = Exports(chat.export, chat.claims, export_policy(settings), uuid4)
    erasures = Erasures(
        chat.erasures,
        kit.erased,
        lambda: conversations,
        erasure_policy(settings),
        holder=uuid4(),
        changed=lambda conversation_id, _: conversations.ref(conversation_id).tell(Refresh()),
        new_id=IdSource(),
    )
    services = Services(
        settings=settings,
        verifier=kit.verifier,
        identity=kit.service,
        history=chat.history,
        pages=MemoryHistoryPages(chat.history),
        store=chat.conversations,
        relations=CachedRelations(
            chat.relations, Cache("blocks", block_cache_policy(settings)), changed=lambda _: None
        ),
        users=CachedUserDirectory(chat.users, Cache("users", user_cache_policy(settings)), changed=lambda _: None),
        standings=chat.standings,
        members=members_of(chat.standings),
        search=chat.search,
        features=features,
        devices=MemoryDevices(),
        conversations=conversations,
        tell_users=notified.append,
        presence=presence,
        send_limiter=RateLimiter[UUID](settings.send_rate, settings.send_burst),
        exports=exports,
        erasures=erasures,
        health=Health(
            {"database": lambda: health.database, "redis": lambda: health.redis},
            ready=lambda: health.ready,
            alive=lambda: health.alive,
        ),
        now=kit.clock.seconds,
        new_id=uuid4,
        attachments=attachments,
        served_files=None if disk is None else ServedFiles(disk, transfers or Transfers(4, 60.0, 5.0)),
    )
    mint = TokenMint(kit.keys, issuer=kit.config.issuer, client_id=kit.config.client_id, lifetime=3600.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(conversations.run)
        nursery.start_soon(features.run)
        nursery.start_soon(erasures.run)
        yield RestKit(create_app(services), kit, conversations, health, notified, presence, mint, attachments)
        nursery.cancel_scope.cancel()
