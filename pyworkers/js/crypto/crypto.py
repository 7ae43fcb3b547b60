"""The object ``crypto``.

Source: w3c.github.io/webcrypto, section 10; recorded, contracts/fetchapi, fetchapi.globals.crypto
"""

from __future__ import annotations

import secrets
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pyworkers.js.buffers import ArrayBufferView, Float32Array, Float64Array, TypedArray
from pyworkers.js.values import JsProxy, dom_exception, js_method
from pyworkers.js.webidl import MISSING, argument_error

if TYPE_CHECKING:
    from pyworkers.js.crypto.subtle import SubtleCrypto

_QUOTA_BYTES: Final = 65_536


class Crypto(JsProxy, read_only="subtle"):
    """``crypto``."""

    @cached_property
    def subtle(self) -> SubtleCrypto:
        """``crypto.subtle``."""
        from pyworkers.js.crypto.subtle import SubtleCrypto  # imported by the first use

        return SubtleCrypto()

    @property
    def DigestStream(self) -> Any:
        """The constructor of ``DigestStream``."""
        from pyworkers.js.crypto.digest_stream import DigestStream  # imported by the first use

        return DigestStream.constructor

    @js_method
    def getRandomValues(self, array: Any = MISSING) -> TypedArray:
        """Fill an array of integers with random bytes, and return it.

        Raises:
            JsException: TypeError, for what is no view; TypeMismatchError, for one of other items than integers;
                QuotaExceededError, beyond 65,536 bytes.
        """
        if not isinstance(array, ArrayBufferView):
            raise argument_error("Crypto", "getRandomValues", 1, "JsArrayBufferView")
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
