"""The contract as it was released, and whether the present one keeps it.

`schema/released/` holds the documents of the last release, so that a checkout without history can compare. Where Git
has the tag of a release, its documents count as well: who changes the kept copy changes nothing.
"""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ops.contract.documents import ASYNCAPI, OPENAPI, Contract, breaking_changes
from ops.contract.schemas import Change

SCHEMA: Final = "schema"
RELEASED: Final = "schema/released"
_NAMES: Final = (OPENAPI, ASYNCAPI)


def present(root: Path) -> Contract:
    return Contract.parse(_texts(root / SCHEMA))


def references(root: Path) -> Iterator[tuple[str, Contract]]:
    """What was promised: the kept copy, and the last tag where there is one, each with its name."""
    yield RELEASED, Contract.parse(_texts(root / RELEASED))
    tag = _git(root, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    if tag is not None:
        name = tag.strip()
        texts = {each: _git(root, "show", f"{name}:{SCHEMA}/{each}") for each in _NAMES}
        present_texts = {each: text for each, text in texts.items() if text is not None}
        if len(present_texts) == len(_NAMES):
            yield name, Contract.parse(present_texts)


def broken_promises(root: Path) -> dict[str, list[Change]]:
    """Breaking changes by what they break; none of those that a higher version allows."""
    now = present(root)
    found: dict[str, list[Change]] = {}
    for name, then in references(root):
        if not may_break(then.version, now.version):
            found[name] = breaking_changes(then, now)
    return {name: changes for name, changes in found.items() if changes}


def may_break(old: str, new: str) -> bool:
    """By Semantic Versioning: with a higher major version, before 1.0.0 with a higher minor one."""
    before, after = _numbers(old), _numbers(new)
    return after[0] > before[0] or (after[0] == before[0] == 0 and after[1] > before[1])


def keep(root: Path) -> None:
    """Make the present documents the released ones."""
    for name, text in _texts(root / SCHEMA).items():
        (root / RELEASED / name).write_text(text, "utf-8")


def _numbers(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _texts(folder: Path) -> Mapping[str, str]:
    return {name: (folder / name).read_text("utf-8") for name in _NAMES}


def _git(root: Path, *words: str) -> str | None:
    """What Git prints; None without Git, outside of a repository, and for what it does not have."""
    try:
        result = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return result.stdout if result.returncode == 0 else None
