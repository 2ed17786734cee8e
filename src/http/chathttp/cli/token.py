"""``stackmentor token``: users and access tokens for load tests."""

import sys
from pathlib import Path
from typing import Annotated, Final

import attrs
import msgspec
import trio
import typer

from actors.adapters.postgres.migrations import migrate_up
from chathttp.cli.database import database_of
from chathttp.cli.environment import QUIET, read_settings
from chathttp.dev.accounts import provision_tokens

_MOST: Final = 100_000


def token(
    users: Annotated[int, typer.Option(min=1, max=_MOST, help="How many users to create.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help='Print {"userId", "token"} objects.')] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file, readable by its owner only.")] = None,
) -> None:
    """Create users and print an access token for each, one a line. Works while `dev` runs on the data directory."""
    settings = read_settings(QUIET)
    with database_of(settings) as url:
        migrate_up(url)
        minted = trio.run(provision_tokens, attrs.evolve(settings, database_url=url), users)
    lines = [
        msgspec.json.encode({"userId": str(user_id), "token": text}).decode() if as_json else text
        for user_id, text in minted
    ]
    text = "\n".join(lines) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        out.touch(mode=0o600)
        out.write_text(text)
