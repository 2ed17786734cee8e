from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.errors import ChatError, ErrorCode
from chatcore.validation import (
    check_attachments,
    check_client_message_id,
    check_content_type,
    check_file_name,
    check_name,
    check_storable,
    check_text,
    check_url,
)


def refused_field(error: pytest.ExceptionInfo[ChatError]) -> str:
    assert error.value.code is ErrorCode.VALIDATION_ERROR
    assert error.value.details is not None
    (field,) = error.value.details
    return field


@pytest.mark.parametrize("text", ["x", "  x  ", "\n.\n", "x" * 10_000, "\U0001f600" * 10_000])
def test_text_of_one_to_ten_thousand_code_points_is_taken(text: str) -> None:
    check_text(text)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u00a0\u2003", "x" * 10_001, "a\x00b", "a\ud800b"])
def test_text_that_is_blank_or_too_long_or_not_storable_is_refused(text: str) -> None:
    with pytest.raises(ChatError) as error:
        check_text(text)
    assert refused_field(error) == "text"


def test_text_may_be_empty_beside_an_attachment() -> None:
    check_text("", attachments=1)


@given(st.text())
def test_all_that_can_be_stored_has_a_utf8_form_without_nul(text: str) -> None:
    check_storable("text", text.replace("\x00", ""))


@pytest.mark.parametrize("value", [None, "x", "~" * 128, "a b"])
def test_client_message_id_of_printable_ascii_is_taken(value: str | None) -> None:
    check_client_message_id(value)


@pytest.mark.parametrize("value", ["", "x" * 129, "ä", "a\n", "\x7f", "a\x00"])
def test_other_client_message_ids_are_refused(value: str) -> None:
    with pytest.raises(ChatError) as error:
        check_client_message_id(value)
    assert refused_field(error) == "clientMessageId"


def test_more_than_five_attachments_or_one_twice_are_refused() -> None:
    ids = [UUID(int=each) for each in range(6)]
    check_attachments(ids[:5])
    for wrong in (ids, [ids[0], ids[0]]):
        with pytest.raises(ChatError) as error:
            check_attachments(wrong)
        assert refused_field(error) == "attachmentIds"


@pytest.mark.parametrize("name", ["a", "x" * 255, "Grüße 😀.tar.gz", "...", "a b"])
def test_a_file_name_may_be_any_name(name: str) -> None:
    check_file_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "x" * 256, ".", "..", "a/b", "a\\b", "a\nb", "a\x00", "\u202egnp.exe", "\ud800"]
)
def test_a_path_or_what_is_not_shown_is_no_file_name(name: str) -> None:
    with pytest.raises(ChatError) as error:
        check_file_name(name)
    assert refused_field(error) == "fileName"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("image/png", "image/png"),
        ("Image/PNG", "image/png"),
        ("text/plain; charset=UTF-8", "text/plain; charset=UTF-8"),
        ('audio/webm;codecs="opus, x"', 'audio/webm;codecs="opus, x"'),
        ("application/vnd.a+xml", "application/vnd.a+xml"),
    ],
)
def test_a_media_type_is_in_lower_case_but_for_its_parameters(given: str, kept: str) -> None:
    assert check_content_type(given) == kept


@pytest.mark.parametrize(
    "given", ["", "png", "image/", "image/png;", "image/png\r\nx: y", "a/b" + "c" * 130, "a/b; c", "ä/b"]
)
def test_what_is_no_media_type_is_refused(given: str) -> None:
    with pytest.raises(ChatError) as error:
        check_content_type(given)
    assert refused_field(error) == "contentType"


def test_a_name_is_trimmed() -> None:
    assert check_name("name", "  Jan \n") == "Jan"


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\x00"])
def test_a_blank_or_long_name_is_refused(name: str) -> None:
    with pytest.raises(ChatError) as error:
        check_name("name", name)
    assert refused_field(error) == "name"


@pytest.mark.parametrize("url", ["https://a.example/x.png?y=1#z", "http://[::1]:8080/", "https://localhost"])
def test_a_web_address_is_taken(url: str) -> None:
    check_url("avatarUrl", url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "javascript:alert(1)",
        "ftp://a.example",
        "https://",
        "https://a b",
        "https://[::1",
        "https://ä.example",
        "https://a:99999/",
        "https://a.example/" + "x" * 2048,
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(ChatError) as error:
        check_url("avatarUrl", url)
    assert refused_field(error) == "avatarUrl"
