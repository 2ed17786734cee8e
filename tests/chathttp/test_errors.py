import json

from chatcore.errors import ChatError, ErrorCode, invalid
from chathttp.errors import EDGE, error_body, internal_error, may_reconnect, refused_send_body


def test_every_code_has_the_status_of_the_contract() -> None:
    assert {code.value: edge.status for code, edge in EDGE.items()} == {
        "VALIDATION_ERROR": 400,
        "UNAUTHORIZED": 401,
        "INVALID_CREDENTIALS": 401,
        "TOKEN_EXPIRED": 401,
        "FORBIDDEN": 403,
        "EMAIL_NOT_VERIFIED": 403,
        "NOT_FOUND": 404,
        "METHOD_NOT_ALLOWED": 405,
        "CONFLICT": 409,
        "PAYLOAD_TOO_LARGE": 413,
        "UNSUPPORTED_MEDIA_TYPE": 415,
        "RATE_LIMITED": 429,
        "INTERNAL_ERROR": 500,
        "OVERLOADED": 503,
        "UNAVAILABLE": 503,
    }
    assert set(EDGE) == set(ErrorCode)


def test_malformed_unauthenticated_and_too_big_are_final_and_the_rest_reconnect() -> None:
    assert [code for code in (1002, 1008, 1009, 1011, 1012, 1013) if may_reconnect(code)] == [1011, 1012, 1013]
    assert EDGE[ErrorCode.UNAVAILABLE].may_reconnect
    assert not EDGE[ErrorCode.TOKEN_EXPIRED].may_reconnect


def test_the_error_body_has_the_contracts_three_fields() -> None:
    assert json.loads(error_body(invalid("text", "must not be blank"))) == {
        "errorCode": "VALIDATION_ERROR",
        "message": "text: must not be blank",
        "details": {"text": "must not be blank"},
    }
    assert json.loads(error_body(internal_error()))["details"] is None


def test_a_refused_send_names_its_destination_and_its_receipt_only_if_it_had_one() -> None:
    error = ChatError(ErrorCode.RATE_LIMITED, "Slow down")
    assert json.loads(refused_send_body(error, "/app/message.send", "r1")) == {
        "errorCode": "RATE_LIMITED",
        "message": "Slow down",
        "details": None,
        "destination": "/app/message.send",
        "receipt": "r1",
    }
    assert "receipt" not in json.loads(refused_send_body(invalid("text", "x"), "/app/message.send"))
