"""The kept documents, the last tag, and the command that holds the present ones to them."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from ops.contract.__main__ import ROOT, main
from ops.contract.released import RELEASED, SCHEMA, broken_promises, keep, may_break, present, references
from tests.kit.openapi import asyncapi, openapi


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose released contract is the present one."""
    for folder in (SCHEMA, RELEASED):
        (tmp_path / folder).mkdir()
        for name in ("openapi.yaml", "asyncapi.yaml"):
            (tmp_path / folder / name).write_text((ROOT / SCHEMA / name).read_text("utf-8"), "utf-8")
    return tmp_path


def change(root: Path, old: str, new: str, folder: str = SCHEMA) -> None:
    path = root / folder / "openapi.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def git(root: Path, *words: str) -> None:
    who = [
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
    ]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_the_present_contract_breaks_no_client_of_the_released_one() -> None:
    told = [f"{name}: {each}" for name, changes in broken_promises(ROOT).items() for each in changes]
    assert told == []


def test_documents_and_package_bear_one_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert {openapi()["info"]["version"], asyncapi()["info"]["version"], present(ROOT).version} == {version}


def test_the_released_documents_are_of_a_version_that_is_not_ahead() -> None:
    for name, contract in references(ROOT):
        assert [int(each) for each in contract.version.split(".")] <= [
            int(each) for each in present(ROOT).version.split(".")
        ], name


def test_the_command_says_what_breaks_and_fails(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], root) == 0
    change(root, "  /api/presence:\n", "  /api/attendance:\n")
    assert main([], root) == 1
    assert "Clients of schema/released break" in (said := capsys.readouterr().err)
    assert "  GET /api/presence: is gone\n" in said


def test_a_release_keeps_what_breaks_nothing_and_refuses_what_does(root: Path) -> None:
    change(root, "  /api/presence:\n", "  /api/attendance:\n")
    assert main(["release"], root) == 1
    assert "/api/presence" in yaml.safe_load((root / RELEASED / "openapi.yaml").read_text())["paths"]
    change(root, "  version: 0.1.0\n", "  version: 0.2.0\n")
    assert main(["release"], root) == 0
    assert "/api/attendance" in yaml.safe_load((root / RELEASED / "openapi.yaml").read_text())["paths"]


def test_other_words_are_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["realease"], root) == 2
    assert capsys.readouterr().err.startswith("usage: ")


def test_the_last_tag_counts_even_when_the_kept_copy_was_changed(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "release")
    git(root, "tag", "v0.1.0")
    change(root, "  /api/presence:\n", "  /api/attendance:\n")
    keep(root)
    git(root, "commit", "-q", "-a", "-m", "change the promise")
    assert [name for name, _ in references(root)] == [RELEASED, "v0.1.0"]
    assert [str(each) for each in broken_promises(root)["v0.1.0"]] == ["GET /api/presence: is gone"]


def test_without_a_tag_the_kept_copy_alone_counts(root: Path) -> None:
    assert [name for name, _ in references(root)] == [RELEASED]
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "no release")
    assert [name for name, _ in references(root)] == [RELEASED]


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("0.1.0", "0.1.9", False),
        ("0.1.0", "0.2.0", True),
        ("0.2.0", "0.1.0", False),
        ("0.9.0", "1.0.0", True),
        ("1.2.0", "1.3.0", False),
        ("1.2.0", "2.0.0", True),
    ],
)
def test_a_breaking_change_needs_a_higher_version(old: str, new: str, may: bool) -> None:
    assert may_break(old, new) is may
