"""`SmtpMailer` against a real SMTP server: with TLS and a password, refusing, hanging, dying."""

import asyncio
import socket
import ssl
from collections.abc import Generator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Final

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from chathttp.identity.smtp import SmtpMailer, SmtpServer
from tests.kit.tls import certificate

AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
USER, PASSWORD = "mail user", "p@ss:word"


def test_a_url_tells_all_of_the_server() -> None:
    assert SmtpServer.of("smtp://mail%20user:p%40ss%3Aword@mail.example.com") == SmtpServer(
        "mail.example.com", 587, False, USER, PASSWORD
    )
    assert SmtpServer.of("smtps://mail.example.com") == SmtpServer("mail.example.com", 465, True, "", "")
    assert SmtpServer.of("smtp://localhost:25") == SmtpServer("localhost", 25, False, "", "")
    assert PASSWORD not in repr(SmtpServer.of("smtp://u:p%40ss%3Aword@localhost"))


class Box:
    """What the server does with a mail: `answer` is its last word."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.answer = "250 OK"
        self.demands_password = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.demands_password and not session.authenticated:
            return "530 who are you?"
        if self.answer.startswith("250"):
            self.mails.append(envelope.content)
        return self.answer


def check_password(server: Any, session: Any, envelope: Any, mechanism: str, given: object) -> AuthResult:
    assert isinstance(given, LoginPassword)
    return AuthResult(success=(given.login, given.password) == (USER.encode(), PASSWORD.encode()))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def own_loop() -> asyncio.AbstractEventLoop:
    """For the server's thread: asyncio's way to make one gives Trio's where trio-asyncio was imported."""
    return asyncio.SelectorEventLoop()


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.fixture(params=[False, True], ids=["starttls", "tls"])
def served(request: pytest.FixtureRequest, pem: Path) -> Generator[tuple[Box, SmtpServer]]:
    """A server that takes mail from who has the password, over TLS only."""
    box, tls = Box(), bool(request.param)
    box.demands_password = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    more: dict[str, Any] = {"ssl_context": context} if tls else {"tls_context": context, "require_starttls": True}
    port = free_port()
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        loop=own_loop(),
        authenticator=check_password,
        # It does not count TLS from the first byte on; there the box sees to it.
        auth_required=not tls,
        auth_require_tls=not tls,
        **more,
    )
    controller.start()
    yield box, SmtpServer("127.0.0.1", port, tls, USER, PASSWORD)
    controller.stop()


def mailer(server: SmtpServer, pem: Path, timeout: float = 30.0) -> SmtpMailer:
    context = ssl.create_default_context(cafile=str(pem))
    return SmtpMailer(server, sender="chat@example.com", timeout=timeout, concurrency=1, context=context)


async def test_a_mail_goes_over_tls_with_the_password(served: tuple[Box, SmtpServer], pem: Path) -> None:
    box, server = served
    await mailer(server, pem).send("jan@example.com", "Grüße", "your code is 123456", AT)
    (mail,) = [message_from_bytes(each, policy=policy.default) for each in box.mails]
    assert (mail["From"], mail["To"], mail["Subject"]) == ("chat@example.com", "jan@example.com", "Grüße")
    assert mail.get_content().strip() == "your code is 123456"


async def test_a_refusal_of_the_mail_is_an_error(served: tuple[Box, SmtpServer], pem: Path) -> None:
    box, server = served
    box.answer = "451 try again later"
    with pytest.raises(OSError):
        await mailer(server, pem).send("jan@example.com", "Hello", "text", AT)


async def test_a_wrong_password_is_an_error(served: tuple[Box, SmtpServer], pem: Path) -> None:
    _, server = served
    wrong = SmtpServer(server.host, server.port, server.tls, USER, "wrong")
    with pytest.raises(OSError):
        await mailer(wrong, pem).send("jan@example.com", "Hello", "text", AT)


async def test_a_certificate_that_is_not_believed_is_an_error(served: tuple[Box, SmtpServer]) -> None:
    box, server = served
    untrusting = SmtpMailer(server, sender="chat@example.com", timeout=30.0, concurrency=1)
    with pytest.raises(OSError):
        await untrusting.send("jan@example.com", "Hello", "text", AT)
    assert box.mails == []


async def test_a_password_is_never_sent_to_a_server_without_tls(pem: Path) -> None:
    box, port = Box(), free_port()
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        loop=own_loop(),
        authenticator=check_password,
        auth_require_tls=False,
    )
    controller.start()
    try:
        with pytest.raises(OSError):
            await mailer(SmtpServer("127.0.0.1", port, False, USER, PASSWORD), pem).send("a@example.com", "H", "t", AT)
    finally:
        controller.stop()
    assert box.mails == []


async def test_a_server_that_hangs_or_is_not_there_is_an_error(pem: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = SmtpServer("127.0.0.1", silent.getsockname()[1], False, "", "")
        with pytest.raises(OSError):
            await mailer(server, pem, timeout=0.2).send("jan@example.com", "Hello", "text", AT)
    with pytest.raises(OSError):
        await mailer(server, pem).send("jan@example.com", "Hello", "text", AT)
