"""Every row of the wire contract has a test that bears its name (`tests/kit/contract.py`)."""

from pathlib import Path

import pytest

from tests.kit.contract import RULES, marked_rows, rows


def test_every_row_of_the_contract_has_a_test_that_bears_its_name() -> None:
    assert sorted(rows() - {row for row, _ in marked_rows()}) == []


def test_every_mark_is_a_row_of_the_contract() -> None:
    known = rows()
    assert [(row, where) for row, where in marked_rows() if row not in known] == []


def test_rows_come_from_both_documents_the_code_and_the_rules() -> None:
    expected = {
        "POST /api/messages",
        "header Retry-After",
        "SEND /app/message.send",
        "SUBSCRIBE /user/queue/errors",
        "frame RECEIPT",
        "error RATE_LIMITED",
        "close 1013",
        *RULES,
    }
    assert expected <= rows()


@pytest.mark.parametrize(
    "source",
    [
        '@pytest.mark.contract("close 1013")\ndef check_it(): ...',
        '@pytest.mark.contract("close 1013")\nclass TestNothing:\n    def helper(self): ...',
    ],
)
def test_a_mark_on_what_is_no_test_is_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "test_planted.py").write_text(source)
    with pytest.raises(AssertionError, match="is no test"):
        list(marked_rows(tmp_path))


def test_marks_are_found_on_tests_and_on_classes_of_tests(tmp_path: Path) -> None:
    source = (
        '@pytest.mark.contract("a", "b")\n@pytest.mark.parametrize("x", [1])\nasync def test_one(x): ...\n'
        '@pytest.mark.contract("c")\nclass TestMore:\n    def test_two(self): ...\n'
        "def test_three(): ...\n"
    )
    (tmp_path / "test_planted.py").write_text(source)
    assert list(marked_rows(tmp_path)) == [
        ("a", "test_planted.py::test_one"),
        ("b", "test_planted.py::test_one"),
        ("c", "test_planted.py::TestMore"),
    ]
