"""What people do with messages and groups in the web client beside writing, in a real Chromium."""

import re
import struct
import zlib
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Locator, expect

from tests.e2e.person import Account, Person
from tests.kit.devserver import DevServer

PersonAt = Callable[..., Person]
SignedIn = Callable[[DevServer, str], Account]


def png(width: int = 2, height: int = 2) -> bytes:
    """A picture that a browser shows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = b"".join(b"\0" + b"\x30\x80\xf0" * width for _ in range(height))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE = FilePayload(name="cät.png", mimeType="image/png", buffer=png())
NOTES = FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"Remember the milk")


@pytest.fixture
def pair(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn, request: pytest.FixtureRequest
) -> tuple[Person, Person, str]:
    """Alice and Bob before a group of their own, which is open, and its name."""
    name = f"Room of {request.node.name}"
    account(dev_server, "alice").make_group(name, account(dev_server, "bob"))
    alice, bob = person_at(dev_server.url).sign_in("alice"), person_at(dev_server.url).sign_in("bob")
    alice.open(name)
    bob.open(name)
    return alice, bob, name


def menu_of(person: Person, text: str) -> None:
    person.message(text).get_by_role("button", name="What to do with this message").click()


def details(person: Person) -> Locator:
    person.page.get_by_role("button", name="Details", exact=True).click()
    return person.page.get_by_role("dialog")


def confirm(person: Person, action: str) -> None:
    person.page.get_by_role("alertdialog").get_by_role("button", name=action).click()


def test_files_are_attached_shown_and_downloaded(pair: tuple[Person, Person, str]) -> None:
    alice, bob, _ = pair
    send = alice.page.get_by_role("button", name="Send")
    with alice.page.expect_file_chooser() as choosing:
        alice.page.get_by_role("button", name="Attach files").click()
    choosing.value.set_files([PICTURE, NOTES])
    tray = alice.page.get_by_role("list", name="Attached files")
    expect(tray.get_by_role("button", name=re.compile("^Remove (cät.png|notes.txt)$"))).to_have_count(2)
    expect(send).to_be_enabled()
    send.click()
    expect(tray).to_be_hidden()
    files = bob.page.get_by_role("list", name="Attachments")
    picture = files.get_by_role("img", name="cät.png")
    expect(picture).to_be_visible()
    bob.wait_until(lambda: picture.evaluate("node => node.naturalWidth") == 2, seconds=30)
    with bob.page.expect_download() as downloading:
        files.get_by_role("button", name="Download notes.txt").click()
    assert downloading.value.suggested_filename == "notes.txt"
    assert downloading.value.path().read_bytes() == b"Remember the milk"
    alice.page.reload()
    expect(alice.page.get_by_role("list", name="Attachments").get_by_role("img")).to_be_visible()


def test_a_file_that_is_not_taken_says_why_and_one_can_be_taken_back(pair: tuple[Person, Person, str]) -> None:
    alice, _, _ = pair
    alice.allowed.append("415")
    chooser = alice.page.locator("input[type=file]")
    chooser.set_input_files([FilePayload(name="run.exe", mimeType="application/x-msdownload", buffer=b"MZ")])
    expect(alice.page.get_by_role("alert").get_by_text("run.exe was not attached")).to_be_visible()
    chooser.set_input_files([NOTES])
    alice.page.get_by_role("button", name="Remove notes.txt", exact=True).click()
    expect(alice.page.get_by_role("list", name="Attached files")).to_be_hidden()
    expect(alice.page.get_by_role("button", name="Send")).to_be_disabled()


def test_reactions_come_and_go_live(pair: tuple[Person, Person, str]) -> None:
    alice, bob, _ = pair
    alice.write("Cake at four")
    expect(bob.texts).to_have_text(["Cake at four"])
    menu_of(bob, "Cake at four")
    expect(bob.page.get_by_role("button", name="Edit", exact=True)).to_be_hidden()
    bob.page.get_by_role("button", name="React with 🎉").click()
    given = alice.message("Cake at four").get_by_role("button", name="🎉 1")
    expect(given).to_have_attribute("aria-pressed", "false")
    given.click()
    both = bob.message("Cake at four").get_by_role("button", name="🎉 2")
    expect(both).to_have_attribute("aria-pressed", "true")
    both.click()
    expect(alice.message("Cake at four").get_by_role("button", name="🎉 1")).to_have_attribute("aria-pressed", "true")
    alice.message("Cake at four").get_by_role("button", name="🎉 1").click()
    for person in (alice, bob):
        expect(person.message("Cake at four").get_by_role("list", name="Reactions")).to_be_hidden()


def test_an_answer_shows_what_it_answers(pair: tuple[Person, Person, str]) -> None:
    alice, bob, _ = pair
    alice.write("Tea or coffee?")
    expect(bob.texts).to_have_text(["Tea or coffee?"])
    menu_of(bob, "Tea or coffee?")
    bob.page.get_by_role("button", name="Reply").click()
    expect(bob.page.get_by_text(re.compile("^Answering Alice"))).to_be_visible()
    expect(bob.draft).to_be_focused()
    bob.write("Tea")
    expect(alice.message("Tea").locator(".quote")).to_have_text(re.compile("Alice.*: Tea or coffee\\?"))
    bob.write("Please")
    expect(alice.message("Please").locator(".quote")).to_be_hidden()


def test_a_mention_is_chosen_by_keyboard_and_highlighted(pair: tuple[Person, Person, str]) -> None:
    alice, bob, _ = pair
    alice.draft.press_sequentially("Hello @b")
    options = alice.page.get_by_role("listbox", name="People to mention").get_by_role("option")
    expect(options).to_have_count(1)
    expect(alice.draft).to_have_attribute("aria-activedescendant", "mention-0")
    alice.draft.press("Enter")
    expect(options).to_have_count(0)
    name = bob.page.locator(".sidebar .bar-title strong").inner_text()
    expect(alice.draft).to_have_value(f"Hello @{name} ")
    alice.draft.press_sequentially("mail a@b.example")
    alice.draft.press("Enter")
    expect(bob.texts).to_have_text([f"Hello @{name} mail a@b.example"])
    expect(bob.page.locator(".mention-me")).to_have_text([f"@{name}"])
    expect(alice.page.locator(".mention")).to_have_text([f"@{name}"])
    expect(alice.page.locator(".mention-me")).to_have_count(0)


def test_a_group_is_administered_from_its_details(pair: tuple[Person, Person, str]) -> None:
    alice, bob, name = pair
    for person in pair[:2]:
        person.allowed.append("status of 40[34] .*/api/conversations/")  # of who is a member no more
    dialog = details(alice)
    dialog.get_by_label("Group name").fill(f"{name}, renamed")
    dialog.get_by_role("button", name="Rename").click()
    expect(bob.page.get_by_role("heading", name=f"{name}, renamed")).to_be_visible()
    dialog.get_by_label("Add people").fill("Carol")
    dialog.get_by_role("button", name=re.compile("^Add Carol")).click()
    members = dialog.get_by_role("list", name="Members").get_by_role("listitem")
    expect(members).to_have_count(3)
    dialog.get_by_role("button", name=re.compile("^Remove Carol")).click()
    confirm(alice, "Remove")
    expect(members).to_have_count(2)
    dialog.get_by_label(re.compile("^Role of Bob")).select_option("owner")
    confirm(alice, "Hand on")
    expect(members.filter(has_text="(you)").locator(".hint")).to_have_text("Admin")
    of_bob = details(bob)
    expect(of_bob.get_by_role("button", name="Delete group")).to_be_visible()
    dialog.get_by_role("button", name="Leave group").click()
    confirm(alice, "Leave")
    expect(alice.item(f"{name}, renamed")).to_have_count(0)
    expect(of_bob.get_by_role("list", name="Members").get_by_role("listitem")).to_have_count(1)
    of_bob.get_by_role("button", name="Delete group").click()
    confirm(bob, "Delete group")
    expect(bob.item(f"{name}, renamed")).to_have_count(0)


def test_search_shows_excerpts_and_leads_to_the_message(
    pair: tuple[Person, Person, str], dev_server: DevServer, account: SignedIn
) -> None:
    alice, bob, name = pair
    alice.write("The zebrafish swims at noon")
    expect(bob.texts).to_have_text(["The zebrafish swims at noon"])
    room = alice.page.url.rpartition("/")[2]
    speakers = [account(dev_server, "alice"), account(dev_server, "bob")]
    for number in range(70):
        speakers[number % 2].send(room, f"Line {number}")
    bob.page.goto("/#/")
    bob.page.reload()
    box = bob.page.get_by_role("searchbox", name="Search messages")
    box.fill("zebrafish")
    found = bob.page.get_by_role("list", name="Messages found").get_by_role("listitem")
    expect(found).to_have_count(1)
    expect(found.locator("mark")).to_have_text(["zebrafish"])
    found.get_by_role("button").click()
    expect(bob.page.get_by_role("heading", name=name)).to_be_visible()
    expect(bob.page.locator(".message:focus")).to_contain_text("zebrafish")
    expect(bob.page.locator(".message:focus")).to_be_in_viewport()
    expect(box).to_have_value("")
    box.fill("nothing like this")
    expect(bob.page.get_by_text("Nothing found.")).to_be_visible()
    box.press("Escape")
    expect(bob.item(name)).to_be_visible()


def test_who_is_blocked_is_told_that_he_cannot_write(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn
) -> None:
    account(dev_server, "alice").make_direct(account(dev_server, "carol"))
    alice, carol = person_at(dev_server.url).sign_in("alice"), person_at(dev_server.url).sign_in("carol")
    names = {each: each.page.locator(".sidebar .bar-title strong").inner_text() for each in (alice, carol)}
    alice.open(names[carol])
    carol.open(names[alice])
    dialog = details(alice)
    dialog.get_by_role("button", name="Mute for 8 hours").click()
    expect(dialog.get_by_role("status")).to_have_text("Muted for 8 hours.")
    dialog.get_by_role("button", name="Unmute").click()
    expect(dialog.get_by_role("status")).to_have_text("No longer muted.")
    dialog.get_by_role("button", name="Block", exact=True).click()
    expect(dialog.get_by_role("button", name="Unblock")).to_be_visible()
    carol.write("Are you there?")
    expect(carol.page.locator(".failure").last).to_contain_text("Not sent.")
    dialog.get_by_role("button", name="Unblock").click()
    expect(dialog.get_by_role("button", name="Block", exact=True)).to_be_visible()
    carol.page.get_by_role("button", name="Try again").last.click()
    expect(alice.texts.last).to_have_text("Are you there?")
