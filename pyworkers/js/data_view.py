"""``DataView``.

Source: tc39.es/ecma262, section 25.3
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from pyworkers.js.buffers import ARRAY_OF_FORMAT, TYPED_ARRAYS, ArrayBuffer, ArrayBufferView, Uint8ClampedArray
from pyworkers.js.primitives import number, to_integer
from pyworkers.js.values import JsProxy, range_error, type_error


class DataView(ArrayBufferView):
    """A window read and written at any offset, in either byte order."""

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new DataView(buffer, byteOffset, byteLength)``."""
        if not args or not isinstance(args[0], ArrayBuffer):
            raise type_error("First argument to DataView constructor must be an ArrayBuffer")
        offset = to_integer(args[1] if len(args) > 1 else None)
        if offset > len(args[0]):
            raise range_error(f"Start offset {offset} is outside the bounds of the buffer")
        return cls(args[0], offset, to_integer(args[2]) if len(args) > 2 and args[2] is not None else None)

    def _read(self, item_format: str, offset: object, little_endian: object) -> int | float:
        try:
            return number(
                struct.unpack_from(("<" if little_endian else ">") + item_format, self.view, to_integer(offset))[0]
            )
        except struct.error:
            raise range_error("Offset is outside the bounds of the DataView") from None

    def _write(self, item_format: str, offset: object, value: object, little_endian: object) -> None:
        item = ARRAY_OF_FORMAT[item_format]._coerce(value)
        try:
            struct.pack_into(("<" if little_endian else ">") + item_format, self.view, to_integer(offset), item)
        except struct.error:
            raise range_error("Offset is outside the bounds of the DataView") from None


def _add_accessors() -> None:
    """Give DataView its getInt8 … setFloat64."""

    def pair(item_format: str) -> tuple[Callable[..., object], Callable[..., object]]:
        def get(self: DataView, offset: object = 0, little_endian: object = None, *_: object) -> int | float:
            return self._read(item_format, offset, little_endian)

        def set_(self: DataView, offset: object = 0, value: object = 0, little: object = None, *_: object) -> None:
            self._write(item_format, offset, value, little)

        return get, set_

    for cls in TYPED_ARRAYS:
        name = cls.js_name.removesuffix("Array")
        if cls is not Uint8ClampedArray:
            getter, setter = pair(cls.item_format)
            setattr(DataView, f"get{name}", getter)
            setattr(DataView, f"set{name}", setter)


_add_accessors()
