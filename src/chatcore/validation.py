"""The rules for what clients may write. All raise `VALIDATION_ERROR` naming the field."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from chatcore.errors import invalid

MAX_TEXT: Final = 10_000
"""Code points of a message."""
MAX_ATTACHMENTS: Final = 5
MAX_NAME: Final = 200
"""Code points of a user's or a conversation's name."""
MAX_REASON: Final = 1_000
"""Code points of the reason of a report."""
MAX_URL: Final = 2_048
MAX_FILE_NAME: Final = 255

_PRINTABLE_ASCII: Final = re.compile(r"[ -~]{1,128}")
_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = rf" *; *{_NAME}=(?:{_NAME}|\"[ !#-[\]-~]*\")"
_MEDIA_TYPE: Final = re.compile(rf"(?=.{{3,127}}$){_NAME}/{_NAME}(?:{_PARAMETER})*")
_NO_FILE_NAME: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069/\\]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def check_storable(field: str, text: str) -> None:
    """Refuses what PostgreSQL's `text` cannot hold: NUL, and surrogates, which have no UTF-8 form."""
    if "\x00" in text:
        raise invalid(field, "must not contain NUL")
    if not text.isascii() and _SURROGATE.search(text):
        raise invalid(field, "must not contain a lone surrogate")


def check_text(text: str, *, attachments: int = 0) -> None:
    """A message's text: 1 to 10,000 code points and not blank; it may be blank beside attachments."""
    if len(text) > MAX_TEXT:
        raise invalid("text", f"must have at most {MAX_TEXT} characters")
    if not attachments and (not text or text.isspace()):
        raise invalid("text", "must not be blank")
    check_storable("text", text)


def check_client_message_id(value: str | None) -> None:
    """1 to 128 printable ASCII characters, or None."""
    if value is not None and not _PRINTABLE_ASCII.fullmatch(value):
        raise invalid("clientMessageId", "must be 1 to 128 printable ASCII characters")


def check_attachments(attachment_ids: Collection[UUID]) -> None:
    """At most 5, none twice. Whether they may be used is for the append to say."""
    if len(attachment_ids) > MAX_ATTACHMENTS:
        raise invalid("attachmentIds", f"must be at most {MAX_ATTACHMENTS}")
    if len(set(attachment_ids)) < len(attachment_ids):
        raise invalid("attachmentIds", "must not name an attachment twice")


def check_file_name(value: str) -> None:
    """1 to 255 code points, without control characters and without what separates directories."""
    if not value.strip() or len(value) > MAX_FILE_NAME:
        raise invalid("fileName", f"must have 1 to {MAX_FILE_NAME} characters and not be blank")
    check_storable("fileName", value)
    if value in {".", ".."} or _NO_FILE_NAME.search(value):
        raise invalid("fileName", "must be a name, without path and control characters")


def check_content_type(value: str) -> str:
    """The media type (RFC 9110, section 8.3.1) in lower case, with its parameters as they are."""
    if not _MEDIA_TYPE.fullmatch(value):
        raise invalid("contentType", "must be a media type such as image/png")
    essence, semicolon, parameters = value.partition(";")
    return essence.rstrip().lower() + semicolon + parameters


def check_name(field: str, value: str) -> str:
    """The name without surrounding white space: 1 to 200 code points."""
    name = value.strip()
    if not name:
        raise invalid(field, "must not be blank")
    if len(name) > MAX_NAME:
        raise invalid(field, f"must have at most {MAX_NAME} characters")
    check_storable(field, name)
    return name


def check_reason(value: str) -> str:
    """Why a message is reported, without surrounding white space: 1 to 1,000 code points."""
    reason = value.strip()
    if not reason:
        raise invalid("reason", "must not be blank")
    if len(reason) > MAX_REASON:
        raise invalid("reason", f"must have at most {MAX_REASON} characters")
    check_storable("reason", reason)
    return reason


def check_url(field: str, value: str) -> None:
    """An http or https URL with a host, of at most 2,048 printable ASCII characters."""
    if len(value) > MAX_URL:
        raise invalid(field, f"must have at most {MAX_URL} characters")
    try:
        parts = urlsplit(value)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not re.fullmatch(r"[!-~]+", value):
        raise invalid(field, "must be an http or https URL")
