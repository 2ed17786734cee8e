"""The web client without a server, without a WebSocket, with tokens that end, and when its user leaves."""

import email
import json
import re
from collections.abc import Callable, Generator
from email import policy
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import Page, Route, WebSocket, expect

from tests.e2e.person import OUTAGE, Account, Person
from tests.e2e.wire import Wire
from tests.kit.devserver import DevServer

PersonAt = Callable[..., Person]
SignedIn = Callable[[DevServer, str], Account]

TOKEN_LIFETIME: Final = 10
"""Seconds; the client renews at four fifths of it."""


@pytest.fixture
def own_dev_server(data_dir: Path, free_port: int) -> Generator[DevServer]:
    """A server that the test may kill; its port stays over a restart, and its tokens do not live long."""
    lifetime = {"STACKMENTOR_ACCESS_TOKEN_LIFETIME": str(TOKEN_LIFETIME)}
    with DevServer(data_dir, port=free_port, env=lifetime) as server:
        yield server
        server.stop()


@pytest.fixture
def room(dev_server: DevServer, account: SignedIn, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A group of Alice and Bob of its own for a test: its name and its id."""
    name = f"Room of {request.node.name}"
    return name, account(dev_server, "alice").make_group(name, account(dev_server, "bob"))


def test_what_is_typed_while_the_server_is_dead_is_sent_once_when_it_is_back(
    own_dev_server: DevServer, person_at: PersonAt, account: SignedIn
) -> None:
    alice_account = account(own_dev_server, "alice")
    room_id = alice_account.make_group("Outage", account(own_dev_server, "bob"))
    alice, bob = person_at(own_dev_server.url), person_at(own_dev_server.url)
    for person, name in ((alice, "alice"), (bob, "bob")):
        person.allowed.extend(OUTAGE)
        person.sign_in(name).open("Outage")
    alice.write("before")
    expect(bob.texts).to_have_text(["before"])
    alice.expect_mark("before", "Read")

    own_dev_server.kill()
    expect(alice.page.get_by_text("No connection.")).to_be_visible()
    for text in ("first", "second", "third"):
        alice.write(text)
        alice.expect_mark(text, "Waiting to be sent")
    own_dev_server.restart()

    said = ["before", "first", "second", "third"]
    expect(alice.page.get_by_text("No connection.")).to_be_hidden(timeout=40_000)
    expect(bob.page.get_by_text("No connection.")).to_be_hidden(timeout=40_000)
    expect(bob.texts).to_have_text(said)
    expect(alice.texts).to_have_text(said)
    alice.expect_mark("third", "Read")
    bob.write("and back")
    expect(alice.texts).to_have_text([*said, "and back"])
    assert account(own_dev_server, "alice").texts(room_id) == [*said, "and back"]


def test_what_is_typed_offline_survives_a_reload(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn, room: tuple[str, str]
) -> None:
    alice = person_at(dev_server.url)
    wire = Wire(alice.context)
    wire.cut()
    alice.sign_in("alice")
    expect(alice.page.get_by_text("No connection.")).to_be_visible()
    alice.open(room[0])
    for text in ("one", "two"):
        alice.write(text)
    alice.page.reload()
    for text in ("one", "two"):
        alice.expect_mark(text, "Waiting to be sent")
    wire.mend()
    alice.reconnect()
    for text in ("one", "two"):
        alice.expect_mark(text, "Sent")
    expect(alice.texts).to_have_text(["one", "two"])
    alice.page.reload()
    expect(alice.texts).to_have_text(["one", "two"])
    assert account(dev_server, "bob").texts(room[1]) == ["one", "two"]


def test_a_refused_message_says_why_and_can_be_repeated_or_discarded(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn, room: tuple[str, str]
) -> None:
    alice = person_at(dev_server.url)
    wire = Wire(alice.context)

    def spoil(frame: str) -> str:
        return re.sub('"text":"(spoil|waste)"', '"text":"     "', frame)

    wire.change = spoil
    alice.sign_in("alice").open(room[0])
    alice.write("spoil")
    alice.expect_mark("spoil", "Not sent")
    expect(alice.message("spoil").locator(".failure")).to_contain_text("Not sent. ")
    alice.write("good")
    alice.expect_mark("good", "Sent")
    alice.page.reload()
    alice.expect_mark("spoil", "Not sent")
    wire.change = str
    alice.message("spoil").get_by_role("button", name="Try again").click()
    alice.expect_mark("spoil", "Sent")
    wire.change = spoil
    alice.write("waste")
    alice.message("waste").get_by_role("button", name="Discard").click()
    expect(alice.texts).to_have_text(["good", "spoil"])
    assert account(dev_server, "bob").texts(room[1]) == ["good", "spoil"]


def test_two_tabs_renew_one_session_and_keep_their_connections(own_dev_server: DevServer, person_at: PersonAt) -> None:
    alice = person_at(own_dev_server.url)
    refreshes: list[int] = []
    sockets: list[WebSocket] = []
    frames: list[str] = []

    def watch(page: Page) -> None:
        page.on("websocket", opened)

    def opened(socket: WebSocket) -> None:
        sockets.append(socket)
        socket.on("framesent", lambda data: frames.append(str(data)))

    def refresh(route: Route) -> None:
        answer = route.fetch()
        refreshes.append(answer.status)
        route.fulfill(response=answer)

    alice.context.route("**/auth/refresh", refresh)
    watch(alice.page)
    alice.sign_in("alice")
    first = alice.page
    alice.page = alice.tab()
    watch(alice.page)
    alice.page.goto("/")
    expect(alice.page.get_by_role("button", name="Sign out")).to_be_visible()
    alice.wait_until(lambda: sum("/app/auth.refresh" in frame for frame in frames) == 4, seconds=4 * TOKEN_LIFETIME)

    assert refreshes == [200, 200]
    assert [socket.is_closed() for socket in sockets] == [False, False]
    for page in (first, alice.page):
        expect(page.get_by_text("No connection.")).to_be_hidden()


def test_signing_out_ends_the_session_in_every_tab_and_on_the_server(
    dev_server: DevServer, person_at: PersonAt
) -> None:
    alice = person_at(dev_server.url).sign_in("alice")
    other = alice.tab()
    other.goto("/")
    expect(other.get_by_role("button", name="Sign out")).to_be_visible()
    stored = json.loads(alice.page.evaluate("localStorage.getItem('stackmentor.session')"))
    with alice.page.expect_response("**/auth/logout") as revoked:
        alice.page.get_by_role("button", name="Sign out").click()
    assert revoked.value.status == httpx.codes.NO_CONTENT
    for page in (alice.page, other):
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert alice.page.evaluate("Object.keys(localStorage)") == []
    answer = httpx.post(f"{dev_server.url}/auth/refresh", json={"refreshToken": stored["refreshToken"]})
    assert answer.status_code == httpx.codes.UNAUTHORIZED


def test_a_wrong_password_is_said_and_the_form_stays(dev_server: DevServer, person_at: PersonAt) -> None:
    person = person_at(dev_server.url)
    person.allowed.append("401")
    person.page.goto("/")
    form = person.page.get_by_role("form", name="Sign in")
    form.get_by_label("E-mail").fill("alice@example.com")
    form.get_by_label("Password").fill("Wrong0ne!")
    form.get_by_role("button", name="Sign in").click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    expect(form.get_by_label("E-mail")).to_have_value("alice@example.com")


def test_a_new_account_is_confirmed_by_mail_and_signed_in(dev_server: DevServer, person_at: PersonAt) -> None:
    person = person_at(dev_server.url)
    person.allowed.append("400")
    person.page.goto("/")
    person.page.get_by_role("button", name="Create one").click()
    form = person.page.get_by_role("form", name="Create an account")
    form.get_by_label("Name").fill("<i>Eve</i> Ng")
    form.get_by_label("E-mail").fill("eve@example.com")
    form.get_by_label("Password").fill("weakweak")
    form.get_by_role("button", name="Create account").click()
    expect(form.get_by_role("alert")).not_to_be_empty()
    form.get_by_label("Password").fill("Str0ngenough")
    form.get_by_role("button", name="Create account").click()
    confirm = person.page.get_by_role("form", name="Confirm your e-mail")
    confirm.get_by_label("Code").fill("000000")
    confirm.get_by_role("button", name="Confirm").click()
    expect(confirm.get_by_role("alert")).not_to_be_empty()
    confirm.get_by_label("Code").fill(mailed_code(dev_server.data_dir, "eve@example.com"))
    confirm.get_by_role("button", name="Confirm").click()
    expect(person.page.get_by_text("<i>Eve</i> Ng")).to_be_visible()
    expect(person.page.get_by_text("No conversations yet.")).to_be_visible()


def mailed_code(data_dir: Path, address: str) -> str:
    mails = sorted(data_dir.rglob(f"*-{address}.eml"))
    text = email.message_from_bytes(mails[-1].read_bytes(), policy=policy.default).get_content()
    found = re.search(r"\b\d{6}\b", text)
    assert found, text
    return found[0]
