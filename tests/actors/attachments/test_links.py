"""Signed links."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.attachments.disposition import attachment_disposition
from actors.attachments.links import DownloadGrant, Links
from actors.attachments.ports import Terms
from chatcore.errors import ChatError, ErrorCode

KEY = "k" * 43
NOW = 1_000_000.0
ours, theirs = Links(b"secret", lambda: NOW), Links(b"another", lambda: NOW)


def query_of(link: str) -> dict[str, str]:
    parts = urlsplit(link)
    assert parts.path == f"/files/{KEY}"
    return dict(parse_qsl(parts.query, keep_blank_values=True))


def refused(links: Links, key: str, query: dict[str, str]) -> str:
    with pytest.raises(ChatError) as caught:
        links.read_download(key, query)
    assert caught.value.code is ErrorCode.FORBIDDEN
    return caught.value.message


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(names, names)
def test_what_was_signed_is_read_back(name: str, content_type: str) -> None:
    grant = DownloadGrant(name, content_type)
    assert ours.read_download(KEY, query_of(ours.download(KEY, grant, 60.0))) == grant


@given(st.integers(1, 2**40))
def test_terms_are_read_back(size: int) -> None:
    terms = Terms("image/png", size)
    assert ours.read_upload(KEY, query_of(ours.upload(KEY, terms, 60.0))) == terms


@given(names, names, names, names)
def test_no_two_grants_share_a_signature(name: str, kind: str, other_name: str, other_kind: str) -> None:
    one, other = DownloadGrant(name, kind), DownloadGrant(other_name, other_kind)
    same = (
        query_of(ours.download(KEY, one, 60.0))["signature"] == query_of(ours.download(KEY, other, 60.0))["signature"]
    )
    assert same == (one == other)


@pytest.mark.parametrize("name", ["name", "type", "expires", "signature"])
def test_every_part_of_a_link_is_held_by_its_signature(name: str) -> None:
    query = query_of(ours.download(KEY, DownloadGrant("a", "b"), 60.0))
    assert refused(ours, KEY, query | {name: query[name] + "1"}) == "The link is not one of ours"
    del query[name]
    assert refused(ours, KEY, query) == "The link is not one of ours"


def test_another_key_and_anothers_secret_are_refused() -> None:
    query = query_of(ours.download(KEY, DownloadGrant("a", "b"), 60.0))
    refused(ours, KEY + "k", query)
    refused(theirs, KEY, query)


def test_an_upload_is_no_download() -> None:
    query = query_of(ours.upload(KEY, Terms("b", 1), 60.0))
    refused(ours, KEY, query | {"name": "a"})


def test_a_link_ends_with_its_life() -> None:
    query = query_of(ours.download(KEY, DownloadGrant("a", "b"), 60.0))
    assert Links(b"secret", lambda: NOW + 59.9).read_download(KEY, query) == DownloadGrant("a", "b")
    assert refused(Links(b"secret", lambda: NOW + 60.0), KEY, query) == "The link has expired"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_file_name_gets_out_of_its_header(name: str) -> None:
    header = attachment_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    quoted, _, encoded = header.removeprefix('attachment; filename="').partition("\"; filename*=UTF-8''")
    assert not set(quoted) & set('"\\%')
    assert not set(encoded) & set(' ";,\\')
