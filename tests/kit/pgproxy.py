"""Stands between a client and PostgreSQL, and loses what the server answers."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from tests.kit.proxy import Proxy, running_proxy

_PORT = "5432"


class PostgresProxy(Proxy):
    """Forwards a Unix socket of its own to the server's. `url` is like the server's, but through the proxy."""

    def __init__(self, url: str, directory: Path) -> None:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        super().__init__(postgres_socket(url), directory / f".s.PGSQL.{_PORT}")
        self.url = f"postgresql:///{parts['dbname']}?host={directory}&port={_PORT}&user={parts['user']}"


def postgres_socket(url: str) -> Path:
    """The Unix socket of the server of `url`."""
    parts = conninfo_to_dict(url)
    return Path(f"{parts['host']}/.s.PGSQL.{parts.get('port', '5432')}")


@asynccontextmanager
async def postgres_proxy(url: str) -> AsyncGenerator[PostgresProxy]:
    """A proxy to the server of `url`, around the block."""
    with tempfile.TemporaryDirectory() as directory:
        proxy = PostgresProxy(url, Path(directory))
        async with running_proxy(proxy):
            yield proxy
