"""``ArrayBuffer`` and the typed arrays, with Pyodide's ``JsBuffer`` methods.

Source: tc39.es/ecma262, sections 23.2 and 25; pyodide.org, ``pyodide.ffi.JsBuffer``
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, ClassVar, Final, Self

from pyworkers.js.array_methods import ArrayMethods, show_object
from pyworkers.js.byte_texts import from_base64, from_hex, to_base64
from pyworkers.js.primitives import is_nullish, number, single, to_integer, to_number
from pyworkers.js.values import JsProxy, iterate, js_method, range_error, type_error

Bytes = bytes | bytearray | memoryview


class JsBuffer(JsProxy):
    """Base of everything that holds bytes; `view` is the live, writable memory."""

    @property
    def view(self) -> memoryview:
        """The bytes themselves: a flat, writable memoryview."""
        raise type_error("Illegal invocation")

    def to_bytes(self) -> bytes:
        """Copy into ``bytes``."""
        return bytes(self.view)

    def to_memoryview(self) -> memoryview:
        """Copy into a memoryview of the array's own item format."""
        return memoryview(bytearray(self.view))

    def to_string(self, encoding: str = "utf-8") -> str:
        """Decode the bytes."""
        return self.to_bytes().decode(encoding)

    def assign(self, source: Bytes) -> None:
        """Overwrite the buffer with the bytes of ``source``, which must be as long."""
        data = memoryview(source).cast("B")
        if len(data) != len(self.view):
            raise ValueError(
                f"cannot assign to TypedArray of length {len(data)} from buffer of length {len(self.view)}"
            )
        self.view[:] = data

    def assign_to(self, target: bytearray | memoryview) -> None:
        """Copy the bytes into ``target``, which must be as long."""
        data = memoryview(target).cast("B")
        if len(data) != len(self.view):
            raise ValueError(
                f"cannot assign from TypedArray of length {len(self.view)} to buffer of length {len(data)}"
            )
        data[:] = self.view

    def to_file(self, file: BinaryIO) -> None:
        """Write the bytes to an open binary file."""
        file.write(self.view)

    def from_file(self, file: BinaryIO) -> None:
        """Fill the buffer from an open binary file."""
        data = file.read(len(self.view))
        self.view[: len(data)] = data


class ArrayBuffer(JsBuffer):
    """A block of bytes."""

    def __init__(self, data: Bytes = b"") -> None:
        self.data = data if isinstance(data, bytearray) else bytearray(data)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new ArrayBuffer(length)``."""
        length = to_integer(args[0] if args else None)
        if length < 0:
            raise range_error("Array buffer allocation failed")
        return cls(bytearray(length))

    @property
    def view(self) -> memoryview:
        """The bytes themselves."""
        return memoryview(self.data)

    @property
    def byteLength(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @property
    def maxByteLength(self) -> int:
        """The number of bytes: no buffer grows here."""
        return len(self.data)

    @property
    def resizable(self) -> bool:
        """Never."""
        return False

    @property
    def detached(self) -> bool:
        """Never: what is transferred is copied."""
        return False

    @js_method
    def slice(self, start: object = None, end: object = None) -> ArrayBuffer:
        """Copy a part."""
        return ArrayBuffer(self.data[_part(len(self.data), start, end)])

    @staticmethod
    def static_isView(value: object = None, *_: object) -> bool:
        """``ArrayBuffer.isView``."""
        return isinstance(value, ArrayBufferView)

    def __len__(self) -> int:
        return len(self.data)


class ArrayBufferView(JsBuffer, read_only="buffer byteLength byteOffset"):
    """Base of typed arrays and DataView: a window on an ArrayBuffer."""

    item_size: ClassVar[int] = 1

    def __init__(self, buffer: ArrayBuffer, byte_offset: int = 0, byte_length: int | None = None) -> None:
        length = len(buffer.data) - byte_offset if byte_length is None else byte_length
        self.__dict__.update(buffer=buffer, byteOffset=byte_offset, byteLength=length)

    @property
    def view(self) -> memoryview:
        """The window's bytes."""
        return memoryview(self.buffer.data)[self.byteOffset : self.byteOffset + self.byteLength]


