"""``application/x-www-form-urlencoded``: the URL standard's codec, and the looser parser of ``formData()``.

Source: url.spec.whatwg.org, section 5; recorded, contracts/fetchapi, fetchapi.response.formdata2
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes

from pyworkers.js.webidl import utf8

_HEX: Final = frozenset("0123456789abcdefABCDEF")


def parse_query(query: str) -> list[tuple[str, str]]:
    """Parse as ``URLSearchParams`` does; a wrong escape stays as it is."""
    return split_pairs(query, _decode)


def serialize_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Serialize as ``URLSearchParams`` does."""
    return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in pairs)


def parse_form(body: str) -> list[tuple[str, str]]:
    """Parse a form's body as ``formData()`` does: of a wrong escape only the percent sign is dropped."""
    return split_pairs(body, _decode_loosely)


def split_pairs(text: str, decode: Callable[[str], str]) -> list[tuple[str, str]]:
    """Split into decoded names and values; one without a ``=`` has an empty value."""
    pairs = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((decode(name), decode(value)))
    return pairs


def _decode(text: str) -> str:
    text = text.replace("+", " ")
    return unquote_to_bytes(utf8(text)).decode("utf-8", "replace") if "%" in text else text


def _encode(text: str) -> str:
    if text.isalnum() and text.isascii():
        return text
    return quote_plus(utf8(text), safe="*").replace("~", "%7E")


def _decode_loosely(text: str) -> str:
    first, *rest = text.replace("+", " ").split("%")
    data = bytearray(utf8(first))
    for part in rest:
        digits = part[:2] if part[:2] and _HEX.issuperset(part[:2]) else part[:1] if part[:1] in _HEX else ""
        if digits:
            data.append(int(digits, 16))
        data += utf8(part[len(digits) :])
    return data.decode("utf-8", "replace")
