"""Bytes as text: ``Uint8Array.fromBase64``, ``toHex`` and their like.

Source: tc39.es/proposal-arraybuffer-base64; recorded, misc.globals.own-language
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

from pyworkers.js.primitives import to_boolean
from pyworkers.js.values import JsException, get_property, type_error

_ALPHABETS: Final = {"base64": b"+/", "base64url": b"-_"}
_WHITESPACE: Final = re.compile("[\t\n\f\r ]+")
_HEX: Final = re.compile("(?:[0-9a-fA-F]{2})*")
_WRONG: Final = "Found a character that cannot be part of a valid base64 string."
_SINGLE: Final = "The base64 input terminates with a single character, excluding padding (=)."
_NOT_ZERO: Final = "The base64 input terminates with non-zero padding bits."
_PADDINGS: Final = {0: (0,), 2: (0, 2), 3: (0, 1)}


def from_base64(text: Any, options: object = None) -> bytes:
    """Decode base64; options ``alphabet`` and ``lastChunkHandling``.

    Raises:
        JsException: SyntaxError, for what is no base64; TypeError, for what is no text, for unknown options.
    """
    if not isinstance(text, str):
        raise type_error("input argument must be a string")
    altchars = _ALPHABETS[_option(options, "alphabet", tuple(_ALPHABETS))]
    handling = _option(options, "lastChunkHandling", ("loose", "strict", "stop-before-partial"))
    body, padding = _split(_WHITESPACE.sub("", text), altchars)
    rest = len(body) % 4
    if handling == "stop-before-partial" and rest and len(padding) + rest < 4:
        body, rest = body[:-rest], 0
    if rest == 1 or (handling == "strict" and rest and not padding):
        raise JsException("SyntaxError", _SINGLE)
    if rest and len(padding) not in _PADDINGS[rest]:
        raise JsException("SyntaxError", _WRONG)
    data = base64.b64decode(body + "=" * (-len(body) % 4), altchars)
    if handling == "strict" and rest and base64.b64encode(data, altchars).decode().rstrip("=") != body:
        raise JsException("SyntaxError", _NOT_ZERO)
    return data


def to_base64(data: bytes, options: object = None) -> str:
    """Encode in base64; options ``alphabet`` and ``omitPadding``.

    Raises:
        JsException: TypeError, for an alphabet that is unknown.
    """
    text = base64.b64encode(data, _ALPHABETS[_option(options, "alphabet", tuple(_ALPHABETS))]).decode()
    return text.rstrip("=") if to_boolean(get_property(options, "omitPadding")) else text


def from_hex(text: Any) -> bytes:
    """Decode hexadecimal digits.

    Raises:
        JsException: SyntaxError, for other characters or an odd number; TypeError, for what is no text.
    """
    if not isinstance(text, str):
        raise type_error("input argument must be a string")
    if not _HEX.fullmatch(text):
        raise JsException("SyntaxError", "Input string must contain hex characters in even length")
    return bytes.fromhex(text)


def _split(text: str, altchars: bytes) -> tuple[str, str]:
    """Return the characters that stand for bits, and the padding after them."""
    match = re.fullmatch(f"([0-9A-Za-z{re.escape(altchars.decode())}]*)(=*)", text)
    if match is None or (match[2] and len(match[1]) % 4 < 2):
        raise JsException("SyntaxError", _WRONG)
    return match[1], match[2]


def _option(options: object, name: str, known: tuple[str, ...]) -> str:
    """Return an option's value, the first that is known where there is none."""
    value = get_property(options, name)
    if value is None:
        return known[0]
    if value not in known:
        raise type_error(f"invalid option {value}")
    return str(value)
