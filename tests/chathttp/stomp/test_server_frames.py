import json
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.errors import ErrorCode
from chathttp.stomp import server_frames
from chathttp.stomp.acks import AckMode, subscription_of_ack
from chathttp.stomp.codec import Decoder
from chathttp.stomp.frame import Frame, Version
from chathttp.stomp.server_frames import MessageTemplate
from tests.chathttp.stomp.strategies import versions

MESSAGE_ID = "0192f0c1-0000-7000-8000-00000000000a"
TOPIC = "/topic/conversation.0192f0c1-0000-7000-8000-000000000001"
BODY = '{"text":"Grüße"}'.encode()


def read(octets: bytes, version: Version) -> Frame:
    (frame,) = Decoder(version=version).feed(octets)
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize("version", list(Version))
def test_connected(version: Version) -> None:
    frame = read(server_frames.connected(version, (10_000, 20_000), session="s-1"), version)
    assert frame == Frame.of(
        "CONNECTED",
        {"version": str(version), "heart-beat": "10000,20000", "server": "stackmentor", "session": "s-1"},
    )
    assert read(server_frames.connected(version), version).header("session") is None


@pytest.mark.parametrize("version", list(Version))
def test_receipt(version: Version) -> None:
    assert read(server_frames.receipt("a:b\\c", version), version) == Frame.of("RECEIPT", {"receipt-id": "a:b\\c"})


@pytest.mark.parametrize("version", list(Version))
def test_the_receipt_of_a_committed_message_tells_where_it_stands(version: Version) -> None:
    octets = server_frames.posted("a:b\\c", version, UUID(MESSAGE_ID), 7)
    assert read(octets, version) == Frame.of("RECEIPT", {"receipt-id": "a:b\\c", "message-id": MESSAGE_ID, "seq": "7"})


def test_error_of_a_refused_subscribe() -> None:
    octets = server_frames.error(
        ErrorCode.FORBIDDEN, "Not a member", Version.V12, subscription="sub:0", receipt_id="r-1", details={"id": "why"}
    )
    frame = read(octets, Version.V12)
    assert frame.command == "ERROR"
    assert dict(frame.headers) == {
        "message": "FORBIDDEN",
        "subscription": "sub:0",
        "receipt-id": "r-1",
        "content-type": "application/json",
        "content-length": str(len(frame.body)),
    }
    assert json.loads(frame.body) == {"errorCode": "FORBIDDEN", "message": "Not a member", "details": {"id": "why"}}


def test_error_with_more_headers_and_no_details() -> None:
    octets = server_frames.error(
        ErrorCode.VALIDATION_ERROR, "grün \ud800", Version.V10, extra={"version": "1.0,1.1,1.2"}
    )
    frame = read(octets, Version.V10)
    assert frame.header("version") == "1.0,1.1,1.2"
    assert frame.header("subscription") is None
    assert frame.header("receipt-id") is None
    assert json.loads(frame.body) == {"errorCode": "VALIDATION_ERROR", "message": "grün ?", "details": None}


def test_the_message_frame_octet_by_octet() -> None:
    template = MessageTemplate("sub-0", "/topic/x", Version.V12, AckMode.AUTO)
    assert template.encode("message.created", "m-1", 7, 9, b"{}") == (
        b"MESSAGE\nsubscription:sub-0\ndestination:/topic/x\ncontent-type:application/json\n"
        b"event:message.created\nmessage-id:m-1\nseq:7\nrev:9\ncontent-length:2\n\n{}\0"
    )


@pytest.mark.parametrize("mode", list(AckMode))
@pytest.mark.parametrize("version", list(Version))
def test_message_headers_by_version_and_ack_mode(version: Version, mode: AckMode) -> None:
    template = MessageTemplate("sub:0.x", TOPIC, version, mode)
    frame = read(template.encode("message.updated", MESSAGE_ID, 41, 57, BODY, {"history-truncated": "true"}), version)
    expected = {
        "subscription": "sub:0.x",
        "destination": TOPIC,
        "content-type": "application/json",
        "event": "message.updated",
        "message-id": MESSAGE_ID,
        "seq": "41",
        "rev": "57",
        "history-truncated": "true",
        "content-length": str(len(BODY)),
    }
    if version is Version.V12 and mode is not AckMode.AUTO:
        expected["ack"] = f"57.{MESSAGE_ID}.sub:0.x"
        assert subscription_of_ack(expected["ack"]) == "sub:0.x"
    assert dict(frame.headers) == expected
    assert frame.body == BODY


@pytest.mark.parametrize("mode", list(AckMode))
def test_a_signal_has_neither_seq_nor_rev(mode: AckMode) -> None:
    template = MessageTemplate("sub-0", f"{TOPIC}.typing", Version.V12, mode)
    frame = read(template.encode_signal("t-1", BODY, {"event": "typing"}), Version.V12)
    expected = {
        "subscription": "sub-0",
        "destination": f"{TOPIC}.typing",
        "content-type": "application/json",
        "message-id": "t-1",
        "event": "typing",
        "content-length": str(len(BODY)),
    }
    if mode is not AckMode.AUTO:
        expected["ack"] = "0.t-1.sub-0"
    assert dict(frame.headers) == expected


@settings(deadline=None)
@given(
    version=versions,
    mode=st.sampled_from(AckMode),
    subscription=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=20),
    body=st.binary(max_size=60),
)
def test_any_subscription_id_and_body_come_back(
    version: Version, mode: AckMode, subscription: str, body: bytes
) -> None:
    frame = read(MessageTemplate(subscription, TOPIC, version, mode).encode("e", MESSAGE_ID, 1, 2, body), version)
    assert frame.header("subscription") == subscription
    assert frame.body == body
    ack_id = frame.header("ack")
    assert ack_id is None or subscription_of_ack(ack_id) == subscription


@pytest.mark.parametrize("version", list(Version))
def test_what_was_read_by_other_rules_is_echoed_as_far_as_it_can_be(version: Version) -> None:
    (frame,) = Decoder().feed(b"SEND\nreceipt: a\\n\\r\\c\\\\b \n\n\0")
    assert isinstance(frame, Frame)
    echo = {Version.V10: "a:\\b", Version.V11: "a\n:\\b", Version.V12: " a\n\r:\\b "}[version]
    assert read(server_frames.receipt(frame.header("receipt") or "", version), version).header("receipt-id") == echo


@settings(deadline=None)
@given(version=versions, text=st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_breaks_a_server_frame(version: Version, text: str) -> None:
    assert read(server_frames.receipt(text, version), version).command == "RECEIPT"
    assert read(server_frames.error(ErrorCode.NOT_FOUND, text, version, subscription=text), version).command == "ERROR"
    message = MessageTemplate(text, text, version, AckMode.CLIENT).encode("e", MESSAGE_ID, 1, 2, BODY, {"x": text})
    assert read(message, version).body == BODY
