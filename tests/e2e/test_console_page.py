"""The console's web page in a real Chromium, on a server with planted faults."""

import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from chatconsole.beacon import Beacon, beacons
from chathttp.management.server import ManagementOptions
from tests.e2e.person import Account
from tests.kit.console import PlantedNode, actor
from tests.kit.devserver import DevServer
from tests.kit.management_thread import ManagementThread
from tests.kit.postgres import remove_scratch, scratch_directory

ROOT: Final = Path(__file__).parents[2]
MARKUP: Final = "<img src=x onerror=alert(1)><b>bold</b>"
_REPORT_VIOLATIONS: Final = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Generator[None]:
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def planted() -> Generator[DevServer]:
    directory = scratch_directory()
    command = (sys.executable, "-m", "tests.e2e.planted_server")
    with DevServer(directory, command=command, cwd=ROOT) as server:
        yield server
    remove_scratch(directory)


@pytest.fixture(scope="module")
def beacon(planted: DevServer) -> Beacon:
    [found] = beacons(planted.data_dir)
    return found


class Maintainer:
    """At a browser with the console's page; `faults` must stay empty."""

    def __init__(self, browser: Browser, beacon: Beacon) -> None:
        self.beacon = beacon
        self.url = f"http://127.0.0.1:{beacon.port}/"
        self.context = browser.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
        self.context.set_default_timeout(30_000)
        self.context.add_init_script(_REPORT_VIOLATIONS)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.addresses: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.addresses.append(request.url))

    def attach(self) -> "Maintainer":
        self.page.goto(f"{self.url}#token={self.beacon.token}")
        expect(self.status).to_contain_text("live")
        return self

    @property
    def status(self) -> Locator:
        return self.page.locator("#status")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def tree_item(self, text: str) -> Locator:
        return self.page.get_by_role("tree", name="Tasks").get_by_role("treeitem").filter(has_text=text)


@pytest.fixture
def maintainer(browser: Browser, beacon: Beacon) -> Generator[Maintainer]:
    made = Maintainer(browser, beacon)
    yield made
    made.context.close()
    assert made.faults == []
    assert [each for each in made.addresses if not each.startswith(made.url)] == []


@pytest.fixture(scope="module")
def alice(planted: DevServer) -> Generator[Account]:
    account = Account(planted.url, "alice")
    yield account
    account.close()


def test_token_comes_by_the_address_or_by_the_form_and_stays_in_neither(maintainer: Maintainer, beacon: Beacon) -> None:
    page = maintainer.page
    page.goto(maintainer.url)
    form = page.get_by_role("form", name="Console of this node")
    form.get_by_label("Token").fill("wrong-token")
    maintainer.page.keyboard.press("Enter")
    expect(page.locator("#door-notice")).to_contain_text("each start has a new one")
    assert any("401" in fault for fault in maintainer.faults)  # Chromium tells of it by itself
    maintainer.faults.clear()
    form.get_by_label("Token").fill(beacon.token)
    form.get_by_role("button", name="Attach").click()
    expect(maintainer.status).to_contain_text("live")
    maintainer.attach()
    assert page.url == maintainer.url
    assert page.evaluate("history.length") <= 4
    page.reload()
    expect(maintainer.status).to_contain_text("live")
    page.get_by_role("button", name="Detach").click()
    expect(form).to_be_visible()
    assert page.evaluate("sessionStorage.length + localStorage.length + document.cookie.length") == 0


def test_every_view_is_reached_by_its_key_and_shows_the_node(maintainer: Maintainer, alice: Account) -> None:
    group = alice.make_group("Followed")
    page = maintainer.attach().page
    alice.send(group, "hello")
    expect(maintainer.tree_item("ManagementServer.run").first).to_be_visible()
    supervision = page.get_by_role("tree", name="Supervision")
    expect(supervision.get_by_role("treeitem").filter(has_text="conversations")).to_contain_text("live")
    maintainer.press("3")
    row = page.get_by_role("grid", name="Conversations").get_by_role("row").filter(has_text=group)
    expect(row).to_be_visible()
    maintainer.press("2")
    expect(page.get_by_role("grid", name="Actors").get_by_role("row").filter(has_text="users")).to_be_visible()
    maintainer.press("/")
    page.keyboard.type(group)
    expect(page.locator(".table-body .row:visible")).to_have_count(1)
    maintainer.press("Escape")
    maintainer.press("Enter")
    expect(page.get_by_role("heading", name=f"conversations/{group}")).to_be_visible()
    expect(page.locator(".facts").first).to_contain_text("mailbox")
    maintainer.press("6")
    expect(page.get_by_role("heading", name="store", exact=True)).to_be_visible()
    maintainer.press("0")
    expect(page.get_by_role("img", name=re.compile("Lag of the loop: now"))).to_be_visible()
    maintainer.press("9")
    expect(page.get_by_role("grid", name="Recently ended").get_by_role("row").nth(1)).to_be_visible()
    maintainer.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Store and bridge")
    maintainer.press("Escape")
    maintainer.press("Space")
    expect(maintainer.status).to_contain_text("paused")


