"""``python -m chatload.worker FD``: a worker that takes its commands from the socket FD."""

import contextlib
import resource
import signal
import socket
import sys

import msgspec

from chatload.channel import Channel, ChannelClosed
from chatload.messages import Answer, Command
from chatload.worker.worker import work


def main() -> None:
    # Ctrl-C reaches the whole process group; the control process decides, and its end is ours.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sock = socket.socket(fileno=int(sys.argv[1]))
    channel: Channel[Command, Answer] = Channel(sock, msgspec.msgpack.Decoder(Command))
    with contextlib.suppress(ChannelClosed), contextlib.closing(channel):
        work(channel)


if __name__ == "__main__":
    main()
