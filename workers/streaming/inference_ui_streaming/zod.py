"""zod 3 schemas as `JSON.stringify` leaves them, made into JSON Schema.

The published React client sends a zod object's shape, a map from field to such a schema: `{"name": {"_def":
{"typeName": "ZodString", "checks": []}}}`. Functions do not survive, so a nested object has its fields only where zod
had cached them; without them it may be any object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Schema = dict[str, Any]

_OPTIONAL = ("ZodOptional", "ZodDefault", "ZodCatch")
_WRAPPERS = (*_OPTIONAL, "ZodReadonly", "ZodNullable", "ZodBranded", "ZodEffects", "ZodPromise")
_FORMATS = {"email": "email", "url": "uri", "uuid": "uuid", "datetime": "date-time", "date": "date", "time": "time"}


def is_zod_map(value: Mapping[str, Any]) -> bool:
    """Tell whether a value is a zod object's shape: not empty, and every field a zod schema."""
    return bool(value) and all(isinstance(field, Mapping) and "_def" in field for field in value.values())


def zod_to_json_schema(shape: Mapping[str, Any]) -> Schema:
    """Return the JSON Schema of an object of that shape; additional properties are not allowed."""
    required = [name for name, field in shape.items() if not _is_optional(field)]
    return {
        "type": "object",
        "properties": {name: _convert(field) for name, field in shape.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _convert(schema: Any) -> Schema:
    definition = schema.get("_def") if isinstance(schema, Mapping) else None
    if not isinstance(definition, Mapping):
        return {}
    kind = definition.get("typeName")
    if kind in _WRAPPERS:
        inner = _convert(definition.get("innerType") or definition.get("schema") or definition.get("type"))
        converted = {"anyOf": [inner, {"type": "null"}]} if kind == "ZodNullable" else inner
    elif kind == "ZodObject":
        cached = schema.get("_cached")
        fields = cached.get("shape") if isinstance(cached, Mapping) else None
        converted = zod_to_json_schema(fields) if isinstance(fields, Mapping) else {"type": "object"}
    else:
        converted = _CONVERTERS.get(str(kind), _any)(definition)
    description = definition.get("description")
    return {**converted, "description": description} if isinstance(description, str) else converted


def _is_optional(schema: Any) -> bool:
    definition = schema.get("_def") if isinstance(schema, Mapping) else None
    if not isinstance(definition, Mapping):
        return True
    if definition.get("typeName") in _OPTIONAL:
        return True
    if definition.get("typeName") in _WRAPPERS:
        return _is_optional(definition.get("innerType") or definition.get("schema") or definition.get("type"))
    return False


def _string(definition: Mapping[str, Any]) -> Schema:
    schema: Schema = {"type": "string"}
    for check in _checks(definition):
        kind, value = check.get("kind"), check.get("value")
        if kind in ("min", "length") and isinstance(value, int):
            schema["minLength"] = value
        if kind in ("max", "length") and isinstance(value, int):
            schema["maxLength"] = value
        if kind in _FORMATS:
            schema["format"] = _FORMATS[kind]
    return schema


def _number(definition: Mapping[str, Any]) -> Schema:
    schema: Schema = {"type": "number"}
    for check in _checks(definition):
        kind, value = check.get("kind"), check.get("value")
        if kind == "int":
            schema["type"] = "integer"
        elif kind == "multipleOf":
            schema["multipleOf"] = value
        elif kind in ("min", "max"):
            name = "minimum" if kind == "min" else "maximum"
            exclusive = "exclusiveMinimum" if kind == "min" else "exclusiveMaximum"
            schema[name if check.get("inclusive", True) else exclusive] = value
    return schema


def _array(definition: Mapping[str, Any]) -> Schema:
    schema: Schema = {"type": "array", "items": _convert(definition.get("type"))}
    for name, bounds in (("minLength", ("minItems",)), ("maxLength", ("maxItems",)), ("exactLength", _BOTH)):
        limit = definition.get(name)
        if isinstance(limit, Mapping) and isinstance(limit.get("value"), int):
            schema.update(dict.fromkeys(bounds, limit["value"]))
    return schema


_BOTH = ("minItems", "maxItems")


def _enum(definition: Mapping[str, Any]) -> Schema:
    values = definition.get("values")
    if isinstance(values, Mapping):  # a native enum, whose numbers are listed both ways
        values = [value for value in values.values() if not isinstance(values.get(str(value)), int)]
    return {"enum": list(values)} if isinstance(values, Sequence) and not isinstance(values, str) else {}


def _literal(definition: Mapping[str, Any]) -> Schema:
    return {"const": definition.get("value")}


def _union(definition: Mapping[str, Any]) -> Schema:
    options = definition.get("options")
    listed = options.values() if isinstance(options, Mapping) else options
    return {"anyOf": [_convert(option) for option in listed]} if listed else {}


def _intersection(definition: Mapping[str, Any]) -> Schema:
    return {"allOf": [_convert(definition.get("left")), _convert(definition.get("right"))]}


def _record(definition: Mapping[str, Any]) -> Schema:
    return {"type": "object", "additionalProperties": _convert(definition.get("valueType"))}


def _tuple(definition: Mapping[str, Any]) -> Schema:
    items = [_convert(item) for item in definition.get("items") or ()]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _any(_definition: Mapping[str, Any]) -> Schema:
    return {}


def _checks(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    checks = definition.get("checks")
    return [check for check in checks if isinstance(check, Mapping)] if isinstance(checks, list) else []


_CONVERTERS: Mapping[str, Callable[[Mapping[str, Any]], Schema]] = {
    "ZodString": _string,
    "ZodNumber": _number,
    "ZodBoolean": lambda _definition: {"type": "boolean"},
    "ZodBigInt": lambda _definition: {"type": "integer"},
    "ZodDate": lambda _definition: {"type": "string", "format": "date-time"},
    "ZodNull": lambda _definition: {"type": "null"},
    "ZodLiteral": _literal,
    "ZodEnum": _enum,
    "ZodNativeEnum": _enum,
    "ZodArray": _array,
    "ZodSet": lambda definition: {"type": "array", "items": _convert(definition.get("valueType")), "uniqueItems": True},
    "ZodUnion": _union,
    "ZodDiscriminatedUnion": _union,
    "ZodIntersection": _intersection,
    "ZodRecord": _record,
    "ZodTuple": _tuple,
}