def test_message_is_followed_hop_by_hop(maintainer: Maintainer, alice: Account) -> None:
    group = alice.make_group("Waterfall")
    page = maintainer.attach().page
    page.goto(f"{maintainer.url}#trace/{group}")
    expect(page.get_by_text("Following; 0 messages")).to_be_visible()
    alice.send(group, "on its way")
    expect(page.get_by_role("grid", name="Messages").get_by_role("row").filter(has_text=group)).to_contain_text(
        "committed"
    )
    way = page.get_by_role("region", name="The way of the chosen message")
    for hop in ("parsed", "store-queued", "batch-sent", "commit-answered", "sender-answered"):
        expect(way.get_by_role("rowheader", name=hop)).to_be_visible()
    maintainer.press("x")
    expect(page.get_by_text(re.compile("Not following; 1 message"))).to_be_visible()


def test_task_shows_its_stack_and_branches_fold(maintainer: Maintainer) -> None:
    page = maintainer.attach().page
    maintainer.tree_item("ManagementServer.run").first.click()
    frames = page.get_by_role("list", name="Stack, outermost call first")
    expect(frames).to_contain_text("await trio.sleep_forever()")
    expect(frames).to_contain_text("chathttp/management/server.py")
    maintainer.press("Escape")
    expect(page.get_by_role("complementary")).to_be_hidden()
    init = maintainer.tree_item("<init>")
    expect(init).to_have_attribute("aria-expanded", "true")
    maintainer.press("Home")
    maintainer.press("ArrowLeft")
    expect(init).to_have_attribute("aria-expanded", "false")
    expect(maintainer.tree_item("ManagementServer.run")).to_have_count(0)
    maintainer.press("ArrowRight")
    expect(maintainer.tree_item("ManagementServer.run").first).to_be_visible()


def test_what_blocks_the_loop_is_shown_while_it_does_and_afterwards(
    maintainer: Maintainer, planted: DevServer, alice: Account
) -> None:
    page = maintainer.attach().page
    group = alice.make_group("Blocked")
    sender = threading.Thread(target=alice.send, args=(group, "!block"))
    sender.start()
    try:
        _look_while_blocked(page, maintainer)
    finally:
        os.kill(planted.pid, signal.SIGUSR1)
        sender.join()
    banner = page.get_by_role("alert", name="The event loop is blocked")
    expect(banner).to_be_hidden()
    warning = page.get_by_role("list", name="Warnings").get_by_role("button").filter(has_text="price_of")
    expect(warning).to_contain_text("no-checkpoint")
    warning.click()
    stall = (
        page.get_by_role("list", name=re.compile("Stalls")).get_by_role("listitem").filter(has_text="price_of").first
    )
    expect(stall).to_contain_text(re.compile(r"blocked_loop\.py:\d+ price_of"))


def _look_while_blocked(page: Page, maintainer: Maintainer) -> None:
    banner = page.get_by_role("alert", name="The event loop is blocked")
    expect(banner).to_contain_text("ops/incidents/blocked_loop.py")
    expect(banner).to_contain_text("price_of")
    maintainer.press("/")
    page.keyboard.type("running")
    expect(maintainer.tree_item("running")).to_be_visible()
    maintainer.press("Escape")
    maintainer.press("8")
    warnings = page.get_by_role("list", name="Warnings")
    expect(warnings.get_by_role("button").filter(has_text="loop-blocked")).to_contain_text("price_of")
    # For as long as it lasts, and not only when it was found.
    page.wait_for_timeout(3_000)
    expect(banner).to_contain_text("price_of")
    expect(warnings).to_contain_text("loop-blocked")


def test_actor_that_crashes_again_and_again_is_traced_to_its_line(maintainer: Maintainer, alice: Account) -> None:
    group = alice.make_group("Poisoned")
    with contextlib.suppress(httpx.HTTPStatusError):  # what becomes of the message is none of the console's business
        alice.send(group, "!crash")
    page = maintainer.attach().page
    maintainer.press("8")
    warning = page.get_by_role("list", name="Warnings").get_by_role("button").filter(has_text="crash-loop")
    expect(warning).to_contain_text(group)
    expect(warning).to_contain_text("LookupError: no template for a message")
    expect(warning).to_contain_text(re.compile(r"ops/incidents/crash_loop\.py:\d+ render"))
    maintainer.press("1")
    crashed = page.get_by_role("tree", name="Supervision").get_by_role("treeitem").filter(has_text=group)
    expect(crashed).to_contain_text("crash_loop.py")
    maintainer.press("9")
    expect(page.get_by_role("grid", name="Recently ended")).to_contain_text("crash_loop.py")


