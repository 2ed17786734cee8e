"""Pushes that go nowhere but into the log."""

import logging

import trio

from actors.push.ports import Device, Push, Told

_log = logging.getLogger(__name__)


class LogSender:
    """`PushSender`. Neither the text nor the token is logged."""

    async def send(self, push: Push, device: Device) -> Told:
        await trio.lowlevel.checkpoint()
        _log.info(
            "push of %d messages up to %s to user %s, device %s", push.count, push.message_id, push.user_id, device.id
        )
        return Told.SENT
