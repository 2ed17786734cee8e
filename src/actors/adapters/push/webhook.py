"""Pushes as HTTP requests: to FCM's kind of endpoint, or to whatever hands them on."""

import json
import logging
from typing import Final

import trio
import urllib3

from actors.push.ports import Device, Push, Told, payload

_log = logging.getLogger(__name__)

_GONE: Final = frozenset({404, 410})
"""FCM answers the one (`UNREGISTERED`), APNs the other."""


class WebhookSender:
    """`PushSender` that posts JSON. 2xx is sent, 404 and 410 mean that the token is gone, all else is a failure.

    At most `concurrency` requests are under way, each in a thread of its own, for `timeout` seconds at most.
    """

    def __init__(self, url: str, *, secret: str, timeout: float, concurrency: int) -> None:
        self._url = url
        self._headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {secret}"} if secret else {}),
        }
        self._timeout = timeout
        self._limiter = trio.CapacityLimiter(concurrency)
        self._pool = urllib3.PoolManager(
            maxsize=concurrency, retries=False, timeout=urllib3.Timeout(connect=timeout, read=timeout)
        )

    async def send(self, push: Push, device: Device) -> Told:
        body = json.dumps(payload(push, device)).encode()
        with trio.move_on_after(self._timeout):
            # A thread that is left behind ends with its socket's time-out, and holds its place until then.
            return await trio.to_thread.run_sync(self._post, body, limiter=self._limiter, abandon_on_cancel=True)
        _log.warning("push not sent: no answer within %g s", self._timeout)
        return Told.FAILED

    def _post(self, body: bytes) -> Told:
        try:
            response = self._pool.request(
                "POST", self._url, body=body, headers=self._headers, redirect=False, preload_content=False
            )
            # Nobody wants the body, however long it is.
            response.close()
        except urllib3.exceptions.HTTPError as error:
            _log.warning("push not sent: %s", type(error).__name__)
            return Told.FAILED
        if 200 <= response.status < 300:
            return Told.SENT
        if response.status in _GONE:
            return Told.GONE
        _log.warning("push not sent: answered %d", response.status)
        return Told.FAILED
