"""The scalar `JSON` where it stands in a query's own text: only numbers that JSON can say again."""

from __future__ import annotations

import math
from typing import Any

from graphql import GraphQLError, GraphQLScalarType, GraphQLSchema, ValueNode, value_from_ast_untyped


def use_json_literal(schema: GraphQLSchema) -> None:
    """Let the schema's JSON refuse numbers that are out of range, as a body with such a number is refused."""
    scalar = schema.type_map["JSON"]
    assert isinstance(scalar, GraphQLScalarType)
    scalar.parse_literal = _parse  # type: ignore[method-assign]  # what the library's own constructor does


def _parse(node: ValueNode, variables: Any = None) -> Any:
    value = value_from_ast_untyped(node, variables)
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict | list):
            pending.extend(one.values() if isinstance(one, dict) else one)
        elif isinstance(one, float) and not math.isfinite(one):  # NaN: a whole number of thousands of digits
            raise GraphQLError("JSON cannot represent a number that is out of range", node)
    return value
