"""One STOMP connection from CONNECT to its end."""

from collections.abc import Container, Coroutine, Sequence
from typing import assert_never
from urllib.parse import parse_qs
from uuid import UUID

import trio

from chatcore.errors import ChatError, ErrorCode
from chathttp.edge.transport import ConnectionEnded, FrameTransport, HandshakeInfo
from chathttp.errors import CLOSE_MALFORMED, CLOSE_TOO_BIG
from chathttp.identity.verifier import bearer_token
from chathttp.session.inspection import SessionFigures
from chathttp.session.link import Link
from chathttp.session.liveness import Liveness
from chathttp.session.sending import Sender
from chathttp.session.services import SessionServices
from chathttp.session.subscribing import Subscriber
from chathttp.stomp import server_frames
from chathttp.stomp.commands import (
    Abort,
    Ack,
    Begin,
    Command,
    Commit,
    Connect,
    Disconnect,
    Nack,
    Refused,
    Send,
    Subscribe,
    Unsubscribe,
)
from chathttp.stomp.decoder import Decoder
from chathttp.stomp.errors import FrameTooLargeError, StompSyntaxError, UnsupportedVersionError
from chathttp.stomp.frame import Frame, HeartBeat
from chathttp.stomp.session_state import StompServerProtocol
from chathttp.stomp.version import SUPPORTED

CLOSE_NORMAL = 1000


def serve_session(
    services: SessionServices, transport: FrameTransport, handshake: HandshakeInfo
) -> Coroutine[object, object, None]:
    """Speak STOMP on `transport` until either side ends it. Returns then; whatever it subscribed to is released."""
    authorization = handshake.header(b"authorization")
    token = _query_token(handshake.query) if authorization is None else authorization.decode("latin-1")
    # The coroutine itself, not one that waits for it: of these there is one for each connection.
    return _Session(services, transport, handshake.subprotocol, token).run()


def _query_token(query: bytes) -> str | None:
    values = parse_qs(query.decode("latin-1")).get("access_token")
    return f"Bearer {values[0]}" if values else None


