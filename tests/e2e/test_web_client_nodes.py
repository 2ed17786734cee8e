"""The web client behind a load balancer in front of three nodes, which die and drain."""

import os
import signal
from collections.abc import Callable, Generator
from typing import Final

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.person import OUTAGE, Account, Person
from tests.kit.balancer import balanced
from tests.kit.devnodes import DevNodes
from tests.kit.devserver import DevServer
from tests.kit.postgres import remove_scratch, scratch_directory

PersonAt = Callable[..., Person]
SignedIn = Callable[[DevServer, str], Account]

NODES: Final = 3
PATIENCE: Final = 20_000
"""For what is seen once a client has come back, ms."""
REFUSED: Final = "status of 503"


@pytest.fixture(scope="module")
def nodes() -> Generator[DevNodes]:
    directory = scratch_directory()
    with DevNodes(directory, NODES, env={"STACKMENTOR_DRAIN_TIME": "1"}) as nodes:
        yield nodes
        nodes.stop()
    remove_scratch(directory)


@pytest.fixture
def balancer(nodes: DevNodes) -> Generator[str]:
    with balanced(nodes.urls) as url:
        yield url


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
def test_two_talk_on_while_each_node_in_turn_ends(
    nodes: DevNodes, balancer: str, person_at: PersonAt, account: SignedIn, number: signal.Signals
) -> None:
    title = f"Ends by {number.name}"
    room_id = account(nodes, "alice").make_group(title, account(nodes, "bob"))
    alice, bob = person_at(balancer), person_at(balancer)
    for person, name in ((alice, "alice"), (bob, "bob")):
        person.allowed.extend([*OUTAGE, REFUSED])
        person.sign_in(name).open(title)
    said: list[str] = []
    for node in range(1, NODES + 1):
        pid = nodes.node_pid(node)
        alice.write(f"before the end of {node}")
        os.kill(pid, number)
        alice.write(f"alice, without {node}")
        said += [f"before the end of {node}", f"alice, without {node}"]
        expect(bob.texts).to_have_text(said, timeout=PATIENCE)
        bob.write(f"bob, without {node}")
        said.append(f"bob, without {node}")
        for person in (alice, bob):
            expect(person.texts).to_have_text(said, timeout=PATIENCE)
        alice.expect_mark(said[-2], "Read")
        nodes.await_restart(node, pid)
    for person in (alice, bob):
        expect(person.page.get_by_text("No connection.")).to_be_hidden()
    assert account(nodes, "alice").texts(room_id) == said


def test_the_other_is_seen_to_come_and_go_on_another_node(
    nodes: DevNodes, person_at: PersonAt, account: SignedIn
) -> None:
    account(nodes, "alice").make_direct(account(nodes, "carol"))
    alice = person_at(nodes.urls[0]).sign_in("alice")
    alice.open("Carol")
    dot = alice.item("Carol").locator(".avatar.is-online")
    online = alice.page.get_by_text("Online", exact=True)
    expect(dot).to_be_hidden()
    carol = person_at(nodes.urls[2]).sign_in("carol")
    for sign in (dot, online):
        expect(sign).to_be_visible()
    carol.page.close()
    for sign in (dot, online):
        expect(sign).to_be_hidden()


def test_a_reading_that_a_node_refused_is_repeated(
    nodes: DevNodes, balancer: str, person_at: PersonAt, account: SignedIn
) -> None:
    alice = account(nodes, "alice")
    alice.send(alice.make_group("Refused once", account(nodes, "bob")), "still there")
    bob = person_at(balancer)
    bob.allowed.append(REFUSED)
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.url)
        error = {"errorCode": "UNAVAILABLE", "message": "This server restarts", "details": None}
        route.fulfill(status=503, headers={"Retry-After": "1"}, json=error)

    bob.context.route("**/api/messages?**", refuse_once)
    bob.sign_in("bob").item("Refused once").click()
    expect(bob.texts).to_have_text(["still there"])
    assert len(refused) == 1
