from pathlib import Path

import pytest

from chatload.users import LoadUser, UsersError, read_users


def test_lines_are_json_or_bare_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text('{"userId": "u1", "token": "t1"}\n\nt2\n')
    assert read_users(path, lambda token: f"id of {token}") == [LoadUser("u1", "t1"), LoadUser("id of t2", "t2")]


@pytest.mark.parametrize(
    ("text", "says"),
    [('{"userId": "u1", "token": "t1"}\n{"token": "t1"}\n', "line 2: "), ("{\n", "line 1: "), ("\n", "has no tokens")],
)
def test_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(UsersError, match=says) as caught:
        read_users(path, str)
    assert str(caught.value).startswith(str(path))
