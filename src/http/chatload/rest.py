"""The REST calls that set the scene."""

import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from attrs import frozen

_LIMIT: Final = re.compile(r"fewer than (\d+)")
_TIMEOUT: Final = 30.0
_T = TypeVar("_T")


class RestError(Exception):
    """The server refused, or does not answer."""


class _Failure(msgspec.Struct, rename="camel"):
    error_code: str
    message: str
    details: Mapping[str, str] | None = None


class _User(msgspec.Struct):
    id: str


class _Conversation(msgspec.Struct, rename="camel"):
    id: str
    last_seq: int


class _Refused(RestError):
    def __init__(self, what: str, failure: _Failure) -> None:
        super().__init__(f"{what}: {failure.error_code}: {failure.message} {failure.details or ''}".rstrip())
        self.failure = failure


@frozen
class Conversation:
    """`last_seq` is the number of its latest message; `members` are those that the server took."""

    id: str
    last_seq: int
    members: int


class Rest:
    """One kept-alive connection, used by many users in turn. All methods raise `RestError`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        self._prefix = parts.path.rstrip("/").removesuffix("/ws")
        if parts.scheme in ("https", "wss"):
            context = ssl.create_default_context()
            self._connection: HTTPConnection = HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)
        else:
            self._connection = HTTPConnection(host, port, timeout=_TIMEOUT)

    def user_id(self, token: str) -> str:
        return self._call("GET", "/api/users/me", token, None, _User).id

    def make_group(self, token: str, others: Sequence[str]) -> Conversation:
        """Of the caller and as many of `others` as the server permits, the first ones."""
        try:
            return self._make(token, "GROUP", others)
        except _Refused as refusal:
            limit = _LIMIT.search((refusal.failure.details or {}).get("participantIds", ""))
            if limit is None:
                raise
            return self._make(token, "GROUP", others[: int(limit[1]) - 1])

    def make_direct(self, token: str, other: str) -> Conversation:
        """The one that there is, if there is one."""
        return self._make(token, "DIRECT", [other])

    def close(self) -> None:
        self._connection.close()

    def _make(self, token: str, kind: str, others: Sequence[str]) -> Conversation:
        body = {"type": kind, "participantIds": others, "name": "load" if kind == "GROUP" else None}
        made = self._call("POST", "/api/conversations", token, msgspec.json.encode(body), _Conversation)
        return Conversation(made.id, made.last_seq, len(others) + 1)

    def _call(self, method: str, path: str, token: str, body: bytes | None, answer: type[_T]) -> _T:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        what = f"{method} {path}"
        try:
            self._connection.request(method, self._prefix + path, body, headers)
            response = self._connection.getresponse()
            status, data = response.status, response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise RestError(f"{what}: {error or type(error).__name__}") from error
        if status not in (200, 201):
            with suppress(msgspec.MsgspecError):
                raise _Refused(what, msgspec.json.decode(data, type=_Failure))
            raise RestError(f"{what}: status {status}")
        try:
            return msgspec.json.decode(data, type=answer)
        except msgspec.MsgspecError as error:
            raise RestError(f"{what}: {error}") from error
