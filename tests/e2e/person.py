"""A person at a browser: what the tests do and see in the web client, and a record of what must not happen there."""

import re
import time
from collections.abc import Callable
from typing import Final, Literal

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.kit.devserver import PASSWORD

Mark = Literal["Waiting to be sent", "Sent", "Delivered", "Read", "Not sent"]

OUTAGE: Final = (
    r"WebSocket connection to .* failed",
    r"ERR_CONNECTION_REFUSED",
    r"ERR_EMPTY_RESPONSE",
    r"ERR_CONNECTION_RESET",
    r"status of 503",
)
"""What Chromium itself writes to the console while there is no server, or one that has no database yet."""

_RATE_LIMITED: Final = 429
_REPORT_VIOLATIONS: Final = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


class Person:
    """One browser context, signed in or not; ``tab()`` opens another page in it."""

    def __init__(self, browser: Browser, url: str, *, phone: bool = False) -> None:
        size = (390, 780) if phone else (1280, 800)
        self.context: BrowserContext = browser.new_context(
            base_url=url, viewport={"width": size[0], "height": size[1]}, has_touch=phone, is_mobile=phone
        )
        self.context.set_default_timeout(15_000)
        self.context.add_init_script(_REPORT_VIOLATIONS)
        self.faults: list[str] = []
        self.allowed: list[str] = []
        """Patterns of console errors that belong to the test."""
        self.page = self.tab()

    def tab(self) -> Page:
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        text = f"{message.text} ({message.location.get('url', '')})"
        if message.type == "error" and not any(re.search(pattern, text) for pattern in self.allowed):
            self.faults.append(text)

    def sign_in(self, name: str) -> "Person":
        self.page.goto("/")
        form = self.page.get_by_role("form", name="Sign in")
        form.get_by_label("E-mail").fill(f"{name}@example.com")
        form.get_by_label("Password").fill(PASSWORD)
        form.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()
        return self

    def item(self, title: str) -> Locator:
        """The conversation's entry in the list."""
        return self.page.locator(".conversation-item").filter(has=self.page.get_by_text(title, exact=True))

    def open(self, title: str) -> None:
        self.item(title).click()
        expect(self.page.get_by_role("heading", name=title)).to_be_visible()
        expect(self.history).not_to_have_text("Loading messages…")

    @property
    def history(self) -> Locator:
        return self.page.locator(".history")

    @property
    def draft(self) -> Locator:
        return self.page.get_by_label("Message", exact=True)

    @property
    def texts(self) -> Locator:
        """The messages' texts, in the order shown."""
        return self.page.locator(".message .text")

    @property
    def badge(self) -> Locator:
        return self.page.locator(".badge:visible")

    def write(self, text: str) -> None:
        self.draft.fill(text)
        self.draft.press("Enter")

    def message(self, text: str) -> Locator:
        return self.page.locator(".message").filter(has=self.page.get_by_text(text, exact=True))

    def wait_until(self, condition: Callable[[], bool], *, seconds: float) -> None:
        """For what no locator shows; the page's events are heard meanwhile."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s"
            self.page.wait_for_timeout(50)

    def reconnect(self) -> None:
        """As "Try now" does, which is gone when the page was faster."""
        self.page.locator("[data-ref=connectionAction]").dispatch_event("click")

    def expect_mark(self, text: str, mark: Mark) -> None:
        expect(self.message(text).locator(".mark")).to_have_attribute("aria-label", re.compile(f"^{mark}"))


class Account:
    """The REST API on behalf of a demo user, for what a test needs beforehand."""

    def __init__(self, url: str, name: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=120)
        login = self._client.post("/auth/login", json={"email": f"{name}@example.com", "password": PASSWORD})
        self._client.headers["Authorization"] = f"Bearer {login.raise_for_status().json()['accessToken']}"
        self.id: str = self._client.get("/api/users/me").raise_for_status().json()["id"]

    def close(self) -> None:
        self._client.close()

    def make_group(self, name: str, *members: "Account") -> str:
        body = {"type": "GROUP", "name": name, "participantIds": [member.id for member in members]}
        conversation_id: str = self._client.post("/api/conversations", json=body).raise_for_status().json()["id"]
        return conversation_id

    def make_direct(self, other: "Account") -> None:
        body = {"type": "DIRECT", "participantIds": [other.id]}
        self._client.post("/api/conversations", json=body).raise_for_status()

    def remove(self, conversation_id: str, member: "Account") -> None:
        self._client.delete(f"/api/conversations/{conversation_id}/participants/{member.id}").raise_for_status()

    def send(self, conversation_id: str, text: str) -> None:
        """Waits as long as the server's rate limit asks for."""
        body = {"conversationId": conversation_id, "text": text}
        for _ in range(100):
            answer = self._client.post("/api/messages", json=body)
            if answer.status_code != _RATE_LIMITED:
                answer.raise_for_status()
                return
        raise AssertionError("rate-limited for ever")

    def texts(self, conversation_id: str) -> list[str]:
        """Oldest first, as stored; at most 200."""
        query = {"conversationId": conversation_id, "afterSeq": "0", "size": "200"}
        page = self._client.get("/api/messages", params=query).raise_for_status().json()
        return [message["text"] for message in page["content"]]
