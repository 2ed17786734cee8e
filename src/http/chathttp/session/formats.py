"""The frames of one subscription as ready bytes for its transport; subscriptions whose frames are equal share them."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Final, TypeAlias

from actors.conversation.subscription import Encoded
from chathttp.ids import id_text
from chathttp.stomp.acks import AckMode, make_ack_id
from chathttp.stomp.frame import Version
from chathttp.stomp.server_frames import NO_HEADERS, MessageTemplate

Framing: TypeAlias = Callable[[bytes], bytes]
"""From a STOMP frame to the bytes that a transport takes: `FrameTransport.frame`."""

TRUNCATED: Final[Mapping[str, str]] = {"history-truncated": "true"}
_signals = count(1)


@lru_cache(maxsize=4096)
def message_format(
    subscription_id: str, destination: str, version: Version, ack_mode: AckMode, framing: Framing
) -> "MessageFormat":
    """Mostly one object for equal formats: those of a conversation's subscribers, who come one after another."""
    return MessageFormat(subscription_id, destination, version, ack_mode, framing)


class MessageFormat:
    """Implements `FrameFormat`: equal for equal subscription id, destination, version, ack mode and framing."""

    __slots__ = ("_frame", "_hash", "_key", "_template", "acknowledged")

    def __init__(
        self, subscription_id: str, destination: str, version: Version, ack_mode: AckMode, framing: Framing
    ) -> None:
        self._frame = framing
        self._key = (subscription_id, destination, version, ack_mode, framing)
        self._hash = hash(self._key)
        self.acknowledged = ack_mode is not AckMode.AUTO
        self._template = MessageTemplate(subscription_id, destination, version, ack_mode)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageFormat) and other._key == self._key

    def __hash__(self) -> int:
        return self._hash

    def message_frames(self, events: Sequence[Encoded]) -> bytes:
        return self._frames(events, NO_HEADERS)

    def truncated_frames(self, events: Sequence[Encoded]) -> bytes:
        """As `message_frames`, the first with `history-truncated:true`."""
        return self._frames(events[:1], TRUNCATED) + self._frames(events[1:], NO_HEADERS)

    def notice_frame(self, body: bytes) -> bytes:
        return self._frame(self._template.encode_signal(f"n{next(_signals)}", body))

    def ack_id(self, event: Encoded) -> str:
        """What the client names when it acknowledges the frame of `event`."""
        subscription_id, _, version, _, _ = self._key
        if version is Version.V12:
            return make_ack_id(subscription_id, event.rev, str(event.message_id))
        return str(event.message_id)

    def _frames(self, events: Sequence[Encoded], extra: Mapping[str, str]) -> bytes:
        encode, frame = self._template.encode, self._frame
        return b"".join(
            [frame(encode(e.kind.value, id_text(e.message_id), e.seq, e.rev, e.body, extra)) for e in events]
        )
