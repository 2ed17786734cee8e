"""Structured logs on stderr, the standard library's loggers included."""

import logging
import sys
from typing import Final

import structlog
from structlog.typing import Processor

from chathttp.settings import LogFormat, LogLevel

_QUIET: Final = ("hypercorn.access", "asyncio", "alembic.runtime.migration")
"""Loggers whose informational lines are of no use here."""


def configure_logs(level: LogLevel, format_: LogFormat) -> None:
    """One line an event: JSON with ``timestamp`` (UTC), ``level``, ``logger``, ``event``, or a line for people.

    What is bound by ``structlog.contextvars``, such as ``request_id``, is in every line of its task.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Processor] = (
        [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
        if format_ == "json"
        else [
            # With rich installed, its tracebacks would be the default: they hold the event loop for seconds.
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
