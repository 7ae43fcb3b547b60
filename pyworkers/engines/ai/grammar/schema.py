"""JSON Schema → GBNF.

What a grammar cannot say (`not`, `if`, `uniqueItems`, `patternProperties`, `contains`, most `multipleOf`) is left to
the validation that follows; the grammar then allows more than the schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyworkers.engines.ai.errors import InvalidSchema
from pyworkers.engines.ai.grammar.merge import merge
from pyworkers.engines.ai.grammar.numbers import bounds, integer_range, multiples, number_range
from pyworkers.engines.ai.grammar.strings import (
    STRING_RULES,
    format_string,
    literal,
    pattern_string,
    sized_string,
)
from pyworkers.engines.ai.grammar.validate import is_valid, what_is_wrong
from pyworkers.engines.ai.protocol import JsonSchema

__all__ = ["JSON_OBJECT", "Budget", "SchemaWriter", "schema_to_gbnf"]

# What `response_format: {"type": "json_object"}` asks for.
JSON_OBJECT: Mapping[str, Any] = {"type": "object"}

_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_MOST_REPEATED = 1_000
_CORRECT = "correct `response_format`"
_KEY_CHARACTERS = 24
_LEAST = 12


@dataclass(frozen=True, slots=True)
class Budget:
    """How much room the answer has; it bounds what a schema leaves open, so that answers end.

    Attributes:
        characters: of compact JSON.
        strict: divide the room so that even the longest answer fits (models that never stop by themselves);
            otherwise siblings share generously, since a real model ends its strings early.
    """

    characters: int = 640
    strict: bool = False

    @classmethod
    def for_model(cls, *, max_tokens: int, vocabulary: int) -> Budget:
        """Return the room that ``max_tokens`` give a model: test models spell byte by byte, others by words."""
        if vocabulary < 4096:
            return cls(max(16, max_tokens // 4), strict=True)
        return cls(max(64, max_tokens * 5 // 2), strict=False)

    def share(self, count: int) -> Budget:
        """Return what one of ``count`` siblings gets."""
        parts = count if self.strict else max(1.3, count / 2)
        return Budget(int(self.characters / max(parts, 1.1)), self.strict)


def schema_to_gbnf(schema: JsonSchema, *, budget: Budget | None = None) -> str:
    """Return a grammar whose texts are compact JSON that satisfies ``schema``, as far as a grammar can say it.

    Raises:
        InvalidSchema: nothing can satisfy it, or a `$ref` points nowhere.
    """
    writer = SchemaWriter(schema)
    root = writer.expression(schema, budget or Budget())
    return writer.text(root)


class SchemaWriter:
    """Collects the rules of one grammar.

    Args:
        document: the schema that `$ref` points into.
    """

    def __init__(self, document: JsonSchema) -> None:
        self._document = document
        self._rules: dict[str, str] = {}
        self._references: dict[tuple[str, Budget], str] = {}

    def use_document(self, document: JsonSchema) -> None:
        """Let `$ref` point into another document; the rules so far stay."""
        self._document = document
        self._references.clear()

    def text(self, root: str) -> str:
        """Return the whole grammar."""
        rules = {"root": root, **self._rules, **STRING_RULES}
        return "".join(f"{name} ::= {body}\n" for name, body in rules.items())

    def rule(self, body: str) -> str:
        """Add a rule and return its name."""
        name = f"r{len(self._rules)}"
        self._rules[name] = body
        return name

    def expression(self, schema: object, budget: Budget) -> str:
        """Return an expression for one schema.

        Raises:
            InvalidSchema: nothing can satisfy it, or it is no schema.
        """
        try:
            found = self._try(schema, budget)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # Every word of it may be of a type that it cannot be: looked at only where one is.
            reason = what_is_wrong(schema) or f"{type(error).__name__}: {error}"
            raise InvalidSchema(f"the JSON schema cannot be used: {reason}", hint=_CORRECT) from error
        if found is None:
            raise InvalidSchema(
                f"nothing satisfies the JSON schema {json.dumps(schema, default=str)[:200]}",
                hint=_CORRECT,
            )
        return found

    def _try(self, schema: object, budget: Budget) -> str | None:
        """Return an expression, or None when nothing satisfies the schema."""
        if schema is False:
            return None
        if schema is True:
            return self._any(budget)
        if not isinstance(schema, Mapping):
            raise InvalidSchema(f"a JSON schema is an object, not {schema!r}", hint=_CORRECT)
        if "$ref" in schema:
            return self._reference(schema, budget)
        if "allOf" in schema:
            return self._try(self._merged(schema), budget)
        if "const" in schema:
            return self._values([schema["const"]], schema)
        if isinstance(schema.get("enum"), Sequence):
            return self._values(schema["enum"], schema)
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), Sequence):
                rest = {name: value for name, value in schema.items() if name != key}
                return self._either([self._try(merge(rest, self._resolved(part)), budget) for part in schema[key]])
        kinds = schema.get("type", _implied_types(schema))
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        return self._either([self._typed(kind, schema, budget) for kind in kinds])

    def _either(self, parts: Sequence[str | None]) -> str | None:
        known = list(dict.fromkeys(part for part in parts if part is not None))
        if len(known) < 2:
            return known[0] if known else None
        return self.rule(" | ".join(known))

    def _typed(self, kind: str, schema: Mapping[str, Any], budget: Budget) -> str | None:
        match kind:
            case "null":
                return '"null"'
            case "boolean":
                return '("true" | "false")'
            case "string":
                return self._string(schema, budget)
            case "integer" | "number":
                return self._number(kind, schema)
            case "array":
                return self._array(schema, budget)
            case "object":
                return self._object(schema, budget)
        raise InvalidSchema(
            f"a JSON schema has the type {kind!r}", hint="use one of " + ", ".join(_TYPES) + " in `response_format`"
        )

    def _any(self, budget: Budget) -> str:
        """Return an expression for any value that fits."""
        kinds = ["string", "number", "boolean", "null"]
        if budget.characters >= 2 * _LEAST:
            kinds = ["object", "array", *kinds]
        return self.expression({"type": kinds}, budget)

    # -- references and merging -----------------------------------------------------------------

    def _reference(self, schema: Mapping[str, Any], budget: Budget) -> str | None:
        """Return the name of the rule of a `$ref`; recursion ends because the room shrinks at each level."""
        target = self._resolved(schema)
        if isinstance(target, bool):
            return self._try(target, budget)
        key = (json.dumps(target, sort_keys=True, default=str), budget)
        if key not in self._references:
            if budget.characters <= 0:
                return None
            body = self._try(target, Budget(budget.characters - 1, budget.strict))
            if body is None:
                return None
            self._references[key] = self.rule(body)
        return self._references[key]

    def _resolved(self, schema: object) -> Any:
        """Follow `$ref`, merging what stands beside it."""
        seen: list[str] = []
        while isinstance(schema, Mapping) and "$ref" in schema:
            reference = str(schema["$ref"])
            if reference in seen:
                raise InvalidSchema(f"the JSON schema's $ref {reference} leads back to itself")
            seen.append(reference)
            rest = {name: value for name, value in schema.items() if name != "$ref"}
            schema = merge(rest, self._point(reference)) if rest else self._point(reference)
        return schema

    def _point(self, reference: str) -> Any:
        found: Any = self._document
        if not reference.startswith("#"):
            raise InvalidSchema(f"the JSON schema's $ref {reference} points outside of it", hint="use #/$defs/NAME")
        for part in reference[1:].split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and part in found:
                found = found[part]
            elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                raise InvalidSchema(f"the JSON schema's $ref {reference} points nowhere", hint="add it to $defs")
        return found

    def _merged(self, schema: Mapping[str, Any]) -> Any:
        merged: Any = {name: value for name, value in schema.items() if name != "allOf"}
        for part in schema["allOf"]:
            resolved = self._resolved(part)
            if isinstance(resolved, Mapping) and "allOf" in resolved:
                resolved = self._merged(resolved)
            merged = merge(merged, resolved)
        return merged

    # -- values ---------------------------------------------------------------------------------

    def _values(self, values: Sequence[Any], schema: Mapping[str, Any]) -> str | None:
        rest = {name: value for name, value in schema.items() if name not in ("enum", "const")}
        if isinstance(self._document, Mapping):
            rest = {**{key: self._document[key] for key in ("$defs", "definitions") if key in self._document}, **rest}
        if "const" in schema and isinstance(schema.get("enum"), Sequence):
            rest["enum"] = schema["enum"]
        known = [value for value in values if is_valid(value, rest)] if rest else list(values)
        return self._either([literal(_dump(value)) for value in known])

    def _string(self, schema: Mapping[str, Any], budget: Budget) -> str | None:
        if isinstance(schema.get("pattern"), str):
            expression = pattern_string(schema["pattern"])
            if expression is not None:
                return self.rule(expression)
        least = int(schema.get("minLength", 0))
        most = int(schema.get("maxLength", max(budget.characters, least, _LEAST)))
        if most < least:
            return None
        if isinstance(schema.get("format"), str) and not {"minLength", "maxLength"} & schema.keys():
            expression = format_string(schema["format"])
            if expression is not None:
                return self.rule(expression)
        room = max(budget.characters, least, _LEAST)
        return sized_string(least, min(most, room), is_limit="maxLength" in schema)

    def _number(self, kind: str, schema: Mapping[str, Any]) -> str | None:
        whole = kind == "integer"
        low, high = bounds(schema, step=Decimal(1) if whole else Decimal("0.0001"), whole=whole)
        step = schema.get("multipleOf")
        if step is not None and low is not None and high is not None:
            values = multiples(Decimal(str(step)), low, high, whole=whole)
            if values is not None:
                return self._either([literal(value) for value in values])
        if step is not None and not whole and Decimal(str(step)) % 1 == 0:
            whole = True
        expression = integer_range(low, high) if whole else number_range(low, high)
        return None if expression is None else self.rule(expression)

    # -- arrays and objects -----------------------------------------------------------------------

    def _array(self, schema: Mapping[str, Any], budget: Budget) -> str | None:
        first = [part for part in schema.get("prefixItems", ()) if part is not None]
        rest = schema.get("items", True)
        if isinstance(rest, list):  # the tuples of older drafts
            first, rest = rest, schema.get("additionalItems", True)
        least = _least(schema, "minItems")
        room = 2 if budget.characters < 4 * _LEAST else 4 if budget.strict else 16
        most = int(schema.get("maxItems", max(least, len(first), 0 if budget.characters < _LEAST else room)))
        if most < least:
            return None
        most = min(most, max(least, len(first), room if budget.characters >= _LEAST else 0))
        share = budget.share(max(1, most))
        items = [self._try(self._resolved(part) if not _is_reference(part) else part, share) for part in first[:most]]
        other = self._try(rest, share) if most > len(first) and rest is not False else None
        return self._items(items, other, least, most)

    def _items(self, first: list[str | None], other: str | None, least: int, most: int) -> str | None:
        """Return an array of the given first items and then of ``other``."""
        possible = next((i for i, item in enumerate(first) if item is None), len(first))
        if possible < len(first) or other is None:
            most, other = min(most, possible), None
        if most < least:
            return None
        if other is not None and len(other) > 40:
            other = self.rule(other)
        tail = ""
        if other is not None and most > len(first):
            more, need = most - len(first), max(0, least - len(first))
            if not first:
                tail = f'{other} ("," {other}){{{max(0, need - 1)},{more - 1}}}'
                tail = tail if need else f"({tail})?"
                return self.rule(f'"[" {tail} "]"')
            tail = f'("," {other}){{{need},{more}}}'
        for index in range(min(len(first), most) - 1, -1, -1):
            comma = '"," ' if index else ""
            tail = f"{comma}{first[index]} {tail}".rstrip()
            tail = tail if index < least else f"({tail})?"
        return self.rule(f'"[" {tail} "]"')

    def _object(self, schema: Mapping[str, Any], budget: Budget) -> str | None:
        properties = dict(schema.get("properties", {}))
        extra = schema.get("additionalProperties", True)
        required = [name for name in schema.get("required", ()) if isinstance(name, str)]
        for name in required:
            properties.setdefault(name, extra)
        if not properties:
            return self._map(schema, extra, budget)
        overhead = sum(len(_dump(name)) + 2 for name in properties) + 2
        inside = Budget(max(0, budget.characters - overhead), budget.strict)
        share = inside.share(len(properties))
        skip_optional = inside.characters < _LEAST
        pairs: list[tuple[str, bool]] = []
        for name, part in properties.items():
            if name not in required and skip_optional:
                continue
            value = self._try(part, share)
            if value is None:
                if name in required:
                    return None
                continue
            pairs.append((f"{literal(_dump(name) + ':')} {value}", name in required))
        return self.rule(f'"{{" {self._pairs(pairs)} "}}"')

    def _pairs(self, pairs: list[tuple[str, bool]]) -> str:
        """Return the pairs in order, those that are not required left out or not, with commas where they belong."""
        after, first = "", ""
        for pair, needed in reversed(pairs):
            start = f"{pair} {after}".rstrip()
            first = start if needed else f"({start} | {first})" if first else f"({start})?"
            then = f'"," {pair}' if needed else f'("," {pair})?'
            after = f"{then} {after}".rstrip()
            after = self.rule(after) if len(after) > 80 else after
            first = self.rule(first) if len(first) > 80 else first
        return first

    def _map(self, schema: Mapping[str, Any], extra: object, budget: Budget) -> str | None:
        least = _least(schema, "minProperties")
        room = 2 if budget.strict else 12
        most = min(int(schema.get("maxProperties", max(least, room))), max(least, room))
        if budget.characters < 2 * _LEAST:
            most = least
        if most < least:
            return None
        key = sized_string(1, _LEAST if budget.strict else _KEY_CHARACTERS)
        value = self._try(extra, Budget(max(0, budget.characters - _KEY_CHARACTERS), budget.strict).share(most or 1))
        if value is None or most == 0:
            return None if least else '"{}"'
        pair = self.rule(f'{key} ":" {value}')
        inside = f'{pair} ("," {pair}){{{max(0, least - 1)},{most - 1}}}'
        return self.rule(f'"{{" {inside} "}}"' if least else f'"{{" ({inside})? "}}"')


def _least(schema: Mapping[str, Any], key: str) -> int:
    """Return how many items or pairs there are at least; llama.cpp repeats nothing much more often."""
    least = int(schema.get(key, 0))
    if least > _MOST_REPEATED:
        raise InvalidSchema(f"the JSON schema's {key} is {least}, of at most {_MOST_REPEATED}", hint=_CORRECT)
    return least


def _is_reference(schema: object) -> bool:
    return isinstance(schema, Mapping) and "$ref" in schema


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _implied_types(schema: Mapping[str, Any]) -> list[str]:
    """Return the types a schema without `type` speaks of; any value when it speaks of none."""
    keys = schema.keys()
    implied = {
        "object": {"properties", "required", "additionalProperties", "minProperties", "maxProperties"},
        "array": {"items", "prefixItems", "minItems", "maxItems"},
        "string": {"pattern", "minLength", "maxLength", "format"},
        "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    }
    found = [kind for kind, words in implied.items() if words & keys]
    return found or ["string", "number", "boolean", "null", "object", "array"]
