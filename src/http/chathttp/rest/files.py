"""Files that are served as they are: the web client, Swagger UI, the two schemas."""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from mimetypes import guess_type
from typing import Final

from attrs import frozen
from quart import Blueprint, Response, request

_YAML: Final = "application/yaml"
_TYPES: Final = {".js": "text/javascript", ".mjs": "text/javascript", ".yaml": _YAML, ".md": "text/markdown"}


def web_csp(storage_origin: str = "") -> str:
    """`storage_origin` is where the web client puts attachments, if that is not us."""
    elsewhere = f" {storage_origin}" if storage_origin else ""
    return (
        f"default-src 'self'; connect-src 'self' ws: wss:{elsewhere}; img-src 'self' data: https:{elsewhere}; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


@frozen
class StaticFile:
    content: bytes
    content_type: str
    etag: str


def _content_type(name: str) -> str:
    suffix = name[name.rfind(".") :] if "." in name else ""
    found = _TYPES.get(suffix) or guess_type(name)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") or found == "image/svg+xml" else found


def load_file(path: Traversable) -> StaticFile:
    content = path.read_bytes()
    return StaticFile(content, _content_type(path.name), sha256(content).hexdigest()[:32])


def load_tree(root: Traversable, prefix: str) -> dict[str, StaticFile]:
    """All files below `root` by URL path, except hidden ones."""
    found: dict[str, StaticFile] = {}
    for entry in root.iterdir():
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            found |= load_tree(entry, f"{prefix}{entry.name}/")
        else:
            found[prefix + entry.name] = load_file(entry)
    return found


def served_files() -> dict[str, StaticFile]:
    """Everything by its URL path."""
    client, own = files("chathttp") / "static", files("chathttp.rest") / "static"
    docs = load_tree(own / "docs", "/docs/")
    return {
        "/": load_file(client / "index.html"),
        **load_tree(client, "/static/"),
        "/docs": docs["/docs/index.html"],
        **docs,
        "/openapi.yaml": load_file(own / "openapi.yaml"),
        "/asyncapi.yaml": load_file(own / "asyncapi.yaml"),
    }


def files_blueprint(served: Mapping[str, StaticFile], storage_origin: str = "") -> Blueprint:
    """One route a file, so that an unknown path is 404 and a wrong method 405 as anywhere else.

    Names carry no version, so every use is revalidated by `ETag` (RFC 9110 section 13).
    """
    blueprint = Blueprint("files", __name__)
    csp = web_csp(storage_origin)

    async def serve() -> Response:
        file = served[request.path]
        answer = Response(file.content, content_type=file.content_type, headers={"Cache-Control": "no-cache"})
        answer.set_etag(file.etag)
        if file.content_type.startswith("text/html"):
            answer.headers["Content-Security-Policy"] = csp
        return await answer.make_conditional(request)

    for path in served:
        blueprint.add_url_rule(path, endpoint="file", view_func=serve)
    return blueprint
