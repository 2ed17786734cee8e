"""JSON Schemas as plain alternatives, so that two of them can be compared.

References are followed, `allOf` is merged, and `anyOf`, `oneOf`, lists of types and `enum` become alternatives of one
type each. Of JSON Schema 2020-12 this knows what the contract's documents use; `facets` holds what can only be equal.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, Final, cast

import attrs

Node = Mapping[str, Any]
"""A schema, or any other object of a document."""

LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
FACETS: Final = ("pattern", "format", "multipleOf", "uniqueItems", "not", "contentEncoding", "propertyNames")
_KINDS: Final = {
    "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
    "array": ("items", "minItems", "maxItems", "uniqueItems"),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_UNKNOWN: Final = frozenset({"if", "then", "else", "dependentSchemas", "patternProperties", "prefixItems", "contains"})


@attrs.frozen
class Shape:
    """One alternative: `type` and `value` are None for any. Lists of schemas mean that all of them hold.

    `known` are the values of a schema that says that more may come, `x-extensible`.
    """

    type: str | None = None
    value: str | None = None
    known: frozenset[str] = frozenset()
    bounds: Mapping[str, float] = attrs.field(factory=dict[str, float])
    facets: frozenset[tuple[str, str]] = frozenset()
    required: frozenset[str] = frozenset()
    properties: Mapping[str, list[Node]] = attrs.field(factory=dict[str, list[Node]])
    additional: list[Node] = attrs.field(factory=list[Node])
    closed: bool = False
    items: list[Node] = attrs.field(factory=list[Node])


class Documents:
    """Documents that may refer to each other, by their file names."""

    def __init__(self, documents: Mapping[str, Node]) -> None:
        self._documents = {name: _absolute(document, name) for name, document in documents.items()}

    def __getitem__(self, name: str) -> Node:
        return self._documents[name]

    def resolved(self, node: Node) -> Node:
        """What a reference leads to, through any number of them. Raises KeyError for one that leads nowhere."""
        while "$ref" in node:
            node = self._target(node["$ref"])
        return node

    def alternatives(self, schemas: Iterable[Node]) -> list[Shape]:
        """What all of these schemas together allow, as alternatives. None when nothing fits them all."""
        found = [Shape()]
        for schema in schemas:
            found = _merged(found, self._of(schema))
        return found

    def _of(self, schema: Node) -> list[Shape]:
        unknown = _UNKNOWN & schema.keys()
        if unknown:
            raise ValueError(f"no rule compares {sorted(unknown)}")
        found = _plain(schema)
        if "$ref" in schema:
            found = _merged(found, self._of(self._target(schema["$ref"])))
        for part in schema.get("allOf", []):
            found = _merged(found, self._of(part))
        for union in ("anyOf", "oneOf"):
            if union in schema:
                found = _merged(found, [shape for part in schema[union] for shape in self._of(part)])
        return found

    def _target(self, reference: str) -> Node:
        document, _, pointer = reference.partition("#/")
        target: Any = self._documents[document]
        for part in pointer.split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return target


def _absolute(node: Any, name: str) -> Any:
    if isinstance(node, dict):
        return {
            key: _absolute_reference(value, name) if key == "$ref" else _absolute(value, name)
            for key, value in cast("dict[str, Any]", node).items()
        }
    if isinstance(node, list):
        return [_absolute(each, name) for each in cast("list[Any]", node)]
    return node


def _absolute_reference(reference: str, name: str) -> str:
    document, _, pointer = reference.partition("#")
    return f"{document.removeprefix('./') or name}#{pointer}"


def _plain(schema: Node) -> list[Shape]:
    """Of a schema's own keywords, without what it refers to and is composed of."""
    additional = schema.get("additionalProperties", True)
    whole = Shape(
        known=frozenset(map(repr, schema["enum"])) if schema.get("x-extensible") else frozenset(),
        bounds={name: schema[name] for name in (*LOWER, *UPPER) if name in schema},
        facets=frozenset((name, repr(schema[name])) for name in FACETS if name in schema and schema[name] is not False),
        required=frozenset(schema.get("required", ())),
        properties={name: [each] for name, each in schema.get("properties", {}).items()},
        additional=[additional] if isinstance(additional, Mapping) and additional else [],
        closed=additional is False,
        items=[schema["items"]] if schema.get("items") else [],
    )
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None:
        types = set(_types(schema)) if "type" in schema else None
        fitting = [each for each in values if types is None or _fits(_type_of(each), types)]
        return [attrs.evolve(whole, type=_type_of(each), value=repr(each)) for each in fitting]
    return [attrs.evolve(whole, type=each) for each in _types(schema)]


def _types(schema: Node) -> Iterator[str | None]:
    given = schema.get("type")
    if given is None:
        yield next((kind for kind, words in _KINDS.items() if not schema.keys().isdisjoint(words)), None)
    elif isinstance(given, str):
        yield given
    else:
        yield from given


def _fits(kind: str | None, types: set[str | None]) -> bool:
    return kind in types or (kind == "integer" and "number" in types)


def _type_of(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case None:
            return "null"
        case list():
            return "array"
        case _:
            return "object"


def _merged(left: list[Shape], right: list[Shape]) -> list[Shape]:
    pairs = (_both(one, other) for one, other in product(left, right))
    return [shape for shape in pairs if shape is not None]


def _both(one: Shape, other: Shape) -> Shape | None:
    types = {one.type, other.type} - {None}
    if types == {"integer", "number"}:
        types = {"integer"}
    values = {one.value, other.value} - {None}
    if len(types) > 1 or len(values) > 1:
        return None
    bounds = dict(one.bounds)
    for name, bound in other.bounds.items():
        pick = max if name in LOWER else min
        bounds[name] = pick(bound, bounds.get(name, bound))
    names = {*one.properties, *other.properties}
    return Shape(
        type=next(iter(types), None),
        value=next(iter(values), None),
        known=one.known | other.known,
        bounds=bounds,
        facets=one.facets | other.facets,
        required=one.required | other.required,
        properties={name: [*one.properties.get(name, []), *other.properties.get(name, [])] for name in names},
        additional=[*one.additional, *other.additional],
        closed=one.closed or other.closed,
        items=[*one.items, *other.items],
    )
