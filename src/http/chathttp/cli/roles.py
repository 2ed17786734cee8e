"""``stackmentor roles``: what an account of the embedded identity may do beyond the others."""

import sys
from typing import Annotated

import attrs
import trio
import typer

from actors.adapters.postgres.migrations import migrate_up
from chathttp.cli.database import database_of
from chathttp.cli.environment import QUIET, read_settings
from chathttp.dev.accounts import change_roles


def roles(
    email: Annotated[str, typer.Argument(help="Of the account.")],
    set_to: Annotated[
        str | None, typer.Option("--set", help="Roles separated by commas, such as admins,moderators; empty: none.")
    ] = None,
) -> None:
    """Print the roles of an account, or set them. They are in the access tokens that it gets from then on."""
    settings = read_settings(QUIET)
    wanted = None if set_to is None else [each for part in set_to.split(",") if (each := part.strip())]
    with database_of(settings) as url:
        migrate_up(url)
        found = trio.run(change_roles, attrs.evolve(settings, database_url=url), email, wanted)
    sys.stdout.write(f"{','.join(found)}\n")
