"""Whole messages over a stream socket: four octets of length, then MessagePack."""

import socket
import struct
from typing import Final, Generic, TypeVar

import msgspec

_LENGTH: Final = struct.Struct("!I")
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class ChannelClosed(Exception):
    """The other end is gone."""


class Channel(Generic[_In, _Out]):
    """One end. Sends block; receives block for the rest of a message that has begun."""

    def __init__(self, sock: socket.socket, incoming: "msgspec.msgpack.Decoder[_In]") -> None:
        self._sock = sock
        self._decoder = incoming
        self._encoder = msgspec.msgpack.Encoder()

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, message: _Out) -> None:
        """Raises `ChannelClosed`."""
        data = self._encoder.encode(message)
        try:
            self._sock.sendall(_LENGTH.pack(len(data)) + data)
        except OSError as error:
            raise ChannelClosed from error

    def receive(self) -> _In:
        """Raises `ChannelClosed`."""
        (size,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return self._decoder.decode(self._exactly(size))

    def close(self) -> None:
        self._sock.close()

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                piece = self._sock.recv(min(size - len(data), 1 << 20))
            except OSError as error:
                raise ChannelClosed from error
            if not piece:
                raise ChannelClosed
            data += piece
        return bytes(data)
