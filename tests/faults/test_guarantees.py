"""The page of the guarantees names tests that exist, and the figures that were kept."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.faults.report import kept, page

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/guarantees.md").read_text("utf-8")
NAMED: Final = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_page_names_tests() -> None:
    assert len(NAMED) > 15


@pytest.mark.parametrize(("file", "test"), NAMED, ids=lambda each: str(each).removeprefix("tests/"))
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_every_fault_that_is_tested_is_named() -> None:
    """A fault's tests are those that run one, or remove somebody amid one."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        text = path.read_text("utf-8")
        for test in re.findall(r"^async def (test_\w+)\([^)]*holds: Holds", text, re.MULTILINE):
            assert (f"tests/faults/{path.name}", test) in NAMED


def test_figures_are_those_that_were_kept() -> None:
    results = kept()
    assert page(results) in PAGE
    assert all((each.lost, each.doubled, each.misordered, each.other) == (0, 0, 0, 0) for each in results.rows)
    assert all(each.heal is not None for each in results.rows)
    assert all(each.seconds <= each.allowed for each in results.cut_offs)
