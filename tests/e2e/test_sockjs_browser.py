"""`sockjs-client` in a real Chromium, on pages of the server's own origin and of another one."""

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.nodejs import HERE
from tests.kit.api import Api
from tests.kit.devserver import DevServer
from tests.kit.postgres import remove_scratch, scratch_directory

MODULES: Final = HERE / "node_modules"
SCRIPTS: Final = (MODULES / "sockjs-client/dist/sockjs.js", MODULES / "@stomp/stompjs/bundles/stomp.umd.js")
TALK: Final = """
({ url, transport, token, conversationId, texts }) => new Promise((resolve, reject) => {
  const seen = [];
  const client = new StompJs.Client({
    webSocketFactory: () => new SockJS(`${url}/ws`, null, { transports: [transport] }),
    connectHeaders: { Authorization: `Bearer ${token}` },
    reconnectDelay: 0,
  });
  client.onWebSocketClose = ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`));
  client.onConnect = () => {
    client.watchForReceipt('in-force', () => texts.forEach((text) => {
      client.publish({ destination: '/app/message.send', body: JSON.stringify({ conversationId, text }) });
    }));
    client.subscribe(`/topic/conversation.${conversationId}`, ({ body }) => {
      seen.push(JSON.parse(body).text);
      if (seen.length < texts.length) return;
      client.onWebSocketClose = () => resolve({ transport: used, seen });
      const used = client.webSocket.transport;
      client.deactivate();
    }, { receipt: 'in-force' });
  };
  client.activate();
})
"""
TEXTS: Final = ["Hello", '"quoted" \\ \u2028 漢字 🙂', *["é" * 9000] * 12]
"""More than one streaming response takes."""


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture(scope="module")
def elsewhere() -> Generator[str]:
    """An origin of its own. A real one: what a test makes up may not talk to this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage) as pages:
        thread = threading.Thread(target=pages.serve_forever)
        thread.start()
        yield f"http://localhost:{pages.server_address[1]}"
        pages.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(elsewhere: str) -> Generator[DevServer]:
    directory = scratch_directory()
    with DevServer(directory, env={"STACKMENTOR_CORS_ORIGINS": elsewhere}) as server:
        yield server
    remove_scratch(directory)


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


@pytest.mark.parametrize("transport", ["websocket", "xhr-streaming", "eventsource", "xhr-polling"])
@pytest.mark.parametrize("origin", ["its own", "another"])
def test_a_page_talks_over_each_transport(
    server: DevServer, elsewhere: str, page: Page, origin: str, transport: str
) -> None:
    page.goto(f"{server.url}/ws/" if origin == "its own" else elsewhere)
    for script in SCRIPTS:
        page.add_script_tag(path=script)
    with Api(server.url) as carol:
        carol.sign_in("carol@example.com")
        asked = {"url": server.url, "transport": transport, "token": carol.access_token}
        said = page.evaluate(TALK, {**asked, "conversationId": carol.demo_group(), "texts": TEXTS})
    assert said == {"transport": transport, "seen": TEXTS}
