"""Header text per version: escaping out, unescaping in.

1.0 has no escapes, 1.1 has `\\n`, `\\c` and `\\\\`, 1.2 adds `\\r`; CONNECT and CONNECTED are never escaped
(STOMP 1.2, "Value Encoding").
"""

import re
from collections.abc import Mapping

from chathttp.stomp.errors import StompSyntaxError, quoted
from chathttp.stomp.frame import Version

UNESCAPED_COMMANDS = frozenset({"CONNECT", "CONNECTED"})

_ESCAPES_11 = {"\\": "\\\\", "\n": "\\n", ":": "\\c"}
_ESCAPES: Mapping[Version, Mapping[str, str]] = {
    Version.V10: {},
    Version.V11: _ESCAPES_11,
    Version.V12: {**_ESCAPES_11, "\r": "\\r"},
}
_UNESCAPES = {version: {escape: plain for plain, escape in table.items()} for version, table in _ESCAPES.items()}
_SPECIAL = re.compile(r"[\\\n\r:\0]")
_UNESCAPABLE = re.compile(r"[\n\r\0]")
_ESCAPE_SEQUENCE = re.compile(r"\\.?", re.DOTALL)


def escape_value(text: str, version: Version) -> str:
    """A header value for `version`. Raises `ValueError` for what it cannot express (see `header_line`)."""
    if _SPECIAL.search(text):
        text = _escape(text, version, plain="\\:" if version is Version.V10 else "")
    if version is Version.V10 and text != text.strip(" \t"):
        raise ValueError("STOMP 1.0 cannot express white space around a header's text")
    return text


def header_line(name: str, value: str, version: Version) -> str:
    """`name:value` and a line feed, escaped for `version`.

    Raises `ValueError` for what the version cannot express: an empty name, NUL, a line end that has no
    escape, a colon in a name of 1.0, and white space around a 1.0 text, which its readers may trim.
    """
    if not name:
        raise ValueError("a header name cannot be empty")
    if _SPECIAL.search(name):
        name = _escape(name, version, plain="\\" if version is Version.V10 else "")
    if version is Version.V10 and name != name.strip(" \t"):
        raise ValueError("STOMP 1.0 cannot express white space around a header's name")
    return f"{name}:{escape_value(value, version)}\n"


def echoed(text: str, version: Version) -> str:
    """`escape_value` without what the version cannot express; never raises.

    For what a client sent before the versions were agreed on, when it was read by other rules.
    """
    if version is not Version.V10 and not _SPECIAL.search(text):
        return text
    try:
        return escape_value(text, version)
    except ValueError:
        escapable = _ESCAPES[version]
        kept = "".join(character for character in text if character not in "\0\r\n" or character in escapable)
        return escape_value(kept.strip(" \t"), version)


def plain_header_line(name: str, value: str) -> str:
    """`header_line` for CONNECT and CONNECTED, which escape nothing in any version."""
    if not name or ":" in name or _UNESCAPABLE.search(name) or _UNESCAPABLE.search(value):
        raise ValueError("CONNECT and CONNECTED cannot express this header")
    return f"{name}:{value}\n"


def _escape(text: str, version: Version, plain: str) -> str:
    table = _ESCAPES[version]

    def replace(match: re.Match[str]) -> str:
        character = match[0]
        if character in plain:
            return character
        if character not in table:
            raise ValueError(f"STOMP {version} cannot express {quoted(character)} in a header")
        return table[character]

    return _SPECIAL.sub(replace, text)


def unescape(text: str, version: Version | None) -> str:
    """The plain text. None is a connection before its negotiation: 1.2, but unknown sequences stay as they are.

    Raises `StompSyntaxError` for an undefined sequence (STOMP 1.2: "MUST be treated as a fatal protocol error").
    """
    if "\\" not in text or version is Version.V10:
        return text
    table = _UNESCAPES[version or Version.V12]

    def replace(match: re.Match[str]) -> str:
        sequence = match[0]
        plain = table.get(sequence)
        if plain is not None:
            return plain
        if version is None:
            return sequence
        raise StompSyntaxError(f"undefined escape sequence {quoted(sequence)} in a header")

    return _ESCAPE_SEQUENCE.sub(replace, text)


def parse_header_line(line: bytes | bytearray, command: str, version: Version | None) -> tuple[str, str]:
    """One header line without its end, as name and plain value. Raises `StompSyntaxError`."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise StompSyntaxError("a header is not UTF-8") from None
    name, colon, value = text.partition(":")
    if version is Version.V10:
        name, value = name.strip(" \t"), value.strip(" \t")
    if not colon or not name:
        raise StompSyntaxError(f"a header line is name:value, not {quoted(text)}")
    if "\r" in text or "\0" in text:
        raise StompSyntaxError(f"CR or NUL inside the header {quoted(name)}")
    if "\\" in text and command not in UNESCAPED_COMMANDS:
        return unescape(name, version), unescape(value, version)
    return name, value
