import base64
import json
from collections.abc import Callable
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from actors.identity_ports import Account
from chatcore.errors import ChatError, ErrorCode
from chathttp.identity.keys import SigningKey, SigningKeys, make_key, parse_key
from chathttp.identity.tokens import TokenMint
from chathttp.identity.verifier import TokenVerifier
from tests.kit.identity import WallClock

ISSUER, CLIENT = "https://issuer.example", "app"
USER = UUID("018f0000-0000-7000-8000-00000000000a")
OURS, FOREIGN = parse_key(make_key()), parse_key(make_key())
CLOCK = WallClock()
NOW = CLOCK.seconds()
ACCOUNT = Account(USER, "jan@example.com", "Jan", None, confirmed=True, groups=("admins", "moderators"))
MINT = TokenMint(SigningKeys([OURS]), issuer=ISSUER, client_id=CLIENT, lifetime=3600.0)
GOOD: dict[str, object] = {
    "sub": str(USER),
    "iss": ISSUER,
    "client_id": CLIENT,
    "token_use": "access",
    "exp": int(NOW) + 3600,
    "iat": int(NOW),
}


class CountingKeys(SigningKeys):
    def __init__(self) -> None:
        super().__init__([OURS])
        self.asked = 0

    def public_key(self, kid: str) -> RSAPublicKey | None:
        self.asked += 1
        return super().public_key(kid)


def verifier(cache_size: int = 100) -> TokenVerifier:
    return TokenVerifier(SigningKeys([OURS]), issuer=ISSUER, client_id=CLIENT, cache_size=cache_size)


def signed(claims: dict[str, object], key: SigningKey = OURS, kid: str | None = None) -> str:
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": kid or key.kid})


