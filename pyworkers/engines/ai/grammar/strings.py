"""JSON strings with a length or a pattern, as GBNF expressions."""

from __future__ import annotations

import json
import re
from re import _constants as constants  # type: ignore[attr-defined]  # private, yet the one parser of `re`
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

__all__ = ["STRING_RULES", "format_string", "literal", "pattern_string", "sized_string"]

# One character of a JSON string: no raw control character, no half of a surrogate pair, and only the short escapes.
_RAW = r'[^"\\\x00-\x1F\x7F\uD800-\uDFFF]'
_ESCAPE = r'"\\" ["\\bfnrt]'
# As JavaScript counts: one that is a single UTF-16 code unit.
_UNIT = r'[^"\\\x00-\x1F\x7F\uD800-\uDFFF\U00010000-\U0010FFFF]'
# llama.cpp writes `x{0,n}` out as n rules and refuses more than 2,000; larger counts are built of blocks.
_BLOCK = 128
STRING_RULES = {
    "char": f"{_RAW} | {_ESCAPE}",
    "char-raw": _RAW,
    "unit": f"{_UNIT} | {_ESCAPE}",
    **{f"{name}-block": f"{name}{{{_BLOCK}}}" for name in ("char", "unit")},
    **{f"{name}-tail": f"{name}{{0,{_BLOCK - 1}}}" for name in ("char", "unit")},
}
# How often `*` and `+` of a pattern repeat at most, and the largest count that is not given up on.
_OPEN_REPEAT = 32
_MAX_REPEAT = 512

