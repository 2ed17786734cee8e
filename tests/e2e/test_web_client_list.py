"""The web client's list of conversations: pages, what is not followed live, and what is gone."""

import re
from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.e2e.person import Account, Person
from tests.kit.devserver import DevServer

PersonAt = Callable[..., Person]
SignedIn = Callable[[DevServer, str], Account]

FOLLOWED = 20
"""Conversations that the client subscribes to (LIVE_CONVERSATIONS in topics.js)."""


def test_a_message_in_a_conversation_far_down_brings_it_to_the_top(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn
) -> None:
    alice, bob = account(dev_server, "alice"), account(dev_server, "bob")
    room_id = alice.make_group("Far down", bob)
    for number in range(FOLLOWED + 1):
        alice.make_group(f"Newer {number}", bob)
    person = person_at(dev_server.url).sign_in("bob")
    expect(person.page.locator(".conversation-item").first).to_contain_text(f"Newer {FOLLOWED}")
    person.page.wait_for_function("document.querySelectorAll('.conversation-item').length > 21")
    alice.send(room_id, "up again")
    first = person.page.locator(".conversation-item").first
    expect(first).to_contain_text("Far down")
    expect(first).to_contain_text("up again")
    expect(first.locator(".badge")).to_have_text(re.compile("^1"))
    alice.send(room_id, "and once more")
    expect(first.locator(".badge")).to_have_text(re.compile("^2"))


def test_further_pages_of_the_list_are_shown_on_demand(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn
) -> None:
    # Carol, since a late notification of what Bob's other tests did would rightly add to his list.
    alice, carol = account(dev_server, "alice"), account(dev_server, "carol")
    for name in ("Page three", "Page two", "Page one"):
        alice.make_group(name, carol)
    person = person_at(dev_server.url)

    def one_a_page(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=50", "limit=1"))

    person.context.route(re.compile(r"/api/conversations\?limit=50"), one_a_page)
    person.sign_in("carol")
    items = person.page.locator(".conversation-item")
    more = person.page.get_by_role("button", name="Show more")
    for count, name in enumerate(("Page one", "Page two", "Page three"), start=1):
        expect(items).to_have_count(count)
        expect(items.nth(count - 1)).to_contain_text(name)
        more.click()
    expect(items).to_have_count(4)


def test_who_is_removed_from_a_group_loses_it_from_the_screen(
    dev_server: DevServer, person_at: PersonAt, account: SignedIn
) -> None:
    alice, bob = account(dev_server, "alice"), account(dev_server, "bob")
    room_id = alice.make_group("Not for long", bob)
    person = person_at(dev_server.url)
    person.allowed.append("403")  # the client asks whether the conversation is still his
    person.sign_in("bob").open("Not for long")
    alice.remove(room_id, bob)
    expect(person.page.get_by_text("Choose a conversation")).to_be_visible()
    expect(person.item("Not for long")).to_be_hidden()
