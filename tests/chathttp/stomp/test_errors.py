import pytest

from chatcore.errors import ErrorCode
from chathttp.stomp.errors import FrameTooLargeError, StompSyntaxError, UnsupportedVersionError, quoted


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StompSyntaxError("x"), ErrorCode.VALIDATION_ERROR),
        (UnsupportedVersionError("x"), ErrorCode.VALIDATION_ERROR),
        (FrameTooLargeError("x"), ErrorCode.PAYLOAD_TOO_LARGE),
    ],
)
def test_every_error_has_its_code(error: StompSyntaxError, code: ErrorCode) -> None:
    assert error.code is code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a'b", '"a\'b"'),
        (b"GET / HTTP/1.1\r", r"'GET / HTTP/1.1\r'"),
        ("ü\n", r"'\xfc\n'"),
        (b"\xff", r"'\ufffd'"),
        ("x" * 32, "'" + "x" * 32 + "'"),
        ("x" * 33, "'" + "x" * 32 + r"\u2026'"),
        (b"x" * 40, "'" + "x" * 32 + r"\u2026'"),
    ],
)
def test_a_quotation_is_short_and_printable(text: str | bytes, shown: str) -> None:
    assert quoted(text) == shown
