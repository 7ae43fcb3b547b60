"""``crypto``: random values.

Source: w3c.github.io/webcrypto, section 10; recorded, contracts/fetchapi, fetchapi.globals.crypto
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any, Final

from pyworkers.js.buffers import Float32Array, Float64Array, TypedArray
from pyworkers.js.values import JsProxy, dom_exception, js_method

_QUOTA_BYTES: Final = 65_536


class Crypto(JsProxy):
    """``crypto``."""

    @js_method
    def getRandomValues(self, array: Any = None) -> TypedArray:
        """Fill an array of integers with random bytes, and return it.

        Raises:
            JsException: TypeMismatchError, for anything else; QuotaExceededError, beyond 65,536 bytes.
        """
        if not isinstance(array, TypedArray) or isinstance(array, Float32Array | Float64Array):
            raise dom_exception(
                "TypeMismatchError", "ArrayBufferView argument to getRandomValues() must be an integer-typed view."
            )
        if array.byteLength > _QUOTA_BYTES:
            raise dom_exception(
                "QuotaExceededError",
                f"getRandomValues() only accepts buffers of size <= 64K but provided {array.byteLength} bytes.",
            )
        array.view[:] = secrets.token_bytes(array.byteLength)
        return array

    @js_method
    def randomUUID(self) -> str:
        """Return a random UUID, version 4."""
        return str(uuid.uuid4())
