"""Breaking changes between two versions of `openapi.yaml` and `asyncapi.yaml`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import yaml

from ops.contract.schemas import Change, Comparison, Direction
from ops.contract.shape import Documents, Node

OPENAPI: Final = "openapi.yaml"
ASYNCAPI: Final = "asyncapi.yaml"
_PARTS: Final[Mapping[str, Node]] = {"payload": {}, "headers": {"type": "object"}}
"""Of a message, and what they are when nothing is said of them."""
_METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options")


@attrs.frozen
class Contract:
    """The two documents of one version."""

    documents: Documents
    version: str

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> "Contract":
        """Of the texts of both documents, by their file names. Errors: `yaml.YAMLError`, `KeyError`."""
        documents = Documents({name: yaml.safe_load(texts[name]) for name in (OPENAPI, ASYNCAPI)})
        return cls(documents, documents[OPENAPI]["info"]["version"])


def breaking_changes(old: Contract, new: Contract) -> list[Change]:
    """In the order of the old documents."""
    return [*_Rest(old, new).changes(), *_Stomp(old, new).changes()]


class _Rest:
    def __init__(self, old: Contract, new: Contract) -> None:
        self._old, self._new = old.documents, new.documents
        self._schemas = Comparison(self._old, self._new)

    def changes(self) -> Iterator[Change]:
        after = _operations(self._new)
        for name, operation in _operations(self._old).items():
            if name not in after:
                yield Change(name, "is gone")
                continue
            yield from self._parameters(name, operation, after[name])
            yield from self._body(name, operation, after[name])
            yield from self._security(name, operation, after[name])
            yield from self._answers(name, operation["responses"], after[name]["responses"])

    def _parameters(self, where: str, old: Node, new: Node) -> Iterator[Change]:
        before, after = _parameters(self._old, old), _parameters(self._new, new)
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield Change(f"{where} {_named(key)}", "is newly required")
        for key, parameter in before.items():
            if key not in after:
                yield Change(f"{where} {_named(key)}", "is gone")
                continue
            if _style(parameter) != _style(after[key]):
                yield Change(f"{where} {_named(key)}", "is written in another style")
            yield from self._schemas.breaking(
                f"{where} {_named(key)}", [parameter["schema"]], [after[key]["schema"]], Direction.SENT
            )

    def _body(self, where: str, old: Node, new: Node) -> Iterator[Change]:
        before = self._old.resolved(old.get("requestBody", {}))
        after = self._new.resolved(new.get("requestBody", {}))
        if after.get("required") and not before.get("required"):
            yield Change(f"{where} body", "is newly required")
        yield from self._media(f"{where} body", before, after, Direction.SENT)

    def _security(self, where: str, old: Node, new: Node) -> Iterator[Change]:
        before = _ways_in(old.get("security", self._old[OPENAPI].get("security", [])))
        after = _ways_in(new.get("security", self._new[OPENAPI].get("security", [])))
        for way in before:
            if not any(other <= way for other in after):
                yield Change(where, f"is not open any more with {', '.join(sorted(way)) or 'nothing'}")

    def _answers(self, where: str, old: Node, new: Node) -> Iterator[Change]:
        for status in old.keys() - new.keys():
            yield Change(f"{where} {status}", "is gone")
        for status in new.keys() - old.keys():
            if status[0] in "123":
                yield Change(f"{where} {status}", "is a success that no client knows")
        for status in [each for each in old if each in new]:
            before, after = self._old.resolved(old[status]), self._new.resolved(new[status])
            yield from self._headers(f"{where} {status}", before, after)
            yield from self._media(f"{where} {status}", before, after, Direction.RECEIVED)

    def _headers(self, where: str, old: Node, new: Node) -> Iterator[Change]:
        for name, header in old.get("headers", {}).items():
            before = self._old.resolved(header)
            after = self._new.resolved(new.get("headers", {}).get(name, {}))
            if not after:
                yield Change(f"{where} header {name}", "is gone")
                continue
            if before.get("required") and not after.get("required"):
                yield Change(f"{where} header {name}", "is no longer always there")
            yield from self._schemas.breaking(
                f"{where} header {name}", [before["schema"]], [after["schema"]], Direction.RECEIVED
            )

    def _media(self, where: str, old: Node, new: Node, direction: Direction) -> Iterator[Change]:
        before, after = old.get("content", {}), new.get("content", {})
        for media_type, media in before.items():
            if media_type not in after:
                yield Change(where, f"is not {media_type} any more")
                continue
            schemas = [media.get("schema", {})], [after[media_type].get("schema", {})]
            yield from self._schemas.breaking(where, *schemas, direction)
        if not before and after and direction is Direction.RECEIVED:
            yield Change(where, "has a body where there was none")


class _Stomp:
    def __init__(self, old: Contract, new: Contract) -> None:
        self._old, self._new = old.documents, new.documents
        self._schemas = Comparison(self._old, self._new)

    def changes(self) -> Iterator[Change]:
        after = _messages(self._new)
        for (where, direction, name), message in _messages(self._old).items():
            other = after.get((where, direction, name))
            if other is None:
                yield Change(f"{where} {name}", f"is not {direction.value} any more")
                continue
            for part, otherwise in _PARTS.items():
                schemas = [message.get(part, otherwise)], [other.get(part, otherwise)]
                yield from self._schemas.breaking(f"{where} {name} {part}", *schemas, direction)


def _operations(documents: Documents) -> dict[str, Node]:
    """By method and path; the names of parameters of a path are no part of the contract, their places are."""
    return {
        f"{method.upper()} {re.sub(r'[{][^}]*[}]', '{}', path)}": {
            **item[method],
            "parameters": [*item.get("parameters", []), *item[method].get("parameters", [])],
        }
        for path, item in documents[OPENAPI]["paths"].items()
        for method in _METHODS
        if method in item
    }


def _parameters(documents: Documents, operation: Node) -> dict[tuple[str, str], Node]:
    found: dict[tuple[str, str], Node] = {}
    in_path = 0
    for each in operation["parameters"]:
        parameter = documents.resolved(each)
        name = parameter["name"]
        if parameter["in"] == "path":
            in_path += 1
            name = str(in_path)
        found[parameter["in"], name.lower() if parameter["in"] == "header" else name] = parameter
    return found


def _named(key: tuple[str, str]) -> str:
    return f"{key[0]} parameter {key[1]}"


def _style(parameter: Node) -> tuple[Any, ...]:
    return parameter.get("style"), parameter.get("explode")


def _ways_in(security: list[Node]) -> list[frozenset[str]]:
    return [frozenset(way) for way in security] or [frozenset()]


def _messages(documents: Documents) -> dict[tuple[str, Direction, str], Node]:
    """By destination, direction and name in the channel. The server's `receive` is what clients send."""
    document = documents[ASYNCAPI]
    found: dict[tuple[str, Direction, str], Node] = {}
    for operation in document["operations"].values():
        reference: str = operation["channel"]["$ref"]
        channel = documents.resolved(operation["channel"])
        where = re.sub(r"[{][^}]*[}]", "{}", channel["address"] or reference.rpartition("/")[2])
        direction = Direction.SENT if operation["action"] == "receive" else Direction.RECEIVED
        names = [each["$ref"].rpartition("/")[2] for each in operation.get("messages", [])] or channel["messages"]
        for name in names:
            found[where, direction, name] = documents.resolved(channel["messages"][name])
    return found
