"""What the comparison of schemas calls harmless is so for every value; what is plainly wider or narrower is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ops.contract.schemas import Comparison, Direction
from ops.contract.shape import Documents, Node

NAMES = ("a", "b")
Schema = dict[str, Any]


def breaking(old: Node, new: Node, direction: Direction) -> list[str]:
    comparison = Comparison(Documents({"x": {}}), Documents({"x": {}}))
    return [str(each) for each in comparison.breaking("it", [old], [new], direction)]


def bounds(low: str, high: str) -> st.SearchStrategy[Schema]:
    numbers = st.integers(0, 4)
    return st.fixed_dictionaries({}, optional={low: numbers, high: numbers})


def objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    """With both names in every one: what was not described before may come to be, which is no breaking change."""
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.fixed_dictionaries(dict.fromkeys(NAMES, inner))},
        optional={"required": st.lists(st.sampled_from(NAMES), unique=True)},
    )


scalars = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "string", "null", "boolean"])}),
    st.lists(st.sampled_from(["integer", "string", "null"]), min_size=1, max_size=2, unique=True).map(
        lambda types: {"type": types}
    ),
    st.lists(st.sampled_from([1, 2, "x", "yy", None, True]), min_size=1, max_size=3, unique_by=repr).map(
        lambda values: {"enum": values}
    ),
    bounds("minimum", "maximum").map(lambda limits: {"type": "integer", **limits}),
    bounds("minLength", "maxLength").map(lambda limits: {"type": "string", **limits}),
    st.just({"type": "string", "pattern": "^x"}),
    st.just({}),
)
schemas: st.SearchStrategy[Schema] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        objects(inner),
        st.tuples(inner, bounds("minItems", "maxItems")).map(
            lambda both: {"type": "array", "items": both[0], **both[1]}
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"anyOf": parts}),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"allOf": parts}),
    ),
    max_leaves=4,
)
values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([0, 1, 2, 3, 5, "", "x", "yy", "xxxxx", None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=4,
)


def is_valid(schema: Schema, value: object) -> bool:
    validator: Any = Draft202012Validator(schema)
    return validator.is_valid(value)


@given(schemas, st.sampled_from(Direction))
def test_a_schema_breaks_nothing_of_itself(schema: Schema, direction: Direction) -> None:
    assert breaking(schema, schema, direction) == []


@given(schemas, schemas, st.lists(values, min_size=5, max_size=5))
def test_what_could_be_sent_still_can_be_unless_told(old: Schema, new: Schema, sent: list[object]) -> None:
    if not breaking(old, new, Direction.SENT):
        assert [each for each in sent if is_valid(old, each) and not is_valid(new, each)] == []


@given(schemas, schemas, st.lists(values, min_size=5, max_size=5))
def test_what_is_received_is_what_was_known_unless_told(old: Schema, new: Schema, received: list[object]) -> None:
    if not breaking(old, new, Direction.RECEIVED):
        assert [each for each in received if is_valid(new, each) and not is_valid(old, each)] == []


@given(schemas, schemas)
def test_one_more_alternative_may_be_sent(old: Schema, other: Schema) -> None:
    assert breaking(old, {"anyOf": [old, other]}, Direction.SENT) == []


@given(objects(scalars), scalars, st.booleans())
def test_a_property_that_goes_is_told_in_both_directions(schema: Schema, other: Schema, optional: bool) -> None:
    fewer: Schema = {**schema, "properties": {"a": schema["properties"]["a"]}, "required": []}
    assert "it.b: is gone" in breaking(schema, fewer, Direction.SENT)
    assert "it.b: is gone" in breaking(schema, fewer, Direction.RECEIVED)
    assert breaking(fewer, {**fewer, "properties": schema["properties"]}, Direction.SENT) == []
    assert breaking(fewer, {**fewer, "properties": schema["properties"]}, Direction.RECEIVED) == []


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ({"type": "integer"}, {"type": "number"}),
        ({"type": "string"}, {"type": ["string", "null"]}),
        ({"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "string", "maxLength": 3}, {"type": "string", "maxLength": 4}),
        ({"type": "string", "maxLength": 3}, {"type": "string"}),
        ({"type": "integer", "minimum": 3}, {"type": "integer", "minimum": 2}),
        ({"type": "string", "format": "uuid"}, {"type": "string"}),
        ({"enum": ["x"]}, {"type": "string"}),
        ({"type": "array", "items": {"type": "integer"}}, {"type": "array"}),
        ({"type": "array", "uniqueItems": True}, {"type": "array"}),
        ({"type": "object", "required": ["a"]}, {"type": "object"}),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"type": "object"}),
    ],
)
def test_wider_may_be_sent_and_narrower_received_and_never_the_reverse(narrow: Schema, wide: Schema) -> None:
    assert breaking(narrow, wide, Direction.SENT) == []
    assert breaking(wide, narrow, Direction.RECEIVED) == []
    assert breaking(wide, narrow, Direction.SENT) != []
    assert breaking(narrow, wide, Direction.RECEIVED) != []


@pytest.mark.parametrize("value", ["y", "x"])
def test_a_value_that_does_not_come_any_more_is_told(value: str) -> None:
    assert breaking({"enum": ["x", "y", "z"]}, {"enum": [{"x": "y", "y": "x"}[value], "z"]}, Direction.RECEIVED) == [
        f"it: '{value}' does not come any more"
    ]


def test_new_values_of_what_is_extensible_are_no_surprise_but_known_ones_elsewhere_are() -> None:
    old = {"x-extensible": True, "enum": ["x", "y"]}
    assert breaking(old, {"x-extensible": True, "enum": ["x", "y", "z"]}, Direction.RECEIVED) == []
    assert breaking(old, {"type": "string"}, Direction.RECEIVED) != []
    narrowed = {"allOf": [old, {"enum": ["x"]}]}
    assert breaking(narrowed, {"enum": ["x", "z"]}, Direction.RECEIVED) == []
    assert breaking(narrowed, {"enum": ["x", "y"]}, Direction.RECEIVED) == [
        "it: 'y' is a new value that no client knows"
    ]


def test_schemas_that_contain_themselves_come_to_an_end() -> None:
    def tree(leaf: str) -> Documents:
        node = {"type": "object", "properties": {"leaf": {"type": leaf}, "next": {"$ref": "#/node"}}}
        return Documents({"x": {"node": node}})

    same = Comparison(tree("string"), tree("string")).breaking(
        "it", [{"$ref": "x#/node"}], [{"$ref": "x#/node"}], Direction.SENT
    )
    assert same == []
    other = Comparison(tree("string"), tree("null")).breaking(
        "it", [{"$ref": "x#/node"}], [{"$ref": "x#/node"}], Direction.SENT
    )
    assert str(other[0]) == "it.leaf: is string, and has to be null"


def test_what_no_rule_compares_is_an_error() -> None:
    with pytest.raises(ValueError, match="patternProperties"):
        breaking({"patternProperties": {}}, {"patternProperties": {}}, Direction.SENT)
