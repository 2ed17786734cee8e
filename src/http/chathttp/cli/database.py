"""The database that a command means: the one that is set, else the embedded one of the data directory."""

import contextlib
from collections.abc import Generator

from chathttp.dev.postgres import postgres_for_command
from chathttp.settings import Settings


@contextlib.contextmanager
def database_of(settings: Settings) -> Generator[str]:
    """Its URL for the duration of the block. Raises :class:`chathttp.dev.errors.DevError`."""
    if settings.database_url:
        yield settings.database_url
    else:
        with postgres_for_command(settings.data_dir) as url:
            yield url
