"""Whether a client that knows the old schema can live with the new one.

What clients send may get wider and never narrower; what they receive may get narrower and never wider. Beyond that:
a property that was understood or given stays so, an answer may have new properties, whatever its `additionalProperties`
say (clients pass over what they do not know), a value that could be received does not vanish, and new values of a
schema with `x-extensible: true` are no surprise.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

import attrs

from ops.contract.shape import LOWER, UPPER, Documents, Node, Shape


class Direction(Enum):
    SENT = "sent by clients"
    RECEIVED = "received by clients"


@attrs.frozen
class Change:
    """A breaking change: where in the contract, and what of it.

    Of several ways to see it that of the least `distance` is told, where another property is meant less than another
    value, and that less than another type.
    """

    where: str
    what: str
    distance: int = attrs.field(default=1, eq=False)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


_OTHER_VALUE: Final = 10
_OTHER_TYPE: Final = 100
_UNBOUNDED: Final[Mapping[str, float]] = {"minLength": 0, "minItems": 0, "minProperties": 0}


class Comparison:
    """Of schemas of an old contract with those of a new one."""

    def __init__(self, old: Documents, new: Documents) -> None:
        self._old, self._new = old, new
        self._known: dict[tuple[str, str, Direction, bool], list[Change]] = {}

    def breaking(self, where: str, old: Sequence[Node], new: Sequence[Node], direction: Direction) -> list[Change]:
        """`old` and `new` are schemas that hold together."""
        return self._compare(where, old, new, direction, values_checked=False)

    def _compare(
        self, where: str, old: Sequence[Node], new: Sequence[Node], direction: Direction, *, values_checked: bool
    ) -> list[Change]:
        pair = repr(old), repr(new), direction, values_checked
        if pair not in self._known:
            self._known[pair] = []  # a schema that contains itself is compared once
            self._known[pair] = self._changes(old, new, direction, values_checked=values_checked)
        return [attrs.evolve(each, where=where + each.where) for each in self._known[pair]]

    def _changes(
        self, old: Sequence[Node], new: Sequence[Node], direction: Direction, *, values_checked: bool
    ) -> list[Change]:
        before, after = self._old.alternatives(old), self._new.alternatives(new)
        found: list[Change] = []
        if direction is Direction.RECEIVED:
            found += [] if values_checked else _vanished("", before, after)
            found += self._vanished_of_properties(before, after)
        wanted, allowed = (before, after) if direction is Direction.SENT else (after, before)
        for each in wanted:
            attempts = [list(self._beyond(each, other, direction)) for other in allowed]
            found += min(attempts, key=_distance, default=[Change("", f"{_told(each)} fits nothing any more")])
        return list(dict.fromkeys(found))

    def _vanished_of_properties(self, before: list[Shape], after: list[Shape]) -> Iterator[Change]:
        def given(documents: Documents, shapes: list[Shape], name: str) -> list[Shape]:
            return [
                shape
                for each in shapes
                if name in each.properties
                for shape in documents.alternatives(each.properties[name])
            ]

        for name in sorted({name for each in before for name in each.properties}):
            then, now = given(self._old, before, name), given(self._new, after, name)
            if now:
                yield from _vanished(f".{name}", then, now)

    def _beyond(self, wanted: Shape, allowed: Shape, direction: Direction) -> Iterator[Change]:
        """What `wanted` may be that `allowed` may not."""
        if allowed.type is not None and not _is_type(wanted.type, allowed.type):
            yield Change("", f"is {_told(wanted)}, {_then(direction)} {_told(allowed)}", _OTHER_TYPE)
            return
        if allowed.value is not None and wanted.value != allowed.value:
            expected = allowed.known and wanted.value is not None and wanted.value not in allowed.known
            if direction is Direction.RECEIVED and expected:
                return
            word = "is a new value that no client knows" if direction is Direction.RECEIVED else "is no longer taken"
            yield Change("", f"{wanted.value or 'any value'} {word}", _OTHER_VALUE)
            return
        for name in (*LOWER, *UPPER):
            if name in allowed.bounds and not _within(name, wanted.bounds.get(name), allowed.bounds[name]):
                yield Change("", f"{name} differs ({direction.value})")
        for name, value in sorted(allowed.facets - wanted.facets):
            yield Change("", f"{name} {value} holds in one of them only ({direction.value})")
        yield from self._beyond_properties(wanted, allowed, direction)
        if allowed.items:
            yield from self._between("[]", wanted.items, allowed.items, direction)

    def _beyond_properties(self, wanted: Shape, allowed: Shape, direction: Direction) -> Iterator[Change]:
        sent = direction is Direction.SENT
        for name in sorted(allowed.required - wanted.required):
            yield Change(f".{name}", "is newly required" if sent else "is no longer always there")
        old, new = (wanted, allowed) if sent else (allowed, wanted)
        for name in sorted(old.properties.keys() - new.properties.keys()):
            yield Change(f".{name}", "is gone")
        for name in sorted(old.properties.keys() & new.properties.keys()):
            one, other = wanted.properties[name], allowed.properties[name]
            yield from self._between(f".{name}", one, other, direction, values_checked=True)
        if sent and allowed.closed and not wanted.closed:
            yield Change("", "unknown properties are refused now")
        if allowed.additional and not wanted.closed:
            yield from self._between(".*", wanted.additional, allowed.additional, direction)

    def _between(
        self,
        where: str,
        wanted: Sequence[Node],
        allowed: Sequence[Node],
        direction: Direction,
        *,
        values_checked: bool = False,
    ) -> list[Change]:
        old, new = (wanted, allowed) if direction is Direction.SENT else (allowed, wanted)
        return self._compare(where, old, new, direction, values_checked=values_checked)


def _vanished(where: str, before: list[Shape], after: list[Shape]) -> Iterator[Change]:
    """Values that could be received, among a known few, and no longer can be."""
    if all(each.value for each in before) and all(each.value for each in after):
        for value in sorted({each.value or "" for each in before} - {each.value for each in after}):
            yield Change(where, f"{value} does not come any more")


def _distance(changes: list[Change]) -> int:
    return sum(each.distance for each in changes)


def _is_type(kind: str | None, allowed: str) -> bool:
    return kind == allowed or (kind == "integer" and allowed == "number")


def _within(name: str, bound: float | None, limit: float) -> bool:
    if bound is None:
        bound = _UNBOUNDED.get(name)
    if bound is None:
        return False
    return bound >= limit if name in LOWER else bound <= limit


def _then(direction: Direction) -> str:
    return "was" if direction is Direction.RECEIVED else "and has to be"


def _told(shape: Shape) -> str:
    return shape.value or shape.type or "anything"
