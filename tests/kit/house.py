"""A node without a network: real actors and sessions over in-memory storage."""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from uuid import UUID, uuid4

import attrs
import trio
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from actors.adapters.memory import MemoryChat
from actors.adapters.memory.attachments import MemoryAttachmentStore
from actors.adapters.memory.presence import MemoryPresenceStore
from actors.bridge.alone import Alone
from actors.conversation.directory import Conversations, supervise_conversations
from actors.conversation.messages import ConversationMessage
from actors.conversation.policy import ConversationPolicy
from actors.conversation.room import ConversationServices
from actors.identity_ports import Account
from actors.presence.actor import Presence
from actors.presence.policy import PresencePolicy
from actors.runtime.ref import Ref
from actors.runtime.spec import RestartIntensity
from actors.users.actor import Users
from chatcore.model import ConversationType
from chathttp.edge.timer_wheel import Timers
from chathttp.edge.transport import HandshakeInfo
from chathttp.identity.keys import SigningKey, SigningKeys
from chathttp.identity.tokens import TokenMint
from chathttp.identity.verifier import TokenVerifier
from chathttp.rate import RateLimiter
from chathttp.session.services import SessionPolicy, SessionServices
from chathttp.session.session import serve_session
from chathttp.stomp.limits import StompLimits
from chathttp.stomp.session_state import ConnectionLimits
from chathttp.wire import JsonBodyEncoder
from tests.kit.attachments import attachment_desk
from tests.kit.session import MemoryClient, MemoryTransport, handshake

ISSUER, CLIENT_ID = "https://identity.test", "test-app"
POLICY = SessionPolicy(
    stomp=StompLimits(),
    connection=ConnectionLimits(),
    max_sends_in_flight=4,
    connect_timeout=10.0,
    heartbeat_ms=10_000,
    ping_interval=30.0,
    ping_timeout=60.0,
    ask_timeout=15.0,
    mailbox_timeout=5.0,
    replay_limit=1000,
    replay_page=200,
)


@cache
def signing_keys() -> SigningKeys:
    return SigningKeys([SigningKey("test", generate_private_key(65537, 2048))])


@attrs.define
class House:
    """`services` may be replaced before a session starts."""

    chat: MemoryChat
    conversations: Conversations
    users: Users
    presence: Presence
    services: SessionServices
    nursery: trio.Nursery

    async def user(self, name: str) -> UUID:
        user_id = uuid4()
        await self.chat.users.add(user_id, f"{name}-{user_id}@example.com", name)
        return user_id

    async def group(self, owner: UUID, *others: UUID) -> UUID:
        conversation, _ = await self.chat.conversations.create(
            uuid4(), ConversationType.GROUP, owner, others, "group", None
        )
        return conversation.id

    def token(self, user_id: UUID, lifetime: float = 3600.0) -> str:
        account = Account(user_id, "a@example.com", "A", None, confirmed=True)
        mint = TokenMint(signing_keys(), issuer=ISSUER, client_id=CLIENT_ID, lifetime=lifetime)
        now = datetime.fromtimestamp(self.services.now(), UTC)
        return mint.access_token(account, now, uuid4(), now)

    def open(self, request: HandshakeInfo | None = None) -> MemoryClient:
        """A WebSocket that has said nothing yet."""
        transport = MemoryTransport()
        self.nursery.start_soon(serve_session, self.services, transport, request or handshake())
        return MemoryClient(transport)

    async def client(self, user_id: UUID, heart_beat: str = "0,0") -> MemoryClient:
        """A connected client."""
        client = self.open().connect(self.token(user_id), heart_beat)
        await client.expect("CONNECTED")
        return client

    async def clients(self, user_ids: Sequence[UUID]) -> list[MemoryClient]:
        return [await self.client(user_id) for user_id in user_ids]


@asynccontextmanager
async def open_house(
    session_policy: SessionPolicy = POLICY, conversation_policy: ConversationPolicy | None = None
) -> AsyncGenerator[House]:
    """Runs until the block ends. The wall clock is Trio's, so a `MockClock` rules the tokens too."""
    chat = MemoryChat(lambda: datetime.fromtimestamp(trio.current_time(), UTC))
    users = Users(1000)
    rng = random.Random(1)

    def live(conversation_id: UUID) -> Ref[ConversationMessage] | None:
        return conversations.live(conversation_id)

    presence = Presence(
        MemoryPresenceStore(60.0),
        Alone(),
        live,
        new_id=uuid4,
        now=lambda: datetime.fromtimestamp(trio.current_time(), UTC),
        policy=PresencePolicy(lifetime=60.0),
    )
    conversations = supervise_conversations(
        ConversationServices(
            chat.log,
            chat.history,
            chat.conversations,
            users,
            JsonBodyEncoder(),
            conversation_policy or ConversationPolicy(),
            Alone(),
            presence,
            chat.groups,
        ),
        max_conversations=100,
        intensity=RestartIntensity(3, 30.0),
        rng=rng,
    )
    timers = Timers()
    services = SessionServices(
        conversations=conversations,
        users=users,
        presence=presence,
        history=chat.history,
        attachments=attachment_desk(MemoryAttachmentStore(chat.state), chat.standings),
        encoder=JsonBodyEncoder(),
        verifier=TokenVerifier(signing_keys(), issuer=ISSUER, client_id=CLIENT_ID),
        send_limiter=RateLimiter[UUID](20.0, 40),
        timers=timers,
        replay_readers=trio.CapacityLimiter(4),
        now=trio.current_time,
        new_id=uuid4,
        policy=session_policy,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(conversations.run)
        nursery.start_soon(users.run)
        nursery.start_soon(presence.run)
        nursery.start_soon(timers.run)
        yield House(chat, conversations, users, presence, services, nursery)
        nursery.cancel_scope.cancel()
