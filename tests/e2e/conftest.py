"""A real Chromium, and people in front of it."""

import asyncio
import socket
from collections.abc import Callable, Generator
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.person import Account, Person
from tests.kit.devserver import DevServer

CHROMIUM: Final = "/usr/bin/chromium"
ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """For one module: while it lives, Playwright's event loop counts as running in this thread."""
    with pytest.MonkeyPatch.context() as patch:
        # trio-asyncio, once imported, hands out loops of its own, on which Playwright cannot run.
        patch.setattr(asyncio, "new_event_loop", asyncio.SelectorEventLoop)
        playwright = sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture
def person_at(browser: Browser) -> Generator[Callable[..., Person]]:
    """Makes people at a server's URL. An error, a dialog or a CSP violation on any of their pages fails the test."""
    people: list[Person] = []

    def make(url: str, *, phone: bool = False) -> Person:
        people.append(Person(browser, url, phone=phone))
        return people[-1]

    yield make
    faults = [fault for person in people for fault in person.faults]
    for person in people:
        person.context.close()
    assert faults == []


@pytest.fixture
def account() -> Generator[Callable[[DevServer, str], Account]]:
    accounts: list[Account] = []

    def sign_in(server: DevServer, name: str) -> Account:
        accounts.append(Account(server.url, name))
        return accounts[-1]

    yield sign_in
    for each in accounts:
        each.close()


@pytest.fixture
def free_port() -> int:
    """A port that nothing listened on a moment ago, for a server that must keep it over a restart."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
