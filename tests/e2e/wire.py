"""A man in the middle of the web client's WebSockets."""

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, WebSocketRoute


class Wire:
    """The WebSockets between a context's pages and the server: may be cut, and what the client sends may be changed."""

    def __init__(self, context: BrowserContext) -> None:
        self.change: Callable[[str], str | None] = lambda frame: frame
        """What goes to the server instead of a frame; None for nothing."""
        self.opened = 0
        self._is_cut = False
        self._sockets: list[WebSocketRoute] = []
        context.route_web_socket(re.compile("/ws$"), self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        if self._is_cut:
            socket.close(code=1012)
            return
        self.opened += 1
        self._sockets.append(socket)
        server = socket.connect_to_server()

        def forward(frame: str | bytes) -> None:
            assert isinstance(frame, str)
            changed = self.change(frame)
            if changed is not None:
                server.send(changed)

        socket.on_message(forward)

    def cut(self) -> None:
        self._is_cut = True
        for socket in self._sockets:
            socket.close(code=1012)
        self._sockets.clear()

    def mend(self) -> None:
        self._is_cut = False
