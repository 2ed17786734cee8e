"""Who may use the management port: this machine, by the token; no page of a browser that merely runs on it."""

import hmac
import re
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Final

from attrs import frozen

from chatconsole.api.messages import SUBPROTOCOL, TOKEN_SUBPROTOCOL
from chatcore.errors import ChatError, ErrorCode

_HOST: Final = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d{1,5})?", re.IGNORECASE)

Headers = Iterable[tuple[bytes, bytes]]


def url_of(host: str, port: int) -> str:
    """Where the port is; `http+unix:` with a path for a Unix socket."""
    if host.startswith("/"):
        return f"http+unix:{Path(host)}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@frozen(repr=False)
class Access:
    """`token` is what the console's routes ask for."""

    token: str

    @property
    def token_id(self) -> str:
        """Names the token without telling it."""
        return blake2b(self.token.encode(), digest_size=4).hexdigest()

    def own_host(self, headers: Headers) -> str | None:
        """The request's `Host`, None unless there is one and it names this machine."""
        hosts = [value.decode("latin-1") for name, value in headers if name.lower() == b"host"]
        return hosts[0] if len(hosts) == 1 and _HOST.fullmatch(hosts[0]) else None

    def check_host(self, headers: Headers) -> None:
        """Raises `FORBIDDEN` for a request that some other name than this machine's led here (DNS rebinding), or that
        a page of another origin makes.
        """
        host = self.own_host(headers)
        if host is None:
            raise ChatError(ErrorCode.FORBIDDEN, "Use this port by localhost, or by its own address")
        for name, value in headers:
            if name.lower() == b"origin" and value.decode("latin-1").lower() != f"http://{host.lower()}":
                raise ChatError(ErrorCode.FORBIDDEN, "Pages of other origins may not use this port")

    def check_token(self, headers: Headers, subprotocols: Iterable[str] = ()) -> None:
        """Raises `UNAUTHORIZED` unless the token came as `Authorization: Bearer`, or among the subprotocols."""
        tried = [value.decode("latin-1") for name, value in headers if name.lower() == b"authorization"]
        tokens = [value[7:].strip() for value in tried if value[:7].lower() == "bearer "]
        tokens += [each[len(TOKEN_SUBPROTOCOL) :] for each in subprotocols if each.startswith(TOKEN_SUBPROTOCOL)]
        if not any(hmac.compare_digest(each.encode(), self.token.encode()) for each in tokens):
            raise ChatError(ErrorCode.UNAUTHORIZED, "The console's token of this start of the server is needed")


def agreed_subprotocol(offered: Iterable[str]) -> str | None:
    """Ours, when it was offered."""
    return SUBPROTOCOL if SUBPROTOCOL in set(offered) else None