def raw(header: dict[str, object], claims: dict[str, object], signature: bytes) -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def public_pem() -> bytes:
    return OURS.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hs256_with_our_public_key() -> str:
    import hashlib
    import hmac

    unsigned = raw({"alg": "HS256", "typ": "JWT", "kid": OURS.kid}, GOOD, b"").rpartition(".")[0]
    signature = hmac.new(public_pem(), unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_minted_access_token_names_its_user_and_roles() -> None:
    token = MINT.access_token(ACCOUNT, CLOCK(), uuid4(), CLOCK())
    principal = verifier().verify(token, NOW)
    assert (principal.user_id, principal.roles) == (USER, {"admins", "moderators"})
    assert principal.expires_at == int(NOW) + 3600


def test_minted_tokens_have_cognitos_claims() -> None:
    origin = uuid4()
    access = jwt.decode(MINT.access_token(ACCOUNT, CLOCK(), origin, CLOCK()), options={"verify_signature": False})
    shared = {"sub", "iss", "cognito:groups", "token_use", "auth_time", "exp", "iat", "jti", "origin_jti"}
    assert set(access) == shared | {"client_id", "scope", "username"}
    identity = jwt.decode(MINT.id_token(ACCOUNT, CLOCK(), origin, CLOCK()), options={"verify_signature": False})
    assert set(identity) == shared | {"aud", "cognito:username", "email", "email_verified", "name"}
    assert (access["token_use"], identity["token_use"]) == ("access", "id")
    assert identity["aud"] == access["client_id"] == CLIENT


@pytest.mark.parametrize("claims", [{}, {"aud": CLIENT, "client_id": None}, {"aud": ["x", CLIENT], "client_id": None}])
def test_the_client_is_known_by_client_id_or_audience(claims: dict[str, object]) -> None:
    given_claims = {name: value for name, value in (GOOD | claims).items() if value is not None}
    assert verifier().verify(signed(given_claims), NOW).user_id == USER


REFUSED: dict[str, Callable[[], str]] = {
    "no signature": lambda: raw({"alg": "none", "kid": OURS.kid}, GOOD, b""),
    "alg none in capitals": lambda: raw({"alg": "NONE", "kid": OURS.kid}, GOOD, b""),
    "HS256 keyed with our public key": hs256_with_our_public_key,
    "a foreign key under our kid": lambda: signed(GOOD, FOREIGN, kid=OURS.kid),
    "a foreign key under its own kid": lambda: signed(GOOD, FOREIGN),
    "no kid": lambda: jwt.encode(GOOD, OURS.private, algorithm="RS256"),
    "RS512": lambda: jwt.encode(GOOD, OURS.private, algorithm="RS512", headers={"kid": OURS.kid}),
    "another issuer": lambda: signed(GOOD | {"iss": "https://evil.example"}),
    "another client": lambda: signed(GOOD | {"client_id": "other"}),
    "another client with our audience": lambda: signed(GOOD | {"client_id": "other", "aud": CLIENT}),
    "no client": lambda: signed({name: value for name, value in GOOD.items() if name != "client_id"}),
    "another audience": lambda: signed({k: v for k, v in GOOD.items() if k != "client_id"} | {"aud": "other"}),
    "an id token": lambda: MINT.id_token(ACCOUNT, CLOCK(), uuid4(), CLOCK()),
    "no expiry": lambda: signed({name: value for name, value in GOOD.items() if name != "exp"}),
    "an expiry that is no number": lambda: signed(GOOD | {"exp": "later"}),
    "a subject that is no user": lambda: signed(GOOD | {"sub": "root"}),
    "groups that are no list": lambda: signed(GOOD | {"cognito:groups": "admins"}),
    "not valid yet": lambda: signed(GOOD | {"nbf": int(NOW) + 60}),
    "a changed payload": lambda: _swap_payload(signed(GOOD), GOOD | {"sub": str(uuid4())}),
    "empty": lambda: "",
    "two dots": lambda: "..",
    "too long": lambda: "a" * 20_000,
    "a lone surrogate": lambda: "\ud800.a.b",
    "not ASCII": lambda: "ä.ö.ü",
}


def _swap_payload(token: str, claims: dict[str, object]) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.{signature}"


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_that_is_not_ours_is_unauthorized(name: str) -> None:
    with pytest.raises(ChatError) as error:
        verifier().verify(REFUSED[name](), NOW)
    assert error.value.code is ErrorCode.UNAUTHORIZED


def test_an_expired_token_says_so_from_its_last_second_on_cached_or_not() -> None:
    token = signed(GOOD)
    checked = verifier()
    checked.verify(token, NOW + 3599)
    for one in (checked, verifier()):
        with pytest.raises(ChatError) as error:
            one.verify(token, int(NOW) + 3600)
        assert error.value.code is ErrorCode.TOKEN_EXPIRED


def test_a_good_token_is_checked_once_and_the_cache_is_bounded() -> None:
    keys = CountingKeys()
    checked = TokenVerifier(keys, issuer=ISSUER, client_id=CLIENT, cache_size=2)
    tokens = [signed(GOOD | {"jti": str(number)}) for number in range(3)]
    for token in (tokens[0], tokens[1], tokens[0]):
        checked.verify(token, NOW)
    assert keys.asked == 2
    checked.verify(tokens[2], NOW)
    checked.verify(tokens[0], NOW)
    assert keys.asked == 3
    checked.verify(tokens[1], NOW)
    assert keys.asked == 4


@given(st.text(max_size=80))
def test_no_text_crashes_the_verifier(token: str) -> None:
    with pytest.raises(ChatError):
        verifier().verify(token, NOW)


def test_the_published_keys_verify_what_we_sign_and_keep_the_private_parts() -> None:
    published = json.loads(SigningKeys([OURS, FOREIGN]).jwks())["keys"]
    assert [set(each) for each in published] == [{"kty", "use", "alg", "kid", "n", "e"}] * 2
    found = jwt.PyJWKSet.from_dict({"keys": published})[OURS.kid]
    jwt.decode(signed(GOOD), found, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False})
