"""Whether the database of a URL can be had, and if not whether it is worth waiting for it."""

import asyncio
from enum import Enum
from typing import Any, Final, cast

from actors.adapters.postgres.driver import CONNECT_ERRORS, asyncpg, sqlstate

_REFUSED_CLASSES: Final = ("28", "3D")
"""SQLSTATE: no such role, a wrong password, no such database."""


class Reach(Enum):
    THERE = "there"
    AWAY = "away"
    """It may come, or come back."""
    REFUSED = "refused"
    """By the server, or the URL is none: waiting changes nothing."""


def reach(database_url: str, timeout: float) -> tuple[Reach, str]:
    """Tries once, for so many seconds; with what is in the way. Synchronous, for a thread without an event loop."""
    return asyncio.run(_reach(database_url, timeout))


async def _reach(database_url: str, timeout: float) -> tuple[Reach, str]:
    try:
        connection = await cast("Any", asyncpg).connect(database_url, timeout=timeout)
    except ValueError as error:  # asyncpg's own for a URL, too
        return Reach.REFUSED, _line(error)
    except CONNECT_ERRORS as error:
        refused = sqlstate(error).startswith(_REFUSED_CLASSES)
        return Reach.REFUSED if refused else Reach.AWAY, _line(error)
    await connection.close(timeout=timeout)
    return Reach.THERE, ""


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