def test_action_is_done_once_it_is_confirmed_and_not_before(maintainer: Maintainer, planted: DevServer) -> None:
    page = maintainer.attach().page
    logged = "console: action done"
    before = planted.log.count(logged)
    for answer in ("Cancel", "Do it"):
        page.get_by_role("button", name="Actions…").click()
        page.get_by_role("button", name="Write a snapshot to a file").click()
        dialog = page.get_by_role("alertdialog", name="snapshot")
        expect(dialog).to_contain_text("This would write all that is known of this node")
        assert planted.log.count(logged) == before
        dialog.get_by_role("button", name=answer).click()
    expect(page.locator(".toast")).to_contain_text("written to")
    assert planted.log.count(logged) == before + 1


def test_nothing_can_be_done_where_the_console_is_read_only_and_names_are_text(browser: Browser) -> None:
    behind = actor(MARKUP, mailbox_depth=5, mailbox_capacity=10, oldest_age=30.0)
    with ManagementThread(PlantedNode(singles=[behind])) as node:
        maintainer = Maintainer(browser, node.start(node.make(ManagementOptions(read_only=True))))
        page = maintainer.attach().page
        expect(page.locator("#node")).to_contain_text("read-only")
        maintainer.press("8")
        warning = page.get_by_role("list", name="Warnings").get_by_role("button").filter(has_text="ageing-mailbox")
        expect(warning).to_contain_text(MARKUP)
        warning.click()
        expect(page.get_by_role("heading", name=MARKUP)).to_be_visible()
        expect(page.locator(".facts").first).to_contain_text("5 of 10")
        for name in ("Actions…", "Restart…", "Passivate…"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
        maintainer.press("a")
        assert page.locator("dialog, #console b, #console img").count() == 0
        maintainer.context.close()
        assert maintainer.faults == []


def test_page_comes_back_with_the_port_and_asks_for_the_token_of_another_start(browser: Browser) -> None:
    with ManagementThread(PlantedNode()) as node:
        server = node.make(ManagementOptions())
        maintainer = Maintainer(browser, node.start(server)).attach()
        node.stop()
        expect(maintainer.status).to_contain_text("connection lost")
        node.start(server)
        expect(maintainer.status).to_contain_text("live")
        node.stop()
        node.start(node.make(ManagementOptions(port=server.port)))
        expect(maintainer.page.locator("#door-notice")).to_contain_text("each start has a new one")
        expect(maintainer.page.get_by_label("Token")).to_be_focused()
        maintainer.context.close()


def test_ten_thousand_tasks_leave_the_page_quick_and_their_names_are_text(
    maintainer: Maintainer, alice: Account
) -> None:
    alice.send(alice.make_group(MARKUP), "!crowd")
    page = maintainer.attach().page
    crowd = maintainer.tree_item("<b>member</b> *")
    expect(crowd).to_contain_text("planted_server.py")
    crowd.click()
    page.get_by_label("children of each nursery").select_option("2000")
    expect(page.get_by_text(re.compile(r"tasks below n\w+"))).to_be_visible()
    expect(maintainer.tree_item("<b>member</b> 0 ")).to_contain_text("deadline")
    page.keyboard.press("End")
    expect(maintainer.tree_item("of <b>member</b> *")).to_be_visible()
    worst = page.evaluate(_LONGEST_FRAME)
    assert worst < 500, f"the page stood still for {worst} ms"
    assert page.locator("[role=treeitem]").count() < 200
    assert page.locator("#console b, #console img").count() == 0


_LONGEST_FRAME: Final = """() => new Promise((resolve) => {
  const end = performance.now() + 2500;
  let [last, worst] = [performance.now(), 0];
  const frame = (now) => {
    worst = Math.max(worst, now - last);
    last = now;
    if (now < end) requestAnimationFrame(frame);
    else resolve(worst);
  };
  requestAnimationFrame(frame);
})"""


class _Elsewhere(BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Elsewhere</title>")

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def test_page_of_another_origin_cannot_attach_even_with_the_token(browser: Browser, beacon: Beacon) -> None:
    with HTTPServer(("127.0.0.1", 0), _Elsewhere) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        try:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{other.server_port}/")
            assert page.evaluate(_ATTACH, [beacon.port, beacon.token]) == ["closed", "failed"]
            assert page.frames[1].url.startswith("chrome-error:")
            page.close()
        finally:
            other.shutdown()
            thread.join()


_ATTACH: Final = """async ([port, token]) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/console/v1/ws`, ['stackmentor.console.v1', `token.${token}`]);
  const opened = await new Promise((resolve) => {
    socket.onopen = () => resolve('open');
    socket.onclose = () => resolve('closed');
  });
  const headers = { Authorization: `Bearer ${token}` };
  const address = `http://127.0.0.1:${port}/console/v1/snapshot`;
  const read = await fetch(address, { headers }).then(() => 'read', () => 'failed');
  const frame = document.createElement('iframe');
  frame.src = `http://127.0.0.1:${port}/`;
  const loaded = new Promise((resolve) => { frame.onload = resolve; });
  document.body.append(frame);
  await loaded;
  return [opened, read];
}"""