class _Session:
    """The reading side: frames in order to what performs them. SENDs do not wait for their commits."""

    __slots__ = (
        "_decoder",
        "_handshake_token",
        "_link",
        "_liveness",
        "_present",
        "_protocol",
        "_refused",
        "_sender",
        "_services",
        "_subscriber",
        "_transport",
    )

    def __init__(
        self,
        services: SessionServices,
        transport: FrameTransport,
        subprotocol: str | None,
        handshake_token: str | None,
    ) -> None:
        policy = services.policy
        self._services = services
        self._transport = transport
        self._handshake_token = handshake_token
        self._link = Link(transport)
        self._present: UUID | None = None
        self._refused: Frame | None = None
        self._decoder = Decoder(policy.stomp)
        self._protocol = StompServerProtocol(
            policy.connection, subprotocol, heartbeat_offer=(policy.heartbeat_ms, policy.heartbeat_ms)
        )
        self._liveness = Liveness(services, self._link)
        self._sender: Sender | None = None
        self._subscriber = Subscriber(services, self._link, self._protocol)

    async def run(self) -> None:
        self._liveness.await_connect()
        self._services.running.add(self)
        try:
            while True:
                await self._take(await self._transport.receive())
                if self._subscriber.has_replays:
                    await self._read_while_replaying()
        except ConnectionEnded:
            return
        except StompSyntaxError as error:
            close_code = CLOSE_TOO_BIG if isinstance(error, FrameTooLargeError) else CLOSE_MALFORMED
            extra = {"version": SUPPORTED} if isinstance(error, UnsupportedVersionError) else server_frames.NO_HEADERS
            receipt = None if self._refused is None else self._refused.header("receipt")
            self._link.end(ChatError(error.code, str(error)), close_code, extra, receipt_id=receipt)
            # The decoder keeps the error, and its traceback would keep this session.
            error.__traceback__ = None
            await self._drain()
        except _Refuse as refusal:
            self._link.end(refusal.error)
            await self._drain()
        finally:
            self._close()

    def inspect(self) -> SessionFigures:
        return SessionFigures(
            self._transport,
            self._link.user_id,
            len(self._subscriber),
            0 if self._sender is None else self._sender.in_flight,
            *self._liveness.terms,
        )

    def end_for(self, user_ids: Container[UUID], error: ChatError) -> None:
        user_id = self._link.user_id
        if user_id is not None and user_id in user_ids:
            self._link.end(error)

    async def _read_while_replaying(self) -> None:
        """Read on while something is replayed. There is a nursery only then: most connections wait most of the time."""
        end: Exception | None = None
        async with trio.open_nursery() as replays:
            try:
                while self._subscriber.has_replays or replays.child_tasks:
                    self._subscriber.start_replays(replays)
                    await self._take(await self._transport.receive())
            except (ConnectionEnded, StompSyntaxError, _Refuse) as error:
                end = error
                replays.cancel_scope.cancel()
        if end is not None:
            try:
                raise end
            finally:
                # The exception refers to this frame, and so to the connection.
                end = None

    async def _take(self, message: bytes | str) -> None:
        data = message.encode() if isinstance(message, str) else message
        if self._protocol.connected:
            send = self._decoder.whole_send(data)
            if send is not None:
                await self._sends.send(send)
                return
        frame = self._decoder.whole_message(data)
        if frame is not None:
            await self._perform_frame(frame)
            return
        await self._perform_all(self._decoder.feed(data))
        await self._perform_all(self._decoder.end_of_message())

    def _close(self) -> None:
        if self._present is not None:
            self._services.presence.left(self._present)
        self._services.running.discard(self)
        self._liveness.stop()
        if self._sender is not None and self._protocol.connected:
            self._sender.stop_typing()
        # It refers back to here for renewing tokens.
        self._sender = None
        self._subscriber.close()

    async def _drain(self) -> None:
        """The closing handshake is under way: what still comes is not looked at."""
        try:
            while True:
                await self._transport.receive()
        except ConnectionEnded:
            return

    async def _perform_all(self, items: Sequence[Frame | HeartBeat]) -> None:
        for item in items:
            if not isinstance(item, HeartBeat):
                await self._perform_frame(item)

    async def _perform_frame(self, frame: Frame) -> None:
        try:
            command = self._protocol.receive(frame)
        except StompSyntaxError:
            self._refused = frame
            raise
        if command is not None:
            await self._perform(command)

    async def _perform(self, command: Command) -> None:
        match command:
            case Send():
                await self._sends.send(command)
            case Subscribe():
                self._subscriber.subscribe(command)
            case Unsubscribe():
                self._subscriber.unsubscribe(command)
            case Ack():
                self._subscriber.acknowledge(command)
            case Nack():
                self._subscriber.not_acknowledged(command)
            case Begin() | Abort():
                self._link.receipt(command.receipt)
            case Commit():
                for item in command.items:
                    await self._perform(item)
                await self._settle()
                self._link.receipt(command.receipt)
            case Connect():
                self._connect(command)
            case Disconnect():
                await self._settle()
                self._link.receipt(command.receipt)
                self._transport.close(CLOSE_NORMAL)
            case Refused():
                self._refuse(command)
            case _:
                assert_never(command)

    @property
    def _sends(self) -> Sender:
        """Made when the client first sends something."""
        if self._sender is None:
            self._sender = Sender(self._services, self._link, self._renew)
        return self._sender

    async def _settle(self) -> None:
        if self._sender is not None:
            await self._sender.settle()

    def _connect(self, command: Connect) -> None:
        self._link.version = command.version
        self._decoder.version = command.version
        try:
            token = bearer_token(command.authorization or self._handshake_token)
            principal = self._services.verifier.verify(token, self._services.now())
        except ChatError as error:
            raise _Refuse(error) from None
        self._link.principal = principal
        self._handshake_token = None
        self._present = principal.user_id
        self._services.presence.came(principal.user_id)
        heartbeat = self._services.policy.heartbeat_ms
        self._link.write(server_frames.connected(command.version, (heartbeat, heartbeat)))
        self._liveness.connected(command.heartbeat, principal.expires_at)

    def _renew(self, token: str) -> None:
        """A newer token of the same user. Raises `ChatError`."""
        principal = self._services.verifier.verify(token, self._services.now())
        if principal.user_id != self._link.principal.user_id:
            raise ChatError(ErrorCode.UNAUTHORIZED, "The access token is another user's")
        self._link.principal = principal
        self._liveness.expires_at(principal.expires_at)

    def _refuse(self, refused: Refused) -> None:
        error = ChatError(refused.code, refused.message)
        if refused.destination is not None:
            self._link.refuse_send(error, refused.destination, refused.receipt)
        else:
            self._link.error(error, subscription=refused.subscription, receipt_id=refused.receipt)


class _Refuse(Exception):  # ends the session in its own way, never leaves this module
    """CONNECT was refused."""

    def __init__(self, error: ChatError) -> None:
        super().__init__(error.message)
        self.error = error
