"""The functions of the global object.

Source: tc39.es/ecma262, section 19.2
"""

from __future__ import annotations

import math
import re
import urllib.parse
from typing import Final, NoReturn

from pyworkers.js.number_texts import DIGITS
from pyworkers.js.primitives import MAX_SAFE_INTEGER, WHITESPACE, number, to_integer, to_number, to_string
from pyworkers.js.values import JsException, js_function

_UNESCAPED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@*_+-./")
_ESCAPE: Final = re.compile("%u([0-9a-fA-F]{4})|%([0-9a-fA-F]{2})")
_NUMBER_PREFIX: Final = re.compile(r"([+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))")


@js_function
def parseInt(text: object = None, radix: object = None) -> int | float:
    """The whole number that a text begins with, or NaN."""
    digits = to_string(text).lstrip(WHITESPACE)
    base = to_integer(radix)
    sign = -1 if digits.startswith("-") else 1
    digits = digits[1:] if digits[:1] in ("+", "-") else digits
    if base in (0, 16) and digits[:2].lower() == "0x":
        digits, base = digits[2:], 16
    base = base or 10
    if not 2 <= base <= 36:
        return math.nan
    allowed = set(DIGITS[:base])
    end = next((index for index, digit in enumerate(digits.lower()) if digit not in allowed), len(digits))
    if end == 0:
        return math.nan
    try:
        value = int(digits[:end], base) * sign
        if value == 0 and sign < 0:
            return -0.0
        return value if abs(value) <= MAX_SAFE_INTEGER else float(value)
    except (ValueError, OverflowError):  # more digits than Python reads, or than a float holds
        return math.inf * sign


@js_function
def parseFloat(text: object = None) -> int | float:
    """The number that a text begins with, or NaN."""
    match = _NUMBER_PREFIX.match(to_string(text).lstrip(WHITESPACE))
    if match is None:
        return math.nan
    value = float(match.group(1))
    return value if value == 0 and match.group(1)[0] == "-" else number(value)


@js_function
def isNaN(value: object = None) -> bool:
    """Tell whether the value is no number once converted."""
    return math.isnan(to_number(value))


@js_function
def isFinite(value: object = None) -> bool:
    """Tell whether the value is a finite number once converted."""
    return math.isfinite(to_number(value))


@js_function
def encodeURIComponent(text: object = None) -> str:
    """Percent-encode everything but letters, digits and ``-_.!~*'()``."""
    return _encode(text, "-_.!~*'()")


@js_function
def encodeURI(text: object = None) -> str:
    """Percent-encode what cannot stand in a URI."""
    return _encode(text, "-_.!~*'();/?:@&=+$,#")


@js_function
def decodeURIComponent(text: object = None) -> str:
    """Undo `encodeURIComponent`."""
    return _decode(to_string(text))


@js_function
def decodeURI(text: object = None) -> str:
    """Undo `encodeURI`: what it leaves alone stays encoded."""
    kept = re.sub(r"%(?=2[346bcBCfF]|3[abdfABDF]|40)", "%25", to_string(text))
    return _decode(kept)


@js_function
def escape(text: object = None) -> str:
    """Write everything but ASCII letters, digits and ``@*_+-./`` as ``%XX`` or ``%uXXXX``."""
    units = to_string(text).encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(
        chr(code) if chr(code) in _UNESCAPED else f"%{code:02X}" if code < 256 else f"%u{code:04X}" for code in codes
    )


@js_function
def unescape(text: object = None) -> str:
    """Undo `escape`; what is no escape stays."""
    units = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), to_string(text))
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@js_function
def eval(_source: object = None) -> NoReturn:
    """Refuse, as the platform does.

    Raises:
        JsException: EvalError, always.
    """
    raise JsException("EvalError", "Code generation from strings disallowed for this context")


def _encode(text: object, safe: str) -> str:
    try:
        return urllib.parse.quote(to_string(text), safe=safe)
    except UnicodeEncodeError:
        _malformed()


def _decode(text: str) -> str:
    if re.search(r"%(?![0-9a-fA-F]{2})", text):
        _malformed()
    try:
        return urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        _malformed()


def _malformed() -> NoReturn:
    raise JsException("URIError", "URI malformed")
