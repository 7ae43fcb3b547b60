"""Ids of Durable Objects: 32 bytes, half of which prove which class they belong to.

Source: workerd src/workerd/server/actor-id-impl.c++; recorded, contracts/do, do.ids.*
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final

from pyworkers.js.values import JsProxy, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error, utf8

_HALF: Final = 16
_FORM: Final = re.compile(r"[0-9a-fA-F]{64}")


class DurableObjectId(JsProxy, read_only="jurisdiction name"):
    """An object's id.

    Attributes:
        name: what it was made from by name; None where that is not known.
        jurisdiction: always None: nothing here is elsewhere.
    """

    def __init__(self, digits: str, name: str | None = None) -> None:
        self._digits = digits
        self.name = name
        self.jurisdiction = None

    @property
    def digits(self) -> str:
        """64 hexadecimal digits."""
        return self._digits

    def toString(self) -> str:
        """Return the 64 digits."""
        return self._digits

    @js_method
    def equals(self, other: object = MISSING) -> bool:
        """Tell whether both name the same object."""
        if not isinstance(other, DurableObjectId):
            raise argument_error("DurableObjectId", "equals", 1, "DurableObjectId")
        return self._digits == other._digits

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        return {"jurisdiction": None, "name": self.name}


class IdFactory:
    """Makes the ids of one class.

    Args:
        unique_key: stands for the class: ``worker-Class``.
        randomness: gives so many random bytes.
    """

    def __init__(self, unique_key: str, *, randomness: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self.unique_key = unique_key
        self._key = hashlib.sha256(unique_key.encode()).digest()
        self._randomness = randomness

    def of_name(self, name: str) -> DurableObjectId:
        """Return the id that a name always gives."""
        return self._whole(self._mac(utf8(name)), name)

    def unique(self) -> DurableObjectId:
        """Return an id that was never there."""
        return self._whole(self._randomness(_HALF), None)

    def of_string(self, text: str) -> DurableObjectId:
        """Return the id of 64 digits.

        Raises:
            JsException: TypeError, when they are not digits, or not an id of this class.
        """
        if not _FORM.fullmatch(text):
            raise type_error("Invalid Durable Object ID: must be 64 hex digits")
        digits = text.lower()
        if not self.owns(digits):
            raise type_error("Durable Object ID is not valid for this namespace.")
        return DurableObjectId(digits)

    def owns(self, digits: str) -> bool:
        """Tell whether the digits are an id of this class."""
        data = bytes.fromhex(digits)
        return hmac.compare_digest(self._mac(data[:_HALF]), data[_HALF:])

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:_HALF]

    def _whole(self, base: bytes, name: str | None) -> DurableObjectId:
        return DurableObjectId((base + self._mac(base)).hex(), name)
