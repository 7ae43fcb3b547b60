"""Checks a model's inputs, with the texts of the platform's own validator.

Source: cloudflare/cabidela, src/index.ts, of which the keywords that the models' schemas use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["EMBEDDINGS", "RERANKER", "RESPONSES", "TEXT", "TEXT_WITH_PARTS", "Mismatch", "check"]


class Mismatch(Exception):
    """The inputs do not satisfy the schema; its text is the platform's."""


def check(schema: Mapping[str, Any], value: object) -> None:
    """Validate inputs.

    Raises:
        Mismatch: they do not fit.
    """
    _check(schema, value, "")


_MISSING = object()


def _check(schema: Mapping[str, Any], value: object, path: str) -> bool:
    """Return whether there was something to check at ``path``."""
    if "oneOf" in schema:
        _check_one_of(schema, value, path)
        return True
    if schema.get("type") == "object" or "properties" in schema:
        return _check_object(schema, value, path)
    if value is _MISSING:
        return False
    if schema.get("type") == "array" and not isinstance(value, str):
        if not isinstance(value, Sequence):
            raise Mismatch(_mismatch(path, "array", value))
        for index, item in enumerate(value):
            _check(schema["items"], item, f"{path}/{index}")
        return True
    kind = schema.get("type")
    if kind is not None and kind not in _types(value):
        raise Mismatch(_mismatch(path, kind, value))
    _check_bounds(schema, value, path)
    return True


def _check_one_of(schema: Mapping[str, Any], value: object, path: str) -> None:
    errors: list[str] = []
    matches = 0
    for option in schema["oneOf"]:
        try:
            _check(option, value, path)
            matches += 1
        except Mismatch as error:
            errors.append(str(error))
    if not matches:
        detail = ", ".join(dict.fromkeys(errors))
        raise Mismatch(f"oneOf at '{path or '/'}' not met, 0 matches: {detail}")


def _check_object(schema: Mapping[str, Any], value: object, path: str) -> bool:
    if value is _MISSING:
        return False
    if not isinstance(value, Mapping):
        raise Mismatch(_mismatch(path, "object", value))
    for name, part in schema.get("properties", {}).items():
        _check(part, value.get(name, _MISSING), f"{path}/{name}")
    required = schema.get("required", ())
    if any(name not in value for name in required):
        raise Mismatch(f"required properties at '{path or '/'}' are '{','.join(required)}'")
    return True


def _check_bounds(schema: Mapping[str, Any], value: object, path: str) -> None:
    if isinstance(value, str):
        if len(value) > schema.get("maxLength", len(value)):
            raise Mismatch(f"Length of '{path}' must be <= {schema['maxLength']}")
        if len(value) < schema.get("minLength", 0):
            raise Mismatch(f"Length of '{path}' must be >= {schema['minLength']} not met")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            raise Mismatch(f"'{path}' must be >= {schema['minimum']}")
        if value > schema.get("maximum", value):
            raise Mismatch(f"'{path}' must be <= {schema['maximum']}")


def _mismatch(path: str, kind: str, value: object) -> str:
    return f"Type mismatch of '{path or '/'}', '{kind}' not in " + ",".join(f"'{name}'" for name in _types(value))


def _types(value: object) -> list[str]:
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["boolean"]
    if isinstance(value, int | float):
        return ["number", "integer"] if float(value).is_integer() else ["number"]
    if isinstance(value, str):
        return ["string"]
    return ["object"] if isinstance(value, Mapping) else ["array"]


# -- the models' schemas: developers.cloudflare.com/workers-ai/models, "API Schemas", checked 2026-11-23 --------------

_LONGEST = 131_072
_SAMPLING: dict[str, Any] = {
    "stream": {"type": "boolean"},
    "raw": {"type": "boolean"},
    "max_tokens": {"type": "integer"},
    "temperature": {"type": "number", "minimum": 0, "maximum": 5},
    "top_p": {"type": "number", "minimum": 0, "maximum": 2},
    "top_k": {"type": "integer", "minimum": 1, "maximum": 50},
    "seed": {"type": "integer", "minimum": 1, "maximum": 9_999_999_999},
    "repetition_penalty": {"type": "number", "minimum": 0, "maximum": 2},
    "frequency_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "presence_penalty": {"type": "number", "minimum": -2, "maximum": 2},
}
_PROMPT = {
    "properties": {"prompt": {"type": "string", "minLength": 1, "maxLength": _LONGEST}, **_SAMPLING},
    "required": ["prompt"],
}


def _messages(content: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    message = {"type": "object", "properties": {"role": {"type": "string"}, **content}, "required": list(required)}
    return {"properties": {"messages": {"type": "array", "items": message}, **_SAMPLING}, "required": ["messages"]}


TEXT: Mapping[str, Any] = {
    "oneOf": [_PROMPT, _messages({"content": {"type": "string", "maxLength": _LONGEST}}, ["role", "content"])]
}
TEXT_WITH_PARTS: Mapping[str, Any] = {"oneOf": [_PROMPT, _messages({}, ["role"])]}
RESPONSES: Mapping[str, Any] = {
    "oneOf": [
        {"properties": {"input": {}}, "required": ["input"]},
        {"properties": {"requests": {"type": "array", "items": {}}}, "required": ["requests"]},
        *TEXT_WITH_PARTS["oneOf"],
    ]
}
EMBEDDINGS: Mapping[str, Any] = {
    "oneOf": [
        {
            "properties": {
                "text": {
                    "oneOf": [
                        {"type": "string", "minLength": 1},
                        {"type": "array", "items": {"type": "string", "minLength": 1}},
                    ]
                }
            },
            "required": ["text"],
        },
        {"properties": {"requests": {"type": "array", "items": {}}}, "required": ["requests"]},
    ]
}
RERANKER: Mapping[str, Any] = {
    "properties": {
        "query": {"type": "string", "minLength": 1},
        "top_k": {"type": "integer", "minimum": 1},
        "contexts": {
            "type": "array",
            "items": {"type": "object", "properties": {"text": {"type": "string", "minLength": 1}}},
        },
    },
    "required": ["query", "contexts"],
}
