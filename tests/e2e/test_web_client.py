"""Two people talk through the web client in a real Chromium."""

import re
from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.person import Account, Person
from tests.kit.devserver import DevServer

PersonAt = Callable[..., Person]
SignedIn = Callable[[DevServer, str], Account]


@pytest.fixture
def room(dev_server: DevServer, account: SignedIn, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A group of Alice and Bob of its own for a test: its name and its id."""
    name = f"Room of {request.node.name}"
    return name, account(dev_server, "alice").make_group(name, account(dev_server, "bob"))


def test_messages_go_both_ways_in_order(dev_server: DevServer, person_at: PersonAt, room: tuple[str, str]) -> None:
    alice, bob = person_at(dev_server.url).sign_in("alice"), person_at(dev_server.url).sign_in("bob")
    alice.open(room[0])
    bob.open(room[0])
    said = ["Hello Bob", "Are you there?", "Yes, Alice 🙂", "Two\nlines", "Good"]
    for speaker, listener, text in [
        (alice, bob, said[0]),
        (alice, bob, said[1]),
        (bob, alice, said[2]),
        (bob, alice, said[3]),
    ]:
        speaker.write(text)
        expect(listener.texts.last).to_have_text(text)
    alice.write(said[4])
    for person in (alice, bob):
        expect(person.texts).to_have_text(said)
    expect(bob.page.locator(".theirs .sender").first).to_have_text(re.compile("Alice"))


def test_marks_go_from_sent_over_delivered_to_read(
    dev_server: DevServer, person_at: PersonAt, room: tuple[str, str]
) -> None:
    alice = person_at(dev_server.url).sign_in("alice")
    alice.open(room[0])
    alice.write("Anybody?")
    alice.expect_mark("Anybody?", "Sent")
    bob = person_at(dev_server.url).sign_in("bob")
    expect(bob.item(room[0])).to_contain_text("Anybody?")
    alice.expect_mark("Anybody?", "Delivered")
    bob.open(room[0])
    alice.expect_mark("Anybody?", "Read")


def test_typing_is_seen_until_the_message_comes(
    dev_server: DevServer, person_at: PersonAt, room: tuple[str, str]
) -> None:
    alice, bob = person_at(dev_server.url).sign_in("alice"), person_at(dev_server.url).sign_in("bob")
    alice.open(room[0])
    bob.open(room[0])
    bob.draft.press_sequentially("I am")
    expect(alice.page.locator(".typing")).to_have_text(re.compile("Bob.* is typing…"))
    bob.draft.fill("")
    expect(alice.page.locator(".typing")).to_be_empty()
    bob.page.wait_for_timeout(1_100)  # the server drops a start within a second of the last
    bob.draft.press_sequentially("I am here")
    expect(alice.page.locator(".typing")).to_have_text(re.compile("typing"))
    bob.draft.press("Enter")
    expect(alice.texts).to_have_text(["I am here"])
    expect(alice.page.locator(".typing")).to_be_empty()


def test_unread_counts_rise_and_fall(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn, room: tuple[str, str]
) -> None:
    bob = person_at(dev_server.url).sign_in("bob")
    expect(bob.item(room[0])).to_be_visible()
    alice = account(dev_server, "alice")
    for text in ("one", "two", "three"):
        alice.send(room[1], text)
    expect(bob.item(room[0]).locator(".badge")).to_have_text(re.compile(r"^3"))
    expect(bob.page).to_have_title(re.compile(r"^\(\d+\) "))
    expect(bob.page.locator(".conversation-item").first).to_contain_text("three")
    bob.open(room[0])
    expect(bob.page.get_by_text("New messages")).to_be_visible()
    expect(bob.item(room[0]).locator(".badge")).to_be_hidden()
    bob.page.reload()
    expect(bob.texts).to_have_text(["one", "two", "three"])
    expect(bob.item(room[0]).locator(".badge")).to_be_hidden()


def test_scrolling_back_loads_history_without_moving_what_is_read(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn, room: tuple[str, str]
) -> None:
    speakers = [account(dev_server, "alice"), account(dev_server, "bob")]
    texts = [f"Line {number}" for number in range(1, 131)]
    for number, text in enumerate(texts):
        speakers[number % 2].send(room[1], text)
    bob = person_at(dev_server.url).sign_in("bob")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    bob.context.route(re.compile("beforeSeq="), hold)
    bob.open(room[0])
    expect(bob.texts.last).to_be_in_viewport()
    loaded = bob.texts.count()
    assert 50 <= loaded < len(texts)
    bob.page.locator(".message-scroll").evaluate("node => { node.scrollTop = 300; }")
    expect(bob.history).to_have_text("Loading messages…")
    top = bob.page.evaluate_handle(_FIRST_IN_VIEW)
    before = top.evaluate("node => node.getBoundingClientRect().top")
    held.pop().continue_()
    expect(bob.texts).to_have_count(loaded + 50)
    assert abs(top.evaluate("node => node.getBoundingClientRect().top") - before) < 2
    bob.context.unroute(re.compile("beforeSeq="), hold)
    bob.page.locator(".message-scroll").evaluate("node => { node.scrollTop = 0; }")
    expect(bob.texts).to_have_text(texts)
    expect(bob.history).to_have_text("This is the beginning.")
    speakers[0].send(room[1], "Newest")
    to_latest = bob.page.get_by_role("button", name=re.compile("To the latest, 1 new"))
    to_latest.click()
    expect(bob.texts.last).to_have_text("Newest")
    expect(bob.texts.last).to_be_in_viewport()
    expect(to_latest).to_be_hidden()


_FIRST_IN_VIEW: Final = """() => {
  const edge = document.querySelector('.message-scroll').getBoundingClientRect().top;
  return [...document.querySelectorAll('.message')].find((node) => node.getBoundingClientRect().top >= edge);
}"""


def test_edits_and_deletions_are_seen_by_both(
    dev_server: DevServer, person_at: PersonAt, room: tuple[str, str]
) -> None:
    alice, bob = person_at(dev_server.url).sign_in("alice"), person_at(dev_server.url).sign_in("bob")
    alice.open(room[0])
    bob.open(room[0])
    alice.write("Helo")
    alice.write("Nonsense")
    expect(bob.texts).to_have_text(["Helo", "Nonsense"])
    alice.message("Helo").get_by_role("button").click()
    alice.page.get_by_role("button", name="Edit", exact=True).click()
    expect(alice.draft).to_have_value("Helo")
    alice.write("Hello")
    alice.message("Nonsense").get_by_role("button").click()
    alice.page.get_by_role("button", name="Delete", exact=True).click()
    alice.page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    for person in (alice, bob):
        expect(person.texts).to_have_text(["Hello", "Message deleted"])
        expect(person.message("Hello").get_by_text("edited")).to_be_visible()


def test_text_of_others_is_inert(dev_server: DevServer, person_at: PersonAt, account: SignedIn) -> None:
    """As a message, as a group's name and in the list's preview; the fixture fails on any dialog or CSP violation."""
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b> javascript:alert(3)"
    title = "<i>Room</i> <img src=x onerror=alert(4)>"
    alice = account(dev_server, "alice")
    alice.send(alice.make_group(title, account(dev_server, "bob")), attack)
    bob = person_at(dev_server.url).sign_in("bob")
    bob.open(title)
    expect(bob.texts).to_have_text([attack])
    expect(bob.item(title).locator(".item-preview")).to_contain_text("<img src=x")
    assert bob.page.locator("#app img, #app script, #app b, #app i, .text a").count() == 0


def test_a_phone_shows_the_list_or_the_conversation(
    dev_server: DevServer, person_at: PersonAt, room: tuple[str, str]
) -> None:
    bob = person_at(dev_server.url, phone=True).sign_in("bob")
    expect(bob.page.locator(".pane")).to_be_hidden()
    bob.item(room[0]).tap()
    expect(bob.page.locator(".sidebar")).to_be_hidden()
    bob.draft.fill("From my phone " + "with a long text " * 20)
    bob.page.get_by_role("button", name="Send").tap()
    expect(bob.texts).to_have_count(1)
    for control in (bob.draft, bob.page.get_by_role("button", name="Send"), bob.texts.last):
        expect(control).to_be_in_viewport()
    assert bob.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    bob.page.get_by_role("button", name="Back to the conversations").tap()
    expect(bob.item(room[0])).to_be_visible()


def test_a_group_is_made_of_people_found_by_name(dev_server: DevServer, person_at: PersonAt) -> None:
    alice, bob = person_at(dev_server.url).sign_in("alice"), person_at(dev_server.url).sign_in("bob")
    alice.page.get_by_role("button", name="New conversation").click()
    dialog = alice.page.get_by_role("dialog")
    for name in ("Bob", "Carol"):
        dialog.get_by_label("Find people").fill(name)
        dialog.get_by_role("button", name=re.compile(f"^{name}")).click()
    dialog.get_by_label("Group name").fill("Made in the browser")
    dialog.get_by_role("button", name="Create group").click()
    expect(alice.page.get_by_role("heading", name="Made in the browser")).to_be_visible()
    expect(bob.item("Made in the browser")).to_be_visible()
    alice.write("Welcome")
    expect(bob.item("Made in the browser")).to_contain_text("Welcome")


def test_everything_can_be_done_with_the_keyboard_and_has_a_name(dev_server: DevServer, person_at: PersonAt) -> None:
    bob = person_at(dev_server.url).sign_in("bob")
    first = bob.page.locator(".conversation-item").first
    first.focus()
    bob.page.keyboard.press("ArrowDown")
    expect(bob.page.locator(".conversation-item").nth(1)).to_be_focused()
    bob.page.keyboard.press("Enter")
    expect(bob.draft).to_be_focused()
    bob.page.keyboard.type("typed blindly")
    bob.page.keyboard.press("Shift+Enter")
    bob.page.keyboard.type("second line")
    bob.page.keyboard.press("Enter")
    expect(bob.texts.last).to_have_text("typed blindly\nsecond line")
    nameless = bob.page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea')]
            .filter((node) => node.checkVisibility())
            .filter((node) => !node.ariaLabel && !node.labels?.length && !node.innerText.trim())
            .map((node) => node.outerHTML)"""
    )
    assert nameless == []
