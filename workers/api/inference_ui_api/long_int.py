"""An `Int` of 53 bits, as JavaScript's numbers have: the published clients send milliseconds since the epoch as `Int`.

The library's own `Int` has 32 bits and belongs to everybody who uses it, so a schema gets another type of that name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    IntValueNode,
    ValueNode,
)

MAX_INT = 2**53 - 1


class _NamedAnew(GraphQLScalarType):
    """A scalar that may have the name of a built-in one."""

    reserved_types: Any = {}  # the library's own attribute


def _parse(value: Any) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value != value // 1 or not -MAX_INT <= value <= MAX_INT:
        raise GraphQLError(f"Int cannot represent non-integer or unsafe value: {value!r}")
    return int(value)


def _parse_literal(node: ValueNode, _variables: Any = None) -> int:
    if not isinstance(node, IntValueNode):
        raise GraphQLError("Int cannot represent non-integer value", node)
    return _parse(int(node.value))


def _make() -> GraphQLScalarType:
    return _NamedAnew(
        "Int",
        description="A whole number from -(2^53 - 1) to 2^53 - 1.",
        serialize=_parse,
        parse_value=_parse,
        parse_literal=_parse_literal,
    )


def use_long_int(schema: GraphQLSchema) -> None:
    """Put an Int of 53 bits in the place of the schema's Int, before it is first used."""
    long_int = _make()
    for named in schema.type_map.values():
        if isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
            for field in named.fields.values():
                field.type = _replaced(field.type, long_int)
                _replace_all(field.args.values(), long_int)
        elif isinstance(named, GraphQLInputObjectType):
            _replace_all(named.fields.values(), long_int)
    schema.type_map["Int"] = long_int


def _replace_all(places: Iterable[Any], long_int: GraphQLScalarType) -> None:
    for place in places:
        place.type = _replaced(place.type, long_int)


def _replaced(type_: Any, long_int: GraphQLScalarType) -> Any:
    if type_ is GraphQLInt:
        return long_int
    if isinstance(type_, GraphQLNonNull):
        return GraphQLNonNull(_replaced(type_.of_type, long_int))
    if isinstance(type_, GraphQLList):
        return GraphQLList(_replaced(type_.of_type, long_int))
    return type_