_FORMATS = {
    "date": r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
    "time": r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "date-time": r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "email": r"[a-z0-9][a-z0-9._-]{0,20}@[a-z0-9][a-z0-9-]{0,20}\.[a-z]{2,6}",
    "ipv4": r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}",
}
_JSON_ESCAPES = {'"': r"\"", "\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def literal(text: str) -> str:
    """Return ``text`` as a GBNF string."""
    out = []
    for character in text:
        if character in '"\\':
            out.append("\\" + character)
        elif character == "\n":
            out.append("\\n")
        elif character < " " or character == "\x7f":
            out.append(f"\\x{ord(character):02X}")
        else:
            out.append(character)
    return '"' + "".join(out) + '"'


def sized_string(least: int, most: int, *, is_limit: bool = False) -> str:
    """Return an expression for a JSON string of ``least`` to ``most`` characters (code points).

    It uses the rules of STRING_RULES.

    Args:
        is_limit: whether ``most`` is the schema's own. JSON Schema counts code points and JavaScript's validators count
            UTF-16 code units: characters that the two count differently are left out.
    """
    character = "unit" if is_limit else "char"
    blocks, rest = divmod(least, _BLOCK)
    parts = [f"{character}-block"] * blocks + ([f"{character}{{{rest}}}"] if rest else [])
    if most > least:
        parts.append(_up_to(most - least, character))
    return " ".join(['"\\""', *parts, '"\\""'])


def _up_to(most: int, character: str) -> str:
    """Return an expression for 1 to ``most`` characters or none, from shared rules: short, however large."""
    blocks, rest = divmod(most, _BLOCK)
    expression = f"{character}{{0,{rest}}}" if rest else ""
    for _ in range(blocks):
        expression = f"({character}-block {expression} | {character}-tail)"
    return expression


def format_string(name: str) -> str | None:
    """Return an expression for a string of a known JSON Schema format, or None."""
    pattern = _FORMATS.get(name)
    return None if pattern is None else pattern_string(f"^{pattern}$")


def pattern_string(pattern: str) -> str | None:
    """Return an expression for a JSON string that matches, or None when the pattern is beyond a grammar.

    The pattern is matched whole: text before and after an unanchored pattern would be allowed, but is not made.
    """
    try:
        return f'"\\"" {_sequence(parser.parse(pattern))} "\\""'
    except (re.error, ValueError, OverflowError):
        return None


def _sequence(items: Any) -> str:  # parse trees of `re` have no types
    parts = [_one(operator, argument) for operator, argument in items]
    return " ".join(part for part in parts if part) or '""'


def _one(operator: Any, argument: Any) -> str:
    if operator is constants.AT:
        if argument in (
            constants.AT_BEGINNING,
            constants.AT_BEGINNING_STRING,
            constants.AT_END,
            constants.AT_END_STRING,
        ):
            return ""
    elif operator is constants.LITERAL:
        return _character(argument)
    elif operator is constants.ANY:
        return "char-raw"
    elif operator is constants.NOT_LITERAL:
        return _class([(constants.LITERAL, argument)], negated=True)
    elif operator is constants.IN:
        negated = argument[0][0] is constants.NEGATE
        return _class(argument[1:] if negated else argument, negated=negated)
    elif operator is constants.BRANCH:
        return "(" + " | ".join(_sequence(branch) for branch in argument[1]) + ")"
    elif operator is constants.SUBPATTERN:
        return "(" + _sequence(argument[3]) + ")"
    elif operator in (constants.MAX_REPEAT, constants.MIN_REPEAT, constants.POSSESSIVE_REPEAT):
        least, most, inner = argument
        if most is constants.MAXREPEAT:
            most = least + _OPEN_REPEAT
        if most > _MAX_REPEAT:
            raise ValueError("too many repetitions")
        return f"({_sequence(inner)}){{{least},{most}}}" if most else ""
    raise ValueError(f"{operator} has no GBNF form")


def _character(code: int) -> str:
    character = chr(code)
    if character in _JSON_ESCAPES:
        return literal(_JSON_ESCAPES[character])
    if code < 0x20 or code == 0x7F:
        return literal(json.dumps(character)[1:-1])
    return literal(character)


def _class(items: Any, *, negated: bool) -> str:
    """Return a character class; what JSON must escape is left out of it, which only narrows it."""
    ranges: list[tuple[int, int]] = []
    for operator, argument in items:
        if operator is constants.LITERAL:
            ranges.append((argument, argument))
        elif operator is constants.RANGE:
            ranges.append(argument)
        elif operator is constants.CATEGORY:
            ranges += _category(argument)
        else:
            raise ValueError(f"{operator} has no GBNF form")
    if negated:
        return "[^" + _escape_class(0x22) + _escape_class(0x5C) + r"\x00-\x1F\x7F" + _ranges(ranges) + "]"
    singles = [low for low, high in ranges if low == high and chr(low) in _JSON_ESCAPES]
    plain = [part for low, high in ranges for part in _printable(low, high)]
    parts = [_character(code) for code in singles]
    if plain:
        parts.append("[" + _ranges(plain) + "]")
    if not parts:
        raise ValueError("an empty class")
    return parts[0] if len(parts) == 1 else "(" + " | ".join(parts) + ")"


def _printable(low: int, high: int) -> list[tuple[int, int]]:
    """Cut a range where JSON needs an escape."""
    parts, start = [], max(low, 0x20)
    for hole in (0x22, 0x5C, 0x7F):
        if start <= hole <= high:
            if start < hole:
                parts.append((start, hole - 1))
            start = hole + 1
    if start <= high:
        parts.append((start, min(high, 0xD7FF) if start < 0xD800 else high))
    return parts


def _category(category: Any) -> list[tuple[int, int]]:
    digits = [(0x30, 0x39)]
    if category is constants.CATEGORY_DIGIT:
        return digits
    if category is constants.CATEGORY_WORD:
        return [*digits, (0x41, 0x5A), (0x61, 0x7A), (0x5F, 0x5F)]
    if category is constants.CATEGORY_SPACE:
        return [(0x20, 0x20)]
    raise ValueError(f"{category} has no GBNF form")


def _ranges(ranges: list[tuple[int, int]]) -> str:
    return "".join(
        _escape_class(low) if low == high else f"{_escape_class(low)}-{_escape_class(high)}" for low, high in ranges
    )


def _escape_class(code: int) -> str:
    if chr(code).isascii() and chr(code).isalnum():
        return chr(code)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