class TypedArray(ArrayBufferView, ArrayMethods):
    """Base of ``Uint8Array`` and its like."""

    item_format: ClassVar[str] = "B"
    BYTES_PER_ELEMENT: int = 1
    static_BYTES_PER_ELEMENT: int = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls.BYTES_PER_ELEMENT = cls.static_BYTES_PER_ELEMENT = cls.item_size
        super().__init_subclass__(**kwargs)

    @classmethod
    def of_bytes(cls, data: Bytes) -> TypedArray:
        """Return an array over a copy of ``data``."""
        return cls(ArrayBuffer(data))

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Uint8Array(length | typedArray | buffer, byteOffset, length | iterable)``."""
        source = args[0] if args else None
        if isinstance(source, ArrayBuffer):
            return cls._over(source, *args[1:3])
        if isinstance(source, bytes | bytearray | memoryview) or (
            isinstance(source, TypedArray) and source.item_format == cls.item_format
        ):
            return cls(ArrayBuffer(bytes_of(source)))
        if source is None or isinstance(source, int | float):
            return cls(ArrayBuffer(bytearray(to_integer(source) * cls.item_size)))
        return cls._from_numbers(iterate(source))

    @classmethod
    def _over(cls, buffer: ArrayBuffer, offset: object = None, length: object = None) -> TypedArray:
        start = to_integer(offset)
        if start % cls.item_size:
            raise range_error(f"start offset of {cls.js_name} should be a multiple of {cls.item_size}")
        if length is None and (len(buffer) - start) % cls.item_size:
            raise range_error(f"byte length of {cls.js_name} should be a multiple of {cls.item_size}")
        size = len(buffer) - start if length is None else to_integer(length) * cls.item_size
        if start > len(buffer):
            raise range_error(f"Start offset {start} is outside the bounds of the buffer")
        if size < 0 or start + size > len(buffer):
            raise range_error(f"Invalid typed array length: {size // cls.item_size}")
        return cls(buffer, start, size)

    @classmethod
    def _from_numbers(cls, items: Iterable[Any]) -> Self:
        values = [cls._coerce(item) for item in items]
        return cls(ArrayBuffer(struct.pack(f"<{len(values)}{cls.item_format}", *values)))

    @classmethod
    def _coerce(cls, item: object) -> int | float:
        """Bring a number into the item's range as JavaScript does: integers wrap around."""
        if cls.item_format in "fd":
            return to_number(item)
        value = item if isinstance(item, int) else to_number(item)
        if isinstance(value, float):
            value = 0 if math.isnan(value) or math.isinf(value) else int(value)
        bits = 8 * cls.item_size
        value %= 1 << bits
        return value - (1 << bits) if cls.item_format.islower() and value >> (bits - 1) else value

    @property
    def items(self) -> memoryview[Any]:
        """The window's numbers, live."""
        return self.view.cast(self.item_format)  # type: ignore[call-overload]  # one of the formats below

    @property
    def length(self) -> int:
        """The number of items."""
        return self.byteLength // self.item_size

    def to_memoryview(self) -> memoryview:
        """Copy into a memoryview of the array's own item format."""
        return memoryview(bytearray(self.view)).cast(self.item_format)  # type: ignore[call-overload]  # as above

    def toString(self) -> str:
        """The numbers, joined by commas."""
        return self.join()

    @js_method
    def join(self, separator: str = ",") -> str:
        """``TypedArray.prototype.join``."""
        return separator.join(str(number(item)) for item in self.items)

    @js_method
    def subarray(self, start: object = None, end: object = None) -> TypedArray:
        """A window on a part of the same memory."""
        part = _part(self.length, start, end)
        size = max(0, part.stop - part.start) * self.item_size
        return type(self)(self.buffer, self.byteOffset + part.start * self.item_size, size)

    @js_method
    def slice(self, start: object = None, end: object = None) -> TypedArray:
        """A copy of a part."""
        return type(self)(ArrayBuffer(self.subarray(start, end).view))

    @js_method
    def set(self, source: Any = None, offset: object = None) -> None:
        """Copy numbers in, from ``offset`` on."""
        start = to_integer(offset)
        if isinstance(source, TypedArray) and source.item_format == self.item_format:
            values: Any = source.items
        elif isinstance(source, bytes | bytearray | memoryview):
            values = source
        else:
            values = [self._coerce(item) for item in iterate(source)]
        if start < 0 or start + len(values) > self.length:
            raise range_error("offset is out of bounds")
        for index, value in enumerate(values):
            self.items[start + index] = value

    @js_method
    def fill(self, value: object = 0, start: object = None, end: object = None) -> TypedArray:
        """Set every item of a part."""
        part, item, items = _part(self.length, start, end), self._coerce(value), self.items
        for index in range(part.start, part.stop):
            items[index] = item
        return self

    @js_method
    def at(self, index: int = 0) -> int | float | None:
        """One item, counted from the end where negative."""
        return number(self.items[index]) if -self.length <= index < self.length else None

    @js_method
    def indexOf(self, item: object = None) -> int:
        """The first index of an item, or -1."""
        values = list(self.items)
        return values.index(item) if item in values else -1

    @js_method
    def includes(self, item: object = None) -> bool:
        """Tell whether the item is there."""
        return item in self.items

    def _listed(self) -> list[Any]:
        return list(self)

    def _put(self, items: list[Any]) -> None:
        for index, item in enumerate(items):
            self.items[index] = self._coerce(item)

    def _another(self, items: list[Any]) -> Self:
        return self._from_numbers(items)

    def _function(self, value: Any) -> Callable[..., Any]:
        if isinstance(value, JsProxy) and not callable(value) and not is_nullish(value):
            raise type_error(f"{show_object(value)} is not a function")
        return super()._function(value)

    def _compared(self, compare: Callable[..., Any], one: Any, other: Any) -> int:
        return -super()._compared(compare, other, one)  # asked the other way round than those of arrays

    def _sort_key(self, item: Any) -> Any:
        return (1, 0) if item != item else (0, item)

    def own_properties(self) -> dict[str, object]:
        """The numbers under their indices."""
        return {str(index): number(item) for index, item in enumerate(self.items)}

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int | float]:
        return map(number, self.items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            # Pyodide's own error, src/core/jsproxy.c, JsTypedArray_subscript.
            raise NotImplementedError("Slice subscripting isn't implemented for typed arrays")
        _require_integer(index)
        try:
            return number(self.items[index])
        except IndexError:
            raise IndexError(index) from None

    def __setitem__(self, index: Any, value: object) -> None:
        if isinstance(index, slice):
            raise NotImplementedError("Slice assignment isn't implemented for typed arrays")
        _require_integer(index)
        coerced = self._coerce(value)
        with suppress(IndexError):  # JavaScript does nothing then
            self.items[index] = coerced

    def __delitem__(self, index: object) -> None:
        raise TypeError("object doesn't support item deletion")

    @classmethod
    def static_of(cls, *items: object) -> TypedArray:
        """``TypedArray.of``."""
        return cls._from_numbers(items)

    @classmethod
    def static_from(cls, source: object = (), *_: object) -> TypedArray:
        """``TypedArray.from``."""
        return cls._from_numbers(iterate(source))


class Uint8Array(TypedArray):
    """Bytes."""

    @js_method
    def toHex(self) -> str:
        """Two hexadecimal digits for each byte."""
        return self.view.hex()

    @js_method
    def toBase64(self, options: object = None) -> str:
        """The bytes in base64; options ``alphabet`` and ``omitPadding``."""
        return to_base64(bytes(self.view), options)

    @classmethod
    def static_fromHex(cls, text: Any = None, *_: object) -> Uint8Array:
        """``Uint8Array.fromHex``."""
        return cls(ArrayBuffer(from_hex(text)))

    @classmethod
    def static_fromBase64(cls, text: Any = None, options: object = None, *_: object) -> Uint8Array:
        """``Uint8Array.fromBase64``; options ``alphabet`` and ``lastChunkHandling``."""
        return cls(ArrayBuffer(from_base64(text, options)))


class Int8Array(TypedArray):
    """Signed bytes."""

    item_format = "b"


class Uint8ClampedArray(TypedArray):
    """Bytes that saturate instead of wrapping around."""

    @classmethod
    def _coerce(cls, item: object) -> int:
        value = to_number(item)
        return 0 if math.isnan(value) else round(min(255.0, max(0.0, value)))


class Uint16Array(TypedArray):
    """Unsigned 16-bit integers."""

    item_format, item_size = "H", 2


class Int16Array(TypedArray):
    """Signed 16-bit integers."""

    item_format, item_size = "h", 2


class Uint32Array(TypedArray):
    """Unsigned 32-bit integers."""

    item_format, item_size = "I", 4


class Int32Array(TypedArray):
    """Signed 32-bit integers."""

    item_format, item_size = "i", 4


class Float32Array(TypedArray):
    """Single-precision numbers."""

    item_format, item_size = "f", 4

    @classmethod
    def _coerce(cls, item: object) -> float:
        return single(to_number(item))


class Float64Array(TypedArray):
    """Double-precision numbers."""

    item_format, item_size = "d", 8


class BigInt64Array(TypedArray):
    """Signed 64-bit integers."""

    item_format, item_size = "q", 8


class BigUint64Array(TypedArray):
    """Unsigned 64-bit integers."""

    item_format, item_size = "Q", 8


TYPED_ARRAYS: Final[tuple[type[TypedArray], ...]] = (
    Uint8Array,
    Int8Array,
    Uint8ClampedArray,
    Uint16Array,
    Int16Array,
    Uint32Array,
    Int32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
)
ARRAY_OF_FORMAT: Final = {cls.item_format: cls for cls in reversed(TYPED_ARRAYS)}


def bytes_of(value: object) -> bytes:
    """Copy the bytes out of a JavaScript buffer or a Python one."""
    if isinstance(value, JsBuffer):
        return bytes(value.view)
    assert isinstance(value, bytes | bytearray | memoryview)
    return bytes(value)


def typed_array_of(source: memoryview) -> TypedArray:
    """Return the typed array that a Python buffer of this item format becomes; a copy."""
    item_format = {"?": "B", "c": "B", "l": "q", "L": "Q", "n": "q", "N": "Q"}.get(
        source.format[-1:], source.format[-1:]
    )
    return ARRAY_OF_FORMAT.get(item_format, Uint8Array).of_bytes(bytearray(source.tobytes()))


def _require_integer(index: object) -> None:
    if not isinstance(index, int):
        raise TypeError(f"list indices must be integers or slices, not {type(index).__name__}")


def _part(length: int, start: object, end: object) -> slice:
    first, last, _ = slice(
        None if start is None else to_integer(start), None if end is None else to_integer(end)
    ).indices(length)
    return slice(first, max(first, last))
