"""``Blob`` and ``File``.

Source: w3.org/TR/FileAPI; recorded, contracts/fetchapi, fetchapi.blob.basic
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pyworkers.js.buffers import ArrayBuffer, JsBuffer, Uint8Array, bytes_of
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, number, to_number, to_string
from pyworkers.js.promise import JsPromise
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsException, JsProxy, get_property, js_method, range_error
from pyworkers.js.webidl import constructor_error, is_object, to_int32, utf8

if TYPE_CHECKING:
    from pyworkers.js.streams.readable import ReadableStream

MAX_BLOB_BYTES: Final = 128 * 1024 * 1024


class Blob(JsProxy, read_only="type"):
    """Immutable bytes with a type.

    Args:
        data: the bytes.
        type: the MIME type as it is shown, or empty.
    """

    def __init__(self, data: bytes = b"", type: str = "") -> None:
        self.data = data
        self.type = type

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Blob(parts, {type})``."""
        parts, options = (*args, None, None)[:2]
        type_ = _read_options("Blob", 2, options)
        return Blob(_concatenate("Blob", parts), type_)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @js_method
    def slice(self, start: Any = None, end: Any = None, type: Any = None) -> Blob:
        """Return a part; negative positions count from the end."""
        size = len(self.data)
        first = 0 if start is None else to_int32(start)
        last = size if end is None else to_int32(end)
        first = max(0, first + size) if first < 0 else min(first, size)
        last = last + size if last < 0 else min(last, size)
        return Blob(self.data[first : max(first, last)], "" if type is None else normalize_type(to_string(type)))

    def arrayBuffer(self, *_: object) -> JsPromise:
        """Return the bytes as an ``ArrayBuffer``."""
        return JsPromise.resolved(ArrayBuffer(self.data))

    def bytes(self, *_: object) -> JsPromise:
        """Return the bytes as a ``Uint8Array``."""
        return JsPromise.resolved(Uint8Array.of_bytes(self.data))

    def text(self, *_: object) -> JsPromise:
        """Return the bytes decoded as UTF-8."""
        return JsPromise.resolved(self.data.decode("utf-8", "replace"))

    def stream(self, *_: object) -> ReadableStream:
        """Return a byte stream of the bytes."""
        from pyworkers.js.streams.readable import ReadableStream  # streams are loaded by those who use them

        return ReadableStream.of_bytes(self.data)

    def __len__(self) -> int:
        return len(self.data)


class File(Blob, read_only="lastModified name"):
    """A blob with a name.

    Args:
        data: the bytes.
        name: the file name.
        type: the MIME type as it is shown, or empty.
        last_modified_ms: milliseconds since 1970; now where it is None.
    """

    def __init__(
        self, data: bytes = b"", name: str = "", type: str = "", *, last_modified_ms: float | None = None
    ) -> None:
        super().__init__(data, type)
        self.name = name
        self.lastModified = number(current_realm().clock.now_ms() if last_modified_ms is None else last_modified_ms)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new File(parts, name, {type, lastModified})``."""
        if len(args) < 2:
            raise constructor_error("File", 2, "string")
        parts, name, options = (*args, None)[:3]
        type_ = _read_options("File", 3, options)
        modified = get_property(options, "lastModified")
        return File(
            _concatenate("File", parts),
            to_string(name),
            type_,
            last_modified_ms=None if modified is None else to_number(modified),
        )


def normalize_type(type_: str) -> str:
    """Return a blob's type as it is shown: lower case; nothing where it holds other than printable ASCII."""
    return type_.lower() if type_.isascii() and min(type_, default=" ") >= " " else ""


def _read_options(class_name: str, position: int, options: object) -> str:
    if is_nullish(options):
        return ""
    if not is_object(options):
        raise constructor_error(class_name, position, "Options")
    type_ = get_property(options, "type")
    if get_property(options, "endings") is not None:
        raise JsException("Error", "The 'endings' field on 'Options' is not implemented.")
    return "" if type_ is None else normalize_type(to_string(type_))


def _concatenate(class_name: str, parts: object) -> bytes:
    if parts is None:
        return b""
    if not isinstance(parts, JsArray):
        raise constructor_error(class_name, 1, "Array")
    data = b"".join([_part(part) for part in parts.items_])
    if len(data) > MAX_BLOB_BYTES:
        raise range_error(f"Blob size {len(data)} exceeds limit {MAX_BLOB_BYTES}")
    return data


def _part(part: object) -> bytes:
    if isinstance(part, Blob):
        return part.data
    if isinstance(part, JsBuffer | bytes | bytearray | memoryview):
        return bytes_of(part)
    return utf8(to_string(part))
