"""JSON request bodies into typed structs; what does not fit is a `VALIDATION_ERROR` that names the field."""

import re
from collections.abc import Callable
from typing import Final, TypeVar, cast

import msgspec

from chatcore.errors import ChatError, ErrorCode, invalid

_T = TypeVar("_T", bound=msgspec.Struct)

_MISSING: Final = re.compile(r"Object missing required field `([^`]+)`")
_FIELD: Final = re.compile(r"^(?P<why>.*) - at `\$\.(?P<field>[A-Za-z_]+)", re.DOTALL)
_WORDS: Final = {"str": "text", "int": "number", "uuid": "UUID", "bool": "boolean", "float": "number"}


class RequestBody(msgspec.Struct, rename="camel", frozen=True):
    """Base of all request bodies: camelCase on the wire, unknown fields ignored."""


def _refusal(error: msgspec.ValidationError) -> ChatError:
    text = str(error)
    if missing := _MISSING.search(text):
        return invalid(missing[1], "is missing")
    if found := _FIELD.match(text):
        why = re.sub(r"`([^`]*)`", lambda m: _WORDS.get(m[1], m[1]), found["why"])
        return invalid(found["field"], why[:1].lower() + why[1:])
    return invalid("body", "must be a JSON object")


def _refuse_nul(body: msgspec.Struct) -> None:
    for info in msgspec.structs.fields(body):
        value: object = getattr(body, info.name)
        texts = cast("list[object]", value) if isinstance(value, list) else [value]
        if any(isinstance(text, str) and "\x00" in text for text in texts):
            raise invalid(info.encode_name, "must not contain NUL")


def decoder_of(type_: type[_T]) -> Callable[[bytes], _T]:
    """A function from bytes to `type_`.

    It refuses malformed JSON, wrong or missing fields, and NUL in any text, which PostgreSQL cannot hold; JSON that
    escapes a lone surrogate is malformed to msgspec.
    """
    decode = msgspec.json.Decoder(type_).decode

    def decode_body(data: bytes) -> _T:
        try:
            body = decode(data)
        except msgspec.ValidationError as error:
            raise _refusal(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ChatError(
                ErrorCode.VALIDATION_ERROR, "The body is not valid JSON", {"body": "is not valid JSON"}
            ) from None
        if b"\\u0000" in data:
            _refuse_nul(body)
        return body

    return decode_body
