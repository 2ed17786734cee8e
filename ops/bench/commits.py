"""Messages committed a second: many senders, each in a conversation of his own."""

import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from attrs import frozen

from ops.bench.broadcast.build import build
from ops.bench.client import Rest, StompSocket
from ops.bench.target import Target

SECONDS: Final = 4.0


@frozen
class Commits:
    senders: int
    in_flight: int
    """SENDs that each sender has outstanding."""
    per_second: float


def run(target: Target, senders: int = 64, in_flight: int = 1) -> Commits:
    """The senders are a program in C, as pgbench is. Raises `BuildError`, `CalledProcessError` (one was refused)."""
    users = target.users(senders)
    clients: list[StompSocket] = []
    frames: list[bytes] = []
    for user, other in zip(users, users[1:] + users[:1], strict=True):
        conversation = Rest(target.url, user.token).make_group("commits", [other.user_id])
        client = StompSocket(target.url, user.token)
        clients.append(client)
        frames.append(client.message_frame(conversation, "x" * 100, receipt="r"))
    descriptors = [client.sock.fileno() for client in clients]
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [build(Path(directory)).senders, str(SECONDS), str(in_flight), *map(str, descriptors)],
            input=b"".join(struct.pack("=I", len(frame)) + frame for frame in frames),
            pass_fds=descriptors,
            capture_output=True,
            check=True,
        )
    for client in clients:
        client.close()
    committed, elapsed = done.stdout.split()
    return Commits(senders, in_flight, int(committed) / float(elapsed))
