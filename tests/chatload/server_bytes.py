"""What the server writes, made by the server's own encoders."""

from typing import Final
from uuid import UUID

from chatcore.errors import ErrorCode
from chathttp.stomp.acks import AckMode
from chathttp.stomp.frame import Version
from chathttp.stomp.server_frames import MessageTemplate, error, posted, receipt
from chathttp.stomp.websocket_frame import text_frame

ROOM: Final = "0190a0b0-0000-7000-8000-000000000001"
TOPIC: Final = f"/topic/conversation.{ROOM}"
_MESSAGES = MessageTemplate("m", TOPIC, Version.V12, AckMode.AUTO)
_TYPING = MessageTemplate("t", f"{TOPIC}.typing", Version.V12, AckMode.AUTO)
_ERRORS = MessageTemplate("e", "/user/queue/errors", Version.V12, AckMode.AUTO)


def message(seq: int, key: str | None, text: str = "x", *, truncated: bool = False, event: str = "created") -> bytes:
    """A STOMP MESSAGE; `key` is the `clientMessageId`."""
    mine = "null" if key is None else f'"{key}"'
    body = f'{{"conversationId":"{ROOM}","seq":{seq},"text":"{text}","clientMessageId":{mine},"replyTo":null}}'
    extra = {"history-truncated": "true"} if truncated else {}
    return _MESSAGES.encode(f"message.{event}", f"id-{seq}", seq, seq + 5, body.encode(), extra)


def typing(user_id: str, *, starts: bool, number: int = 1) -> bytes:
    body = f'{{"conversationId":"{ROOM}","userId":"{user_id}","isTyping":{str(starts).lower()}}}'
    return _TYPING.encode_signal(f"n{number}", body.encode())


def refusal(code: str, receipt_id: str | None) -> bytes:
    """What comes on the errors queue."""
    named = "" if receipt_id is None else f',"receipt":"{receipt_id}"'
    body = f'{{"errorCode":"{code}","message":"no","details":null,"destination":"/app/message.send"{named}}}'
    return _ERRORS.encode_signal("n1", body.encode())


def message_receipt(receipt_id: str, seq: int) -> bytes:
    return posted(receipt_id, Version.V12, UUID(int=seq), seq)


def plain_receipt(receipt_id: str) -> bytes:
    return receipt(receipt_id, Version.V12)


def error_frame(code: ErrorCode) -> bytes:
    return error(code, "no", Version.V12)


def frames(*payloads: bytes) -> bytes:
    """Each as a WebSocket text message."""
    return b"".join(text_frame(payload) for payload in payloads)
