from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from chathttp.identity.mail import FileMailer

AT = datetime(2026, 1, 2, tzinfo=UTC)


async def test_a_mail_becomes_a_file_for_its_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await FileMailer(tmp_path / "mail").send("zoë@example.com", "Hello", "your code is 123456", AT)
    (path,) = (tmp_path / "mail").iterdir()
    mail = message_from_bytes(path.read_bytes(), policy=policy.SMTPUTF8)
    assert (mail["To"], mail["Subject"]) == ("zoë@example.com", "Hello")
    assert "123456" in mail.get_content()
    assert path.name in caplog.text
    assert "123456" not in caplog.text


async def test_an_address_cannot_leave_the_directory(tmp_path: Path) -> None:
    await FileMailer(tmp_path / "mail").send("../../evil@example.com", "Hello", "x", AT)
    (path,) = (tmp_path / "mail").iterdir()
    assert path.name == "1767312000000-.._.._evil@example.com.eml"
