"""Devices in memory."""

from uuid import UUID

import trio

from actors.push.ports import Device, too_many_devices


class MemoryDevices:
    """`Devices`; every user is one that there is."""

    def __init__(self) -> None:
        self._devices: dict[tuple[UUID, str], Device] = {}

    async def put(self, device: Device, *, limit: int) -> None:
        await trio.lowlevel.checkpoint()
        others = [
            key
            for key, each in self._devices.items()
            if key != (device.user_id, device.id)
            and (each.platform, each.push_token) != (device.platform, device.push_token)
        ]
        if sum(user_id == device.user_id for user_id, _ in others) >= limit:
            raise too_many_devices(limit)
        self._devices = {key: self._devices[key] for key in others}
        self._devices[device.user_id, device.id] = device

    async def delete(self, user_id: UUID, device_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self._devices.pop((user_id, device_id), None)

    def of(self, user_id: UUID) -> list[Device]:
        return [each for each in self._devices.values() if each.user_id == user_id]
