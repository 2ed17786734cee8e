"""Octets to frames, as they come."""

import re

from chathttp.stomp.commands import Send
from chathttp.stomp.errors import FrameTooLargeError, StompSyntaxError, quoted
from chathttp.stomp.frame import BODY_COMMANDS, COMMANDS, Frame, HeartBeat, Version
from chathttp.stomp.headers import parse_header_line
from chathttp.stomp.json_extent import JsonExtent
from chathttp.stomp.limits import StompLimits
from chathttp.stomp.plain_frame import plain_frame, plain_send

HEART_BEAT = HeartBeat()

_CR, _NUL = 13, 0
_LF_CR_NUL = b"\n\r\0"
_COMMAND_LINES = {line: command for command in COMMANDS for line in (command.encode(), command.encode() + b"\r")}
_MAX_COMMAND_LINE = max(map(len, _COMMAND_LINES))
_EOLS = re.compile(rb"(?:\r?\n)+")
_MAX_LENGTH_DIGITS = 18


def _begins_command(line: bytes) -> bool:
    return any(command.startswith(line) for command in _COMMAND_LINES)


class Decoder:
    """Takes octets as they come and gives whole frames; any cut of the octets gives the same frames.

    `version` chooses the escapes and may be set between two calls; None, before the negotiation, is 1.2
    without its strictness about undefined escapes. Lines may end with LF or CR LF in every version. Frames
    keep their `content-length` header.

    **WebSocket messages.** The caller feeds each message's octets and then calls `end_of_message`. Frames may
    span messages (stompjs `splitLargeFrames` cuts the text at 8,192 UTF-16 units, other clients elsewhere),
    and a message may lack its frame's final NUL (React Native for Android cuts a text at the first NUL, so
    such a message holds one frame, whole up to its NUL). Both look alike when a message ends inside a frame.
    What is decided there, never by the size of the message:

    1. command or headers unfinished, or fewer octets than `content-length`: the frame goes on in the next
       message. A React Native frame always has these whole.
    2. exactly `content-length` octets, or a command that has no body: the frame is complete. Should a NUL
       open the next message, it was this frame's (a client that cuts just before it) and is dropped.
    3. SEND, MESSAGE or ERROR without `content-length`: complete if the body is a whole JSON object or array,
       since no proper prefix of one is one (again, a late NUL is dropped). Otherwise it stays open, and
       the next message tells: if that begins with a command's line the open frame had ended, if not, it goes
       on. A body in JSON cannot contain a command's line, for a raw line end stands in no JSON string and no JSON
       token is a command. Any other text without a length has to wait for that next frame, and a heart-beat
       in between becomes part of it.

    Memory: at most `max_frame_bytes` and a command's name are kept between calls. After an error every
    call raises it again.
    """

    __slots__ = (
        "_command",
        "_extent",
        "_extent_read",
        "_failure",
        "_headers",
        "_in_body",
        "_late_nul",
        "_length",
        "_limits",
        "_open_ended",
        "_pending",
        "_probe",
        "_scanned",
        "_used",
        "version",
    )

    def __init__(self, limits: StompLimits | None = None, version: Version | None = None) -> None:
        self.version = version
        self._limits = StompLimits() if limits is None else limits
        self._failure: StompSyntaxError | None = None
        self._pending = bytearray()
        self._late_nul = False
        self._open_ended = False
        self._probe = b""
        self._reset()

    def _reset(self) -> None:
        self._command: str | None = None
        self._headers: list[tuple[str, str]] = []
        self._in_body = False
        self._length: int | None = None
        self._scanned = 0
        self._used = 0
        self._extent: JsonExtent | None = None
        self._extent_read = 0

    @property
    def buffered(self) -> int:
        """Octets kept for the next call."""
        return len(self._pending) + len(self._probe)

    def feed(self, data: bytes) -> list[Frame | HeartBeat]:
        """What is complete with these octets, in order.

        Raises `StompSyntaxError`; when frames stand before the error, gives them and raises at the next call.
        """
        self._check()
        items: list[Frame | HeartBeat] = []
        try:
            if self._open_ended:
                self._resume(data, items)
            else:
                self._decode(data, items)
        except StompSyntaxError as error:
            self._fail(error)
            if not items:
                raise
        return items

    def whole_message(self, data: bytes) -> Frame | None:
        """The frame that the WebSocket message `data` plainly is: what `feed` and `end_of_message` would give.

        None, and nothing has happened, when it is for these to see to.
        """
        return plain_frame(data, self.version, self._limits) if self._is_between_frames else None

    def whole_send(self, data: bytes) -> Send | None:
        """As `whole_message`, for what a connected client plainly sends outside any transaction."""
        return plain_send(data, self.version, self._limits) if self._is_between_frames else None

    @property
    def _is_between_frames(self) -> bool:
        return not (self._pending or self._command is not None or self._open_ended or self._late_nul or self._failure)

    def end_of_message(self) -> list[Frame]:
        """Says that a WebSocket message ends here; gives the frame that this completes, if any (see the class).

        Raises `StompSyntaxError`.
        """
        self._check()
        if not self._in_body and not self._open_ended:
            return []
        try:
            return self._end_inside_body()
        except StompSyntaxError as error:
            self._fail(error)
            raise

    def _check(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(*self._failure.args)

    def _fail(self, error: StompSyntaxError) -> None:
        self._failure = error
        self._pending.clear()
        self._probe = b""
        self._open_ended = False
        self._reset()

    def _decode(self, data: bytes, items: list[Frame | HeartBeat]) -> None:
        pending = self._pending
        buffer: bytes | bytearray = data
        if pending:
            pending += data
            buffer = pending
        position, size = 0, len(buffer)
        while position < size:
            before = position
            if self._in_body:
                position = self._take_body(buffer, position, items)
            elif self._command is not None:
                position = self._take_headers(buffer, position)
            else:
                position = self._take_start(buffer, position, items)
            if position == before:
                break
        if self._used + size - position > self._limits.max_frame_bytes:
            raise self._frame_too_long()
        if buffer is pending:
            del pending[:position]
        elif position < size:
            pending += data[position:]

    def _take_start(self, buffer: bytes | bytearray, position: int, items: list[Frame | HeartBeat]) -> int:
        """Consumes what is between frames, or a command's line."""
        first = buffer[position]
        if first in _LF_CR_NUL:
            eols = _EOLS.match(buffer, position)
            if eols is not None:
                items.append(HEART_BEAT)
                return eols.end()
            if first == _NUL and self._late_nul:
                self._late_nul = False
                return position + 1
            if first == _CR and position + 1 == len(buffer):
                return position
        end = buffer.find(b"\n", position, position + _MAX_COMMAND_LINE + 1)
        line = bytes(buffer[position : end if end >= 0 else position + _MAX_COMMAND_LINE + 1])
        if end < 0 and _begins_command(line):
            return position
        command = _COMMAND_LINES.get(line) if end >= 0 else None
        if command is None:
            raise StompSyntaxError(f"a frame begins with a STOMP command, not {quoted(line)}")
        self._command = command
        self._late_nul = False
        self._used = end + 1 - position
        return end + 1

    def _take_headers(self, buffer: bytes | bytearray, position: int) -> int:
        """Consumes all whole header lines, and the blank line after them."""
        start, command, version, headers = position, self._command or "", self.version, self._headers
        max_line, max_headers = self._limits.max_header_line_bytes, self._limits.max_headers
        end = buffer.find(b"\n", position + self._scanned)
        while end >= 0:
            line = buffer[position : end - 1 if end > position and buffer[end - 1] == _CR else end]
            position = end + 1
            if not line:
                self._scanned = 0
                self._used += position - start
                self._start_body()
                return position
            if len(line) > max_line:
                raise self._line_too_long()
            if len(headers) == max_headers:
                raise FrameTooLargeError(f"a frame has at most {max_headers} headers")
            headers.append(parse_header_line(line, command, version))
            end = buffer.find(b"\n", position)
        self._scanned = len(buffer) - position
        self._used += position - start
        if self._scanned > max_line + (buffer[-1] == _CR):
            raise self._line_too_long()
        return position

    def _start_body(self) -> None:
        self._in_body = True
        for name, value in self._headers:
            if name == "content-length":
                digits = value.strip(" ")
                if not (digits.isascii() and digits.isdigit()):
                    raise StompSyntaxError(f"content-length is a number, not {quoted(value)}")
                if len(digits) > _MAX_LENGTH_DIGITS or self._used + int(digits) >= self._limits.max_frame_bytes:
                    raise self._frame_too_long()
                self._length = int(digits)
                return

    def _take_body(self, buffer: bytes | bytearray, position: int, items: list[Frame | HeartBeat]) -> int:
        """Consumes the body and its NUL once both are there."""
        length = self._length
        if length is None:
            end = buffer.find(b"\0", position + self._scanned)
            if end < 0:
                self._scanned = len(buffer) - position
                return position
        else:
            end = position + length
            if end >= len(buffer):
                return position
            if buffer[end] != _NUL:
                raise StompSyntaxError(f"the body goes on after its content-length of {length}")
        if self._used + end + 1 - position > self._limits.max_frame_bytes:
            raise self._frame_too_long()
        items.append(self._finish(bytes(buffer[position:end])))
        return end + 1

    def _finish(self, body: bytes) -> Frame:
        command = self._command or ""
        if body and command not in BODY_COMMANDS:
            if body.strip(b"\r\n"):
                raise StompSyntaxError(f"{command} has no body")
            body = b""
        frame = Frame(command, tuple(self._headers), body)
        self._reset()
        return frame

    def _finish_pending(self) -> Frame:
        frame = self._finish(bytes(self._pending))
        self._pending.clear()
        return frame

    def _end_inside_body(self) -> list[Frame]:
        """`end_of_message` for a frame whose headers are whole."""
        if self._open_ended:
            self._open_ended = False
            probe, self._probe = self._probe, b""
            self._decode(probe, [])
        if self._length is not None:
            whole = len(self._pending) == self._length
        elif self._command in BODY_COMMANDS:
            whole = self._is_json()
            self._open_ended = not whole
        else:
            whole = True
        if not whole:
            return []
        self._late_nul = True
        return [self._finish_pending()]

    def _is_json(self) -> bool:
        if self._extent is None:
            self._extent = JsonExtent()
        self._extent.read(bytes(self._pending[self._extent_read :]))
        self._extent_read = len(self._pending)
        return self._extent.complete

    def _resume(self, data: bytes, items: list[Frame | HeartBeat]) -> None:
        """`feed` at the start of a message that follows an open frame (rule 3 of the class)."""
        probe = self._probe + data
        if b"\n" not in probe and _begins_command(probe):
            self._probe = probe
            return
        self._open_ended = False
        self._probe = b""
        line, line_end, _ = probe.partition(b"\n")
        if line_end and line in _COMMAND_LINES:
            items.append(self._finish_pending())
        self._decode(probe, items)

    def _frame_too_long(self) -> FrameTooLargeError:
        return FrameTooLargeError(f"a frame has at most {self._limits.max_frame_bytes} octets")

    def _line_too_long(self) -> FrameTooLargeError:
        return FrameTooLargeError(f"a header line has at most {self._limits.max_header_line_bytes} octets")
