"""Tells where a JSON object or array ends, reading it piece by piece."""

import re

_STRUCTURE = re.compile(rb'["{}\[\]]')
_STRING = re.compile(rb'["\\]')
_BLANK = b" \t\r\n"


class JsonExtent:
    """Follows the brackets and strings of one JSON text (RFC 8259) in linear time over all pieces.

    No proper prefix of an object or array is itself one, so `complete` is final: a correct text that
    is complete can only be followed by white space. It does not validate what is between the brackets.
    """

    __slots__ = ("_broken", "_depth", "_escaped", "_in_string", "_started")

    def __init__(self) -> None:
        self._depth = 0
        self._started = False
        self._in_string = False
        self._escaped = False
        self._broken = False

    @property
    def complete(self) -> bool:
        """True when all pieces so far are one bracketed text, with nothing but white space around it."""
        return self._started and not self._broken and self._depth == 0

    def read(self, piece: bytes) -> None:
        """Goes on with the next piece; pieces may be cut anywhere, also inside an escape."""
        position, size = 0, len(piece)
        while position < size and not self._broken:
            if self._in_string:
                position = self._read_string(piece, position)
            elif self._depth:
                position = self._read_structure(piece, position)
            else:
                position = self._read_outside(piece, position)

    def _read_string(self, piece: bytes, position: int) -> int:
        if self._escaped:
            self._escaped = False
            return position + 1
        found = _STRING.search(piece, position)
        if found is None:
            return len(piece)
        if found[0] == b'"':
            self._in_string = False
        else:
            self._escaped = True
        return found.end()

    def _read_structure(self, piece: bytes, position: int) -> int:
        found = _STRUCTURE.search(piece, position)
        if found is None:
            return len(piece)
        match found[0]:
            case b'"':
                self._in_string = True
            case b"{" | b"[":
                self._depth += 1
            case _:
                self._depth -= 1
        return found.end()

    def _read_outside(self, piece: bytes, position: int) -> int:
        octet = piece[position : position + 1]
        if octet in (b"{", b"[") and not self._started:
            self._started = True
            self._depth = 1
        elif octet not in _BLANK:
            self._broken = True
        return position + 1
