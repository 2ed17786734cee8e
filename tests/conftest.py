"""Fixtures that start real servers; every one of them is gone when its scope ends. And the tests' names and order."""

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.kit.devserver import DevServer
from tests.kit.postgres import (
    PostgresServer,
    own_postgres_server,
    remove_leftovers,
    remove_scratch,
    scratch_directory,
)
from tests.kit.redis import RedisServer, own_redis_cluster, own_redis_server

pytest_plugins = ("tests.kit.deadline",)

LONG: Final = ("faults", "e2e", "integration", "ops")
"""Folders whose files take long, the longest first."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Of ``-n auto``: most of what takes long waits."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several processes take whole files in this order: none may begin a long one when the rest is done."""
    if hasattr(config, "workerinput"):
        items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return LONG.index(folder) if folder in LONG else len(LONG)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are told apart by their place: those that hold random ones would have another name in each process."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def no_leftovers() -> None:
    """Stops what a killed test run left behind."""
    remove_leftovers()


@pytest.fixture(scope="session")
def postgres_server() -> Generator[PostgresServer]:
    """The session's PostgreSQL. Tests make databases on it; they must not stop it."""
    with own_postgres_server() as server:
        yield server


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Generator[str]:
    """A migrated database without rows, dropped after the test."""
    url = postgres_server.fresh_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def own_server() -> Generator[PostgresServer]:
    """A PostgreSQL that the test may stop, freeze and kill."""
    with own_postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Generator[RedisServer]:
    """The session's Valkey; channels and keys of tests must be their own. Tests must not stop it."""
    with own_redis_server() as server:
        yield server


@pytest.fixture
def own_redis() -> Generator[RedisServer]:
    """A Valkey that the test may stop, freeze and kill."""
    with own_redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Generator[Sequence[RedisServer]]:
    """The session's cluster of three masters. Tests must not stop them."""
    with own_redis_cluster() as servers:
        yield servers


@pytest.fixture
def data_dir() -> Generator[Path]:
    """An empty data directory for ``stackmentor dev`` that PostgreSQL's user can reach."""
    directory = scratch_directory()
    yield directory
    remove_scratch(directory)


@pytest.fixture(scope="session")
def dev_server() -> Generator[DevServer]:
    """The session's ``stackmentor dev`` with the demo users, on ports of its own. Tests must not stop it."""
    directory = scratch_directory()
    with DevServer(directory) as server:
        yield server
        server.stop()
    remove_scratch(directory)
