"""Merges two JSON schemas into one that asks for both (`allOf`, and what stands beside `anyOf` or `$ref`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["merge"]

_LARGER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_SMALLER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}


def merge(left: Any, right: Any) -> Any:
    """Return a schema satisfied by what satisfies both; keywords that cannot be merged keep the right one's."""
    if left is False or right is False:
        return False
    if not isinstance(left, Mapping):
        return right
    if not isinstance(right, Mapping):
        return left
    merged: dict[str, Any] = dict(left)
    for key, value in right.items():
        merged[key] = _merge_keyword(key, merged[key], value) if key in merged else value
    if merged.get("type") == [] or merged.get("enum") == []:
        return False
    if left.get("additionalProperties") is False or right.get("additionalProperties") is False:
        _close_properties(merged, left, right)
    return merged


def _merge_keyword(key: str, left: Any, right: Any) -> Any:
    if key in _LARGER:
        return max(left, right)
    if key in _SMALLER:
        return min(left, right)
    if key == "required":
        return list(dict.fromkeys([*left, *right]))
    if key in ("properties", "$defs", "definitions"):
        return {**left, **{name: merge(left[name], part) if name in left else part for name, part in right.items()}}
    if key == "type":
        return _merge_types(left, right)
    if key == "enum":
        return [value for value in left if value in right]
    if key == "allOf":
        return [*left, *right]
    if key in ("anyOf", "oneOf"):
        return [merge(a, b) for a in left for b in right]
    if key in ("items", "additionalProperties"):
        return merge(left, right)
    return right


def _merge_types(left: Any, right: Any) -> list[str]:
    one = [left] if isinstance(left, str) else list(left)
    other = [right] if isinstance(right, str) else list(right)
    common = [kind for kind in one if kind in other]
    if "integer" not in common and {"integer", "number"} <= {*one, *other}:
        common = [kind for kind in common if kind != "number"] + ["integer"]
    return common


def _close_properties(merged: dict[str, Any], left: Mapping[str, Any], right: Mapping[str, Any]) -> None:
    """Drop the properties that the side which allows no others does not know."""
    for side in (left, right):
        if side.get("additionalProperties") is False:
            known = side.get("properties", {})
            merged["properties"] = {
                name: part if name in known else False for name, part in merged.get("properties", {}).items()
            }
