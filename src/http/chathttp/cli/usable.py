"""The database at a start: whether it can be used, and the wait for one that is away."""

import random
from typing import Final

import structlog
import trio

from actors.adapters.postgres.migrations import check
from actors.adapters.postgres.reach import Reach, reach
from chathttp.settings import Settings, SettingsError, variable_of

_FIRST_WAIT: Final = 0.25
_LONGEST_WAIT: Final = 5.0

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.node")


def is_usable(settings: Settings) -> bool:
    """False while the database is away. Raises :class:`SettingsError` when it, or its URL, says that the setting is
    wrong, and :class:`actors.adapters.postgres.migrations.SchemaError` when it needs a migration.
    """
    found, why = reach(settings.database_url, settings.database_connect_timeout)
    match found:
        case Reach.REFUSED:
            raise SettingsError(f"{variable_of('database_url')}: {why}")
        case Reach.AWAY:
            _log.warning("waiting for the database", setting=variable_of("database_url"), error=why)
            return False
        case Reach.THERE:
            check(settings.database_url)
            return True


async def await_usable(settings: Settings) -> None:
    """Until the database is there. The waits double up to 5 s, half of each drawn at random. Raises as `is_usable`."""
    rng = random.Random()  # noqa: S311 - jitter
    wait = _FIRST_WAIT
    while not await trio.to_thread.run_sync(is_usable, settings, abandon_on_cancel=True):
        await trio.sleep(wait * (1 - rng.random() / 2))
        wait = min(2 * wait, _LONGEST_WAIT)
