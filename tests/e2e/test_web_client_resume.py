"""The web client takes up where it was: after a truncated replay, a conflict, and a connection whose token ended."""

import re
from collections.abc import Callable, Generator
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.e2e.person import Account, Person
from tests.e2e.wire import Wire
from tests.kit.devserver import DevServer
from tests.kit.postgres import remove_scratch, scratch_directory

PersonAt = Callable[..., Person]
SignedIn = Callable[[DevServer, str], Account]

TOKEN_LIFETIME: Final = 10
REPLAY_LIMIT: Final = 5


@pytest.fixture(scope="module")
def strict_server() -> Generator[DevServer]:
    """A server whose tokens end soon and whose replays are short."""
    directory = scratch_directory()
    limits = {
        "STACKMENTOR_ACCESS_TOKEN_LIFETIME": str(TOKEN_LIFETIME),
        "STACKMENTOR_REPLAY_LIMIT": str(REPLAY_LIMIT),
    }
    with DevServer(directory, env=limits) as server:
        yield server
        server.stop()
    remove_scratch(directory)


def test_after_a_truncated_replay_the_messages_are_loaded_anew(
    strict_server: DevServer, person_at: PersonAt, account: SignedIn
) -> None:
    alice = account(strict_server, "alice")
    room_id = alice.make_group("Truncated", account(strict_server, "bob"))
    alice.send(room_id, "before")
    bob = person_at(strict_server.url)
    wire = Wire(bob.context)
    bob.sign_in("bob").open("Truncated")
    expect(bob.texts).to_have_text(["before"])
    wire.cut()
    expect(bob.page.get_by_text("No connection.")).to_be_visible()
    missed = [f"missed {number}" for number in range(3 * REPLAY_LIMIT)]
    for text in missed:
        alice.send(room_id, text)
    with bob.page.expect_request(re.compile(r"/api/messages\?.*page=0")):
        wire.mend()
        bob.reconnect()
    expect(bob.texts).to_have_text(["before", *missed])
    alice.send(room_id, "live again")
    expect(bob.texts.last).to_have_text("live again")


def test_after_a_conflict_the_copy_is_dropped_and_loaded_anew(
    strict_server: DevServer, person_at: PersonAt, account: SignedIn
) -> None:
    alice = account(strict_server, "alice")
    room_id = alice.make_group("Conflict", account(strict_server, "bob"))
    alice.send(room_id, "before")
    bob = person_at(strict_server.url)
    wire = Wire(bob.context)
    bob.sign_in("bob").open("Conflict")
    expect(bob.texts).to_have_text(["before"])
    wire.cut()
    expect(bob.page.get_by_text("No connection.")).to_be_visible()
    alice.send(room_id, "missed")
    ahead: list[str] = []

    def claim_more(frame: str) -> str:
        """The first SUBSCRIBE to the room says that it had more than there is, as after a restored database."""
        if not ahead and f"destination:/topic/conversation.{room_id}\n" in frame:
            ahead.append(frame)
            return re.sub(r"\nlast-(rev|seq):\d+", "\nlast-rev:1000000", frame)
        return frame

    wire.change = claim_more
    wire.mend()
    bob.reconnect()
    expect(bob.texts).to_have_text(["before", "missed"])
    assert len(ahead) == 1
    alice.send(room_id, "live again")
    expect(bob.texts.last).to_have_text("live again")


def test_a_connection_whose_token_ended_comes_back_with_a_new_one(
    strict_server: DevServer, person_at: PersonAt, account: SignedIn
) -> None:
    alice = account(strict_server, "alice")
    room_id = alice.make_group("Expired", account(strict_server, "bob"))
    bob = person_at(strict_server.url)
    wire = Wire(bob.context)
    wire.change = lambda frame: None if "/app/auth.refresh" in frame else frame
    bob.sign_in("bob").open("Expired")
    assert wire.opened == 1
    bob.wait_until(lambda: wire.opened > 1, seconds=3 * TOKEN_LIFETIME)
    expect(bob.page.get_by_text("No connection.")).to_be_hidden()
    account(strict_server, "alice").send(room_id, "still there?")
    expect(bob.texts).to_have_text(["still there?"])
    bob.write("yes")
    bob.expect_mark("yes", "Sent")
