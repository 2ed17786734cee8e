import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.errors import ChatError, ErrorCode
from chatcore.model import (
    Conversation,
    ConversationType,
    Event,
    EventKind,
    Mark,
    Message,
    Notification,
    NotificationType,
    Participant,
    Role,
    User,
)
from chathttp.wire import (
    JsonBodyEncoder,
    conversation_json,
    decode_auth_refresh,
    decode_read,
    decode_send_message,
    decode_typing,
    timestamp,
    to_json,
    user_json,
)

CID = UUID("018f0000-0000-7000-8000-000000000001")
MID = UUID("018f0000-0000-7000-8000-000000000002")
ALICE = UUID("018f0000-0000-7000-8000-00000000000a")
BOB = UUID("018f0000-0000-7000-8000-00000000000b")
AT = datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=UTC)


def message(seq: int = 7) -> Message:
    return Message(
        id=MID,
        conversation_id=CID,
        seq=seq,
        rev=9,
        created_rev=8,
        sender_id=ALICE,
        sender_name="Alice",
        text="hé",
        created_at=AT,
    )


def participant(user_id: UUID, read: int) -> Participant:
    return Participant(
        user_id=user_id, name="N", role=Role.OWNER, joined_at=AT, last_read_seq=read, last_delivered_seq=read
    )


def conversation(read: int) -> Conversation:
    return Conversation(
        id=CID,
        type=ConversationType.GROUP,
        name="G",
        avatar_url=None,
        participants=(participant(ALICE, 7), participant(BOB, read)),
        first_seq=1,
        last_seq=7,
        rev=9,
        last_message=message(),
        created_at=AT,
        updated_at=AT,
    )


@pytest.mark.contract("Message has all fields")
def test_a_live_message_has_all_fields_of_the_contract_and_is_unread() -> None:
    assert json.loads(JsonBodyEncoder().message(Event(kind=EventKind.CREATED, rev=8, message=message()))) == {
        "id": str(MID),
        "conversationId": str(CID),
        "seq": 7,
        "rev": 9,
        "senderId": str(ALICE),
        "senderName": "Alice",
        "text": "hé",
        "attachmentUrls": [],
        "timestamp": "2026-01-02T03:04:05.678Z",
        "isRead": False,
        "clientMessageId": None,
        "replyTo": None,
        "editedAt": None,
        "deletedAt": None,
        "reactions": [],
    }


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # hypothesis wants naive bounds
def test_times_have_three_decimals_and_lose_less_than_a_millisecond(time: datetime) -> None:
    written = timestamp(time)
    assert len(written) == 24
    assert timedelta(0) <= time - datetime.fromisoformat(written) < timedelta(milliseconds=1)


def test_a_conversation_is_read_with_the_readers_own_mark() -> None:
    body = json.loads(to_json(conversation_json(conversation(read=5), BOB)))
    assert (body["unreadCount"], body["lastMessage"]["isRead"]) == (2, False)
    assert body["participants"][1] == {
        "userId": str(BOB),
        "name": "N",
        "role": "owner",
        "joinedAt": "2026-01-02T03:04:05.678Z",
        "lastReadSeq": 5,
        "lastDeliveredSeq": 5,
    }
    assert json.loads(to_json(conversation_json(conversation(read=5), ALICE)))["unreadCount"] == 0


@pytest.mark.parametrize(("live", "shown"), [(6, 6), (4, 5)])
def test_a_live_mark_shows_where_it_is_ahead_of_the_stored_one(live: int, shown: int) -> None:
    marks = {BOB: Mark(user_id=BOB, read_seq=live, delivered_seq=live)}
    body = json.loads(to_json(conversation_json(conversation(read=5), BOB, marks)))
    assert body["participants"][1]["lastReadSeq"] == shown
    assert body["unreadCount"] == 7 - shown


def test_an_email_is_shown_to_its_owner_only() -> None:
    user = User(id=ALICE, email="alice@example.com", name="Alice", profile_picture_url=None, created_at=AT)
    assert user_json(user, ALICE).email == "alice@example.com"
    assert user_json(user, BOB).email is None


def test_typing_and_mark_events() -> None:
    encoder = JsonBodyEncoder()
    assert json.loads(encoder.typing(CID, ALICE, is_typing=True)) == {
        "conversationId": str(CID),
        "userId": str(ALICE),
        "isTyping": True,
    }
    assert json.loads(encoder.mark(CID, ALICE, read_seq=3, delivered_seq=4)) == {
        "conversationId": str(CID),
        "userId": str(ALICE),
        "lastReadSeq": 3,
        "lastDeliveredSeq": 4,
    }


def test_notifications_bear_only_what_their_type_has() -> None:
    encoder = JsonBodyEncoder()
    assert json.loads(encoder.notification(Notification(NotificationType.PARTICIPANT_REMOVED, CID, user_id=BOB))) == {
        "type": "participant.removed",
        "conversationId": str(CID),
        "userId": str(BOB),
    }
    created = json.loads(
        encoder.notification(Notification(NotificationType.MESSAGE_CREATED, CID, message=message(), unread_count=3))
    )
    assert created == {
        "type": "message.created",
        "conversationId": str(CID),
        "messageId": str(MID),
        "seq": 7,
        "senderId": str(ALICE),
        "senderName": "Alice",
        "preview": "hé",
        "unreadCount": 3,
    }


def send_body(**changes: object) -> bytes:
    return json.dumps({"conversationId": str(CID), "text": "hi"} | changes).encode()


def test_a_send_with_only_the_needed_fields_is_taken_and_unknown_fields_are_ignored() -> None:
    body = decode_send_message(send_body(nobody="knows"))
    assert (body.conversation_id, body.text, body.client_message_id, body.reply_to) == (CID, "hi", None, None)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'{"x":' + b"[" * 100_000, "body"),
        (b'{"text":"\xff"}', "body"),
        (send_body(text="a\ud800b"), "body"),
        (b'{"text":"x"}', "conversationId"),
        (send_body(conversationId="nope"), "conversationId"),
        (send_body(text=5), "text"),
        (send_body(text=" "), "text"),
        (send_body(text="a\x00"), "text"),
        (send_body(clientMessageId=""), "clientMessageId"),
        (send_body(clientMessageId="a\x00"), "clientMessageId"),
        (send_body(replyTo="x"), "replyTo"),
        (send_body(attachmentIds=["x"]), "attachmentIds"),
        (send_body(attachmentIds=[str(MID), str(MID)]), "attachmentIds"),
    ],
)
def test_a_send_that_does_not_fit_is_refused_naming_the_field(data: bytes, field: str) -> None:
    with pytest.raises(ChatError) as error:
        decode_send_message(data)
    assert error.value.code is ErrorCode.VALIDATION_ERROR
    assert error.value.details is not None
    assert list(error.value.details) == [field]


@given(st.binary(max_size=64))
def test_no_bytes_crash_a_decoder(data: bytes) -> None:
    for decode in (decode_send_message, decode_typing, decode_read, decode_auth_refresh):
        with pytest.raises(ChatError):
            decode(data)


@pytest.mark.parametrize("seq", [-1, 2**63, "1", 1.5])
def test_a_read_mark_must_be_a_seq(seq: object) -> None:
    with pytest.raises(ChatError) as error:
        decode_read(json.dumps({"conversationId": str(CID), "seq": seq}).encode())
    assert error.value.details is not None
    assert list(error.value.details) == ["seq"]
