"""Who the connections are: user ids and their access tokens."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from attrs import frozen


class UsersError(Exception):
    """The tokens cannot be used."""


@frozen
class LoadUser:
    user_id: str
    token: str


class _Line(msgspec.Struct, rename="camel"):
    user_id: str
    token: str


def read_users(path: Path, id_of: Callable[[str], str]) -> list[LoadUser]:
    """The users of a file as `stackmentor token` writes it, JSON objects or bare tokens, one a line.

    `id_of` finds the user id of a bare token. Raises `UsersError`.
    """
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsersError(f"{path}: {error}") from error
    users: list[LoadUser] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            try:
                row = msgspec.json.decode(line, type=_Line)
            except msgspec.MsgspecError as error:
                raise UsersError(f"{path}, line {number}: {error}") from error
            users.append(LoadUser(row.user_id, row.token))
        elif line:
            users.append(LoadUser(id_of(line), line))
    if not users:
        raise UsersError(f"{path} has no tokens")
    return users
