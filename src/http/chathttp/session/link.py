"""What a session says to its client outside the conversations: receipts, errors, and the end."""

from collections.abc import Mapping
from uuid import UUID

from chatcore.errors import ChatError, ErrorCode
from chathttp.edge.transport import FrameTransport
from chathttp.errors import CLOSE_POLICY, refused_send_body
from chathttp.identity.verifier import Principal
from chathttp.session.formats import MessageFormat
from chathttp.stomp import server_frames
from chathttp.stomp.frame import Version
from chathttp.stomp.server_frames import NO_HEADERS


class Link:
    """One connection's way out, and whom it belongs to."""

    __slots__ = ("_error_queues", "_principal", "transport", "version")

    def __init__(self, transport: FrameTransport) -> None:
        self.transport = transport
        self.version = Version.V12
        self._error_queues: dict[str, MessageFormat] | None = None
        self._principal: Principal | None = None

    @property
    def principal(self) -> Principal:
        """Raises `UNAUTHORIZED` before CONNECT."""
        if self._principal is None:
            raise ChatError(ErrorCode.UNAUTHORIZED, "CONNECT comes first")
        return self._principal

    @principal.setter
    def principal(self, principal: Principal) -> None:
        self._principal = principal

    @property
    def user_id(self) -> UUID | None:
        """None before CONNECT."""
        return None if self._principal is None else self._principal.user_id

    def add_error_queue(self, subscription_id: str, frame_format: MessageFormat) -> None:
        """The client has subscribed to `/user/queue/errors`."""
        if self._error_queues is None:
            self._error_queues = {}
        self._error_queues[subscription_id] = frame_format

    def drop_error_queue(self, subscription_id: str) -> None:
        """Nothing happens when that subscription was to something else."""
        if self._error_queues is not None:
            self._error_queues.pop(subscription_id, None)

    def write(self, payload: bytes) -> None:
        self.transport.offer(self.transport.frame(payload))

    def receipt(self, receipt_id: str | None) -> None:
        """Nothing when none was asked for."""
        if receipt_id is not None:
            self.write(server_frames.receipt(receipt_id, self.version))

    def error(self, error: ChatError, *, subscription: str | None = None, receipt_id: str | None = None) -> None:
        """An ERROR frame; the connection stays."""
        self.write(
            server_frames.error(
                error.code,
                error.message,
                self.version,
                details=error.details,
                subscription=subscription,
                receipt_id=receipt_id,
            )
        )

    def refuse_send(self, error: ChatError, destination: str, receipt_id: str | None) -> None:
        """The contract's answer to a SEND that was refused: an event on the errors queue, and no RECEIPT."""
        body = refused_send_body(error, destination, receipt_id)
        for frame_format in (self._error_queues or {}).values():
            self.transport.offer(frame_format.notice_frame(body))

    def end(
        self,
        error: ChatError,
        close_code: int = CLOSE_POLICY,
        extra: Mapping[str, str] = NO_HEADERS,
        receipt_id: str | None = None,
    ) -> None:
        """An ERROR frame, then the closing handshake."""
        frame = server_frames.error(
            error.code, error.message, self.version, details=error.details, receipt_id=receipt_id, extra=extra
        )
        self.write(frame)
        self.transport.close(close_code, error.code.value)
