"""`Content-Disposition` (RFC 6266) of a download: never shown in place, whatever the type."""

import re
from typing import Final
from urllib.parse import quote

_UNSAFE: Final = re.compile(r'[^ -~]|["%/\\]')
_ATTR_CHAR: Final = "!#$&+-.^_`|~"
"""What RFC 8187, section 3.2.1, leaves unescaped beside letters and digits."""


def attachment_disposition(file_name: str) -> str:
    """With an ASCII name for old clients and the whole one as RFC 8187 has it; nothing in it ends the header."""
    plain = _UNSAFE.sub("_", file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe=_ATTR_CHAR)}"
