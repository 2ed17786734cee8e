"""The commands, and what they say when they fail: one line on stderr."""

import errno
import sys
from collections.abc import Iterator
from typing import cast

import psycopg
import typer
from sqlalchemy.exc import DBAPIError

from actors.adapters.postgres.migrations import SchemaError
from chatconsole.client import ConsoleError
from chatcore.errors import ChatError
from chathttp.cli import console, load, migrate, openapi, roles, serve, token
from chathttp.cli.processes import ProcessesError
from chathttp.dev.errors import DevError
from chathttp.settings import SettingsError

WRONG_SETTING, FAILED, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    name="stackmentor",
    help="Real-time chat server. Every setting is an environment variable STACKMENTOR_…",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve.dev)
app.command()(serve.serve)
app.command(hidden=True)(serve.node)
app.command(hidden=True)(serve.worker)
app.add_typer(migrate.app, name="migrate")
app.command()(token.token)
app.command()(roles.roles)
app.command()(load.load)
app.command()(openapi.openapi)
app.command()(console.console)


def main() -> None:
    """Runs the command line. Exit status: 0 done, 1 failed, 2 a wrong setting or argument, 130 interrupted twice."""
    try:
        app()
    except SettingsError as error:
        _end(str(error), WRONG_SETTING)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (BaseExceptionGroup, Exception) as error:  # the process ends here either way
        line = _explained(error)
        if line is None:
            raise
        _end(line, FAILED)


def _end(line: str, status: int) -> None:
    sys.stderr.write(f"stackmentor: {line}\n")
    sys.exit(status)


def _explained(error: BaseException) -> str | None:
    """One line for the user when every leaf of ``error`` is something he can do something about."""
    lines = [_line(leaf) for leaf in _leaves(error)]
    return lines[0] if lines and all(lines) else None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        for inner in group.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _line(error: BaseException) -> str | None:
    match error:
        case DevError() | ProcessesError() | SchemaError() | SettingsError() | ConsoleError():
            return str(error)
        case ChatError():
            return error.message
        case psycopg.OperationalError():
            return "the database does not answer: " + " ".join(str(error).split())
        case DBAPIError(orig=psycopg.OperationalError() as cause):
            return _line(cause)
        case OSError(errno=errno.EADDRINUSE):
            return "the port is in use; set STACKMENTOR_PORT or STACKMENTOR_MANAGEMENT_PORT to another, or 0 for any"
        case PermissionError():
            return f"{error.filename or 'the port'}: permission denied"
        case _:
            return None
