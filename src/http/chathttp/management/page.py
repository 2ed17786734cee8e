"""The console's web page: files without anything of the node in them. What they show they ask for, with the token."""

from importlib.resources import files
from typing import Final

from chathttp.edge.refusal import Headers
from chathttp.rest.files import StaticFile, load_file, load_tree

PAGE_PATH: Final = "/"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{socket}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def load_page() -> dict[str, StaticFile]:
    """The page's files by URL path. Raises `OSError` where they are not installed."""
    root = files("chatconsole") / "web"
    return {PAGE_PATH: load_file(root / "index.html"), **load_tree(root, "/web/")}


def page_headers(host: str | None) -> Headers:
    """What each response of the port bears. `host` is the request's own, once it is known to be this machine's.

    Not every browser takes `'self'` for WebSockets of the same origin too, so `host` is named; CSP has no notation for
    IPv6 addresses, where `'self'` must do.
    """
    socket = f" ws://{host}" if host and "[" not in host else ""
    return [
        (b"content-security-policy", _POLICY.format(socket=socket).encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    ]
