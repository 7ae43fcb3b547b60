"""What R2's methods return: objects, with and without a body.

Source: workerd src/workerd/api/r2-bucket.h; recorded, contracts/r2, r2.basic.object-shape
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any, Final

from pyworkers.bindings.r2.errors import ALGORITHMS, engine_failure
from pyworkers.bindings.r2.options import HTTP_FIELDS
from pyworkers.engines.r2 import R2Object, R2Reading
from pyworkers.errors import EngineError
from pyworkers.js.blob import Blob
from pyworkers.js.body import LOCKED, USED
from pyworkers.js.buffers import ArrayBuffer, Uint8Array
from pyworkers.js.dates import Date
from pyworkers.js.headers import Headers
from pyworkers.js.json import parse
from pyworkers.js.promise import js_async
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsObject, JsProxy, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error, text_of

_PROPERTIES: Final = (
    "ssecKeyMd5",
    "storageClass",
    "range",
    "customMetadata",
    "httpMetadata",
    "uploaded",
    "checksums",
    "httpEtag",
    "etag",
    "size",
    "version",
    "key",
)


class Checksums(JsProxy, js_name="Checksums", read_only=" ".join(ALGORITHMS)):
    """The digests that are known of an object's body, each an ArrayBuffer or undefined."""

    def __init__(self, found: R2Object) -> None:
        self._sums = found.checksums

    def own_properties(self) -> dict[str, object]:
        """Return the digests by name."""
        return {name: getattr(self, name) for name in reversed(ALGORITHMS)}

    @js_method
    def toJSON(self) -> JsObject:
        """Return the digests in hexadecimal."""
        return JsObject({name: self._sums[name].hex() if name in self._sums else None for name in ALGORITHMS})

    def __getattr__(self, name: str) -> Any:
        if name not in ALGORITHMS:
            return super().__getattr__(name)
        value = ArrayBuffer(self._sums[name]) if name in self._sums else None
        self.__dict__[name] = value
        return value


class HeadResult(JsProxy, js_name="HeadResult", read_only=" ".join(_PROPERTIES)):
    """An object without its body.

    Args:
        found: the object.
        range: offset and length of what was read; None where nothing was.
        with_http: its HTTP metadata is shown.
        with_custom: its custom metadata is shown.
    """

    _object: R2Object
    _range: tuple[int, int] | None
    _with_http: bool
    _with_custom: bool
    key: str
    version: str
    size: int
    etag: str
    httpEtag: str
    storageClass: str
    ssecKeyMd5: None

    def __init__(
        self,
        found: R2Object,
        range: tuple[int, int] | None = None,
        *,
        with_http: bool = True,
        with_custom: bool = True,
    ) -> None:
        self.__dict__.update(  # not one by one: what scripts cannot set takes longer
            _object=found,
            _range=range,
            _with_http=with_http,
            _with_custom=with_custom,
            key=found.key,
            version=found.version,
            size=found.size,
            etag=found.etag,
            httpEtag=f'"{found.etag}"',
            storageClass="",
            ssecKeyMd5=None,
        )

    def own_properties(self) -> dict[str, object]:
        """Return the properties, in the platform's order."""
        return {name: getattr(self, name) for name in _PROPERTIES}

    @cached_property
    def checksums(self) -> Checksums:
        """The digests of the body."""
        return Checksums(self._object)

    @cached_property
    def uploaded(self) -> Date:
        """When it was uploaded."""
        return Date(self._object.uploaded_ms)

    @cached_property
    def httpMetadata(self) -> JsObject:
        """The HTTP metadata, every field there, undefined where it is not known."""
        attributes = self._object.attributes
        http = attributes.http if self._with_http else {}
        fields: dict[str, object] = {name: http.get(field) for name, (field, _) in HTTP_FIELDS.items()}
        expires_ms = attributes.cache_expires_ms if self._with_http else None
        fields["cacheExpiry"] = None if expires_ms is None else Date(expires_ms)
        return JsObject(fields)

    @cached_property
    def customMetadata(self) -> JsObject:
        """The user's own fields."""
        return JsObject(self._object.attributes.custom if self._with_custom else {})

    @cached_property
    def range(self) -> JsObject | None:
        """Which bytes were read, or undefined."""
        if self._range is None:
            return None
        offset, length = self._range
        return JsObject({"offset": offset, "length": length, "suffix": None})

    @js_method
    def writeHttpMetadata(self, headers: Any = MISSING) -> None:
        """Set the headers that the HTTP metadata stands for.

        Raises:
            JsException: TypeError, when the argument is no Headers.
        """
        if not isinstance(headers, Headers):
            raise argument_error("HeadResult", "writeHttpMetadata", 1, "Headers")
        for name, (_, header) in HTTP_FIELDS.items():
            value = getattr(self.httpMetadata, name)
            if value is not None:
                headers.set(header, value)
        expires: Date | None = self.httpMetadata.cacheExpiry
        if expires is not None:
            headers.set("expires", expires.toUTCString())


class GetResult(HeadResult, js_name="GetResult", read_only="body bodyUsed"):
    """An object with its body.

    Args:
        reading: the object and its open body.
        range: offset and length of the body's part.
    """

    def __init__(self, reading: R2Reading, range: tuple[int, int]) -> None:
        super().__init__(reading.object, range)
        offset, length = range
        if length:
            self.body = ReadableStream.of_async_iterator(_Pieces(reading, offset, length), length=length)
        else:
            reading.close()
            self.body = ReadableStream.of_bytes(b"")

    @property
    def bodyUsed(self) -> bool:
        """Tell whether something of the body was read."""
        return self.body.disturbed

    @js_async
    async def text(self) -> str:
        """Return the body decoded as UTF-8."""
        return text_of(await self._read())

    @js_async
    async def json(self) -> Any:
        """Return the body parsed as JSON."""
        return parse(text_of(await self._read()))

    @js_async
    async def arrayBuffer(self) -> ArrayBuffer:
        """Return the body as an ``ArrayBuffer``."""
        return ArrayBuffer(await self._read())

    @js_async
    async def bytes(self) -> Uint8Array:
        """Return the body as a ``Uint8Array``."""
        return Uint8Array(ArrayBuffer(await self._read()))

    @js_async
    async def blob(self) -> Blob:
        """Return the body as a blob of the object's type."""
        return Blob(await self._read(), self._object.attributes.http.get("content_type", ""))

    async def _read(self) -> Any:
        if self.body.disturbed:
            raise type_error(USED)
        if self.body.locked:
            raise type_error(LOCKED)
        return await self.body.read_all()


class _Pieces(AsyncIterator[bytes]):
    """The pieces of a body; a failure is one that a worker understands."""

    def __init__(self, reading: R2Reading, offset: int, length: int) -> None:
        self._reading = reading
        self._chunks = reading.chunks(offset, length)

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except EngineError as error:
            raise engine_failure("get", error) from error

    async def aclose(self) -> None:
        self._reading.close()
