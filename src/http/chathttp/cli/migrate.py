"""``stackmentor migrate``: the database's schema."""

from typing import Annotated

import typer

from actors.adapters.postgres import migrations
from chathttp.cli.database import database_of
from chathttp.cli.environment import QUIET, read_settings

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def up() -> None:
    """Bring the schema to the newest revision."""
    with database_of(read_settings(QUIET)) as url:
        migrations.migrate_up(url)
        typer.echo(f"the schema is at {migrations.status(url).current}")


@app.command()
def down(
    revision: Annotated[str, typer.Argument(help="The revision to go back to; base for an empty database.")],
) -> None:
    """Undo all revisions after the given one, their data included."""
    with database_of(read_settings(QUIET)) as url:
        migrations.migrate_down(url, revision)
        typer.echo(f"the schema is at {migrations.status(url).current or 'base'}")


@app.command()
def status() -> None:
    """Print the present revision, the newest one, and those that are pending."""
    with database_of(read_settings(QUIET)) as url:
        found = migrations.status(url)
    typer.echo(f"current {found.current or 'base'}\nhead {found.head}")
    for revision in found.pending:
        typer.echo(f"pending {revision}")


@app.command()
def check() -> None:
    """End with status 1 unless the schema is the newest."""
    with database_of(read_settings(QUIET)) as url:
        migrations.check(url)
    typer.echo("the schema is up to date")
