"""Settings as each command reads them: the environment, under it the command's own defaults, over it its options."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chathttp.logs import configure_logs
from chathttp.settings import Settings, variable_of

QUIET: Final = {"log_level": "warning", "log_format": "console"}
"""The defaults of commands whose output is for people or pipes."""


def read_settings(
    defaults: Mapping[str, str] | None = None,
    *,
    port: int | None = None,
    data_dir: Path | None = None,
    workers: int | None = None,
    required: tuple[str, ...] = (),
) -> Settings:
    """The command's settings, with logging set up by them. Raises :class:`SettingsError`."""
    given: dict[str, str] = {variable_of(name): value for name, value in (defaults or {}).items()}
    given.update({name: value for name, value in os.environ.items() if value})
    if port is not None:
        given[variable_of("port")] = str(port)
    if data_dir is not None:
        given[variable_of("data_dir")] = str(data_dir)
    if workers is not None:
        given[variable_of("workers")] = str(workers)
    settings = Settings.from_environment(given, required=required)
    configure_logs(settings.log_level, settings.log_format)
    return settings
