"""The worker processes, none of which outlives the block that owns them."""

import contextlib
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Final

import msgspec

from chatload.channel import Channel, ChannelClosed
from chatload.messages import Answer, Command, Failed

_END_PATIENCE: Final = 2.0


class WorkerError(Exception):
    """A worker failed or died; says why."""


class Workers:
    """All of them, by number."""

    def __init__(self, channels: Sequence["Channel[Answer, Command]"]) -> None:
        self._channels = channels
        self._selector = selectors.DefaultSelector()
        for number, channel in enumerate(channels):
            self._selector.register(channel, selectors.EVENT_READ, number)

    def __len__(self) -> int:
        return len(self._channels)

    def tell(self, command: Command) -> None:
        """Raises `WorkerError`."""
        for channel in self._channels:
            self._tell(channel, command)

    def tell_each(self, commands: Sequence[Command]) -> None:
        """Raises `WorkerError`."""
        for channel, command in zip(self._channels, commands, strict=True):
            self._tell(channel, command)

    def answers(self, until: float) -> Iterator[tuple[int, Answer]]:
        """What the workers say, with their numbers, up to the moment `until` (`time.monotonic`).

        Raises `WorkerError`.
        """
        while (rest := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(rest):
                number: int = key.data
                try:
                    answer = self._channels[number].receive()
                except ChannelClosed:
                    raise WorkerError(f"worker {number} has died") from None
                if isinstance(answer, Failed):
                    raise WorkerError(answer.reason)
                yield number, answer

    def forget(self, number: int) -> None:
        """It has said all."""
        self._selector.unregister(self._channels[number])

    def close(self) -> None:
        self._selector.close()

    def _tell(self, channel: "Channel[Answer, Command]", command: Command) -> None:
        try:
            channel.send(command)
        except ChannelClosed:
            raise WorkerError("a worker has died") from None


@contextlib.contextmanager
def started_workers(count: int) -> Generator[Workers]:
    """`count` processes. They end when their channel closes; who does not is killed."""
    with contextlib.ExitStack() as stack:
        channels: list[Channel[Answer, Command]] = []
        for _ in range(count):
            ours, theirs = socket.socketpair()
            with theirs:
                process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "chatload.worker", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            stack.callback(_end, process)
            channel: Channel[Answer, Command] = Channel(ours, msgspec.msgpack.Decoder(Answer))
            stack.callback(channel.close)
            channels.append(channel)
        workers = Workers(channels)
        stack.callback(workers.close)
        yield workers


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(_END_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    except BaseException:
        process.kill()
        raise
