"""RS256 signatures, held to what PyJWT accepts."""

import json
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from chathttp.identity.keys import SigningKeys, make_key, parse_key
from chathttp.identity.signatures import verified_payload

KEY, OTHER = parse_key(make_key()), parse_key(make_key())
KEYS = SigningKeys([OTHER, KEY])
PAYLOAD = b'{"sub":"someone"}'


def part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: bytes, payload: bytes = PAYLOAD) -> str:
    """Whatever the header says, signed by our key."""
    text = f"{part(header)}.{part(payload)}"
    return f"{text}.{part(KEY.private.sign(text.encode(), PKCS1v15(), SHA256()))}"


def header(**more: object) -> bytes:
    return json.dumps({"alg": "RS256", "kid": KEY.kid, **more}).encode()


GOOD = signed(header(typ="JWT"))


def accepted_by_pyjwt(token: str) -> bytes | None:
    try:
        payload: bytes = jwt.PyJWS().decode(token, KEY.private.public_key(), algorithms=["RS256"])
    except (jwt.PyJWTError, ValueError):
        return None
    return payload


def test_a_good_signature_gives_the_payload() -> None:
    assert verified_payload(GOOD, KEYS) == accepted_by_pyjwt(GOOD) == PAYLOAD


@given(st.integers(0, len(GOOD) - 1), st.text(max_size=3), st.integers(0, 3))
def test_a_changed_token_is_accepted_only_where_pyjwt_accepts_it(at: int, insert: str, remove: int) -> None:
    token = GOOD[:at] + insert + GOOD[at + remove :]
    payload = verified_payload(token, KEYS)
    assert payload is None or payload == accepted_by_pyjwt(token) == PAYLOAD


@pytest.mark.parametrize(
    "bad",
    [
        header(crit=["exp"]),
        header(b64=False, crit=["b64"]),
        header(b64=False),
        header(alg="none"),
        header(alg="HS256"),
        header(alg="RS512"),
        header(alg=["RS256"]),
        header(kid="unknown"),
        header(kid=OTHER.kid),
        header(kid=None),
        b"[]",
        b"{",
        b"[" * 5_000,
        b'{"alg":"RS256","kid":"\xff"}',
    ],
)
def test_a_header_that_asks_for_anything_else_is_refused_though_our_key_has_signed_it(bad: bytes) -> None:
    assert verified_payload(signed(bad), KEYS) is None


@pytest.mark.parametrize("token", ["", ".", "..", "...", GOOD + ".", GOOD + "=", GOOD + "\n", " " + GOOD, GOOD[:-30]])
def test_what_is_no_compact_form_is_refused(token: str) -> None:
    assert verified_payload(token, KEYS) is None
