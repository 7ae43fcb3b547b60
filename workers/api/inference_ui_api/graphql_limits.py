"""How deep a GraphQL operation may be, and how much it may cost, found out before anything of it is run.

A field of Query or Mutation costs ROOT_COST, for it reads the database; any other costs 1, times the `limit` of the
lists around it. Fragments are counted where they are spread; what one costs is found once, so that fragments which
spread each other twice and again do not make the counting itself expensive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

MAX_DEPTH: Final = 10
MAX_INTROSPECTION_DEPTH: Final = 20
ROOT_COST: Final = 500
MAX_COST: Final = 50_000
LIST_SIZE: Final = 10  # of a list without a limit


@dataclass(slots=True)
class _Counter:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    known: dict[tuple[str, bool], tuple[int, int]] = field(default_factory=dict)

    def selection(self, node: SelectionSetNode | None, parent: Any, *, is_root: bool) -> tuple[int, int]:
        """Return depth and cost of a selection."""
        depth = cost = 0
        for item in node.selections if node else ():
            if isinstance(item, FieldNode):
                inner, price = self.field(item, parent, is_root=is_root)
            elif isinstance(item, InlineFragmentNode):
                condition = item.type_condition
                target = self.schema.get_type(condition.name.value) if condition else parent
                inner, price = self.selection(item.selection_set, target, is_root=is_root)
            else:
                assert isinstance(item, FragmentSpreadNode)
                inner, price = self.fragment(item.name.value, is_root=is_root)
            depth, cost = max(depth, inner), cost + price
        return depth, cost

    def fragment(self, name: str, *, is_root: bool) -> tuple[int, int]:
        key = (name, is_root)
        if key not in self.known:
            definition = self.fragments[name]
            target = self.schema.get_type(definition.type_condition.name.value)
            self.known[key] = self.selection(definition.selection_set, target, is_root=is_root)
        return self.known[key]

    def field(self, node: FieldNode, parent: Any, *, is_root: bool) -> tuple[int, int]:
        name = node.name.value
        if name.startswith("__"):
            depth = _plain_depth(node.selection_set, self.fragments, {})
            if depth > MAX_INTROSPECTION_DEPTH:
                raise GraphQLError(f"Introspection is nested {depth} deep; at most {MAX_INTROSPECTION_DEPTH}", node)
            return 0, 1
        definition = parent.fields[name] if isinstance(parent, GraphQLObjectType) else None
        target = get_named_type(definition.type) if definition else None
        depth, cost = self.selection(node.selection_set, target, is_root=False)
        times = self._times(node, definition)
        return depth + 1, (ROOT_COST if is_root else 1) + times * cost

    def _times(self, node: FieldNode, definition: Any) -> int:
        if definition is None or "[" not in str(definition.type):
            return 1
        if "limit" not in definition.args:
            return LIST_SIZE
        value = _default(definition.args["limit"])
        for argument in node.arguments or ():
            if argument.name.value == "limit":
                given = argument.value
                if isinstance(given, VariableNode):
                    sent = self.variables.get(given.name.value)
                    value = value if sent is None else sent
                elif isinstance(given, IntValueNode):
                    value = int(given.value)
        return max(1, value) if isinstance(value, int) else LIST_SIZE


def check_limits(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> None:
    """Refuse an operation that is too deep or would cost too much.

    Raises:
        GraphQLError: it is.
    """
    counter = _Counter(schema, _fragments(document), {**_variable_defaults(operation), **variables})
    root = schema.get_root_type(operation.operation)
    depth, cost = counter.selection(operation.selection_set, root, is_root=True)
    if depth > MAX_DEPTH:
        raise GraphQLError(f"The operation is nested {depth} deep; at most {MAX_DEPTH}", operation)
    if cost > MAX_COST:
        raise GraphQLError(f"The operation would cost {cost}; at most {MAX_COST}. Ask for less at a time.", operation)


def root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    """Return the names of the fields that an operation asks of Query or Mutation."""
    fragments = _fragments(document)
    names: set[str] = set()
    seen: set[str] = set()
    pending = [operation.selection_set]
    while pending:
        for item in pending.pop().selections:
            if isinstance(item, FieldNode):
                names.add(item.name.value)
            elif isinstance(item, InlineFragmentNode):
                pending.append(item.selection_set)
            elif isinstance(item, FragmentSpreadNode) and item.name.value not in seen:
                seen.add(item.name.value)
                pending.append(fragments[item.name.value].selection_set)
    return names


def _default(argument: Any) -> Any:
    """Return an argument's default as the schema's text says it; the library's releases keep it in different places."""
    node = argument.ast_node.default_value
    return int(node.value) if isinstance(node, IntValueNode) else None


def _variable_defaults(operation: OperationDefinitionNode) -> dict[str, int]:
    """Return the whole numbers that an operation gives its variables itself."""
    given = {one.variable.name.value: one.default_value for one in operation.variable_definitions or ()}
    return {name: int(node.value) for name, node in given.items() if isinstance(node, IntValueNode)}


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}


def _plain_depth(
    node: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode], known: dict[str, int]
) -> int:
    """Return how deep a selection is, whatever its types."""
    deepest = 0
    for item in node.selections if node else ():
        if isinstance(item, FragmentSpreadNode):
            name = item.name.value
            if name not in known:
                known[name] = _plain_depth(fragments[name].selection_set, fragments, known)
            depth = known[name]
        else:
            assert isinstance(item, FieldNode | InlineFragmentNode)
            depth = _plain_depth(item.selection_set, fragments, known) + isinstance(item, FieldNode)
        deepest = max(deepest, depth)
    return deepest
