"""What ``Request`` and ``Response`` share: a body, and the methods that read it.

A body that is in memory stays a ``str`` or ``bytes`` until a script asks for ``body``; only then is there a stream.

Source: fetch.spec.whatwg.org, section 5.3; recorded, contracts/fetchapi, fetchapi.response.body-*
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterator
from typing import Any, Final

from pyworkers.js.blob import Blob
from pyworkers.js.buffers import ArrayBuffer, JsBuffer, Uint8Array, bytes_of
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.convert import JsDoubleProxy
from pyworkers.js.formdata import FormData
from pyworkers.js.headers import Headers
from pyworkers.js.iterators import JsIterator
from pyworkers.js.mime import MimeType
from pyworkers.js.multipart import encode_form, parse_form_data
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsNull, jsnull, to_string
from pyworkers.js.promise import js_async
from pyworkers.js.realm import current_realm
from pyworkers.js.search_params import URLSearchParams
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsProxy, type_error
from pyworkers.js.webidl import scalar_string, text_of, utf8

BodySource = str | bytes | ReadableStream | None
TakenBody = bytes | ReadableStream | None
LazyBody = BodySource | Callable[[], BodySource]

TEXT_TYPE: Final = "text/plain;charset=UTF-8"
FORM_TYPE: Final = "application/x-www-form-urlencoded;charset=UTF-8"
USED: Final = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice."
LOCKED: Final = "This ReadableStream is currently locked to a reader."
HELD: Final = "The ReadableStream has been locked to a reader."
_DISTURBED: Final = "This ReadableStream is disturbed (has already been read from), and cannot be used as a body."


class Body(JsProxy):
    """Base of ``Request`` and ``Response``. Fields at their default cost a new object nothing."""

    _source: Any = None  # a BodySource, or a callable that gives one when the body is first touched
    _stream: ReadableStream | None = None  # the body as scripts see it, once they have
    _used: bool = False  # a body in memory was read
    _headers: Any = None  # Headers, or a callable that gives their raw list, or None while there is only the type
    _content_type: str | None = None  # the Content-Type that the body brought along, while `_headers` is None

    @property
    def headers(self) -> Headers:
        """The headers."""
        headers = self._headers
        if type(headers) is Headers:
            return headers
        if headers is None:
            made = Headers()
            if self._content_type is not None:
                made.put("content-type", self._content_type)
        else:
            made = Headers(headers, immutable=True)
        self.__dict__["_headers"] = made  # to set attributes takes longer where some are read-only
        return made

    @property
    def body(self) -> ReadableStream | JsNull:
        """The body as a byte stream, or null."""
        stream = self._stream
        if stream is not None:
            return stream
        source = self._settled_source()
        if source is None:
            return jsnull
        if isinstance(source, ReadableStream):
            self._stream = source
            return source
        self._stream = stream = ReadableStream.of_bytes(_encoded(source))
        if self._used:
            _exhaust(stream)
        return stream

    @property
    def bodyUsed(self) -> bool:
        """Tell whether something of the body was read."""
        if self._used:
            return True
        stream = self._stream if self._stream is not None else self._source
        return stream.disturbed if isinstance(stream, ReadableStream) else False

    @js_async
    async def text(self) -> str:
        """Return the body decoded as UTF-8."""
        source = self._source
        if type(source) is str and self._stream is None and not self._used:
            self._used = True
            return scalar_string(source).removeprefix("\ufeff")
        return text_of(await self._read())

    @js_async
    async def json(self) -> Any:
        """Return the body parsed as JSON."""
        from pyworkers.js.json import parse  # only who reads JSON loads the parser

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
        """Return the body as a blob of the Content-Type."""
        data = await self._read()
        mime_type = MimeType.extract(self.headers.find("content-type") or "")
        return Blob(data, "" if mime_type is None else str(mime_type))

    @js_async
    async def formData(self) -> FormData:
        """Return the body parsed as a form of the Content-Type."""
        if self.bodyUsed:
            raise type_error(USED)
        content_type = self.headers.find("content-type")
        if content_type is None:
            raise type_error("Parsing a Body as FormData requires a Content-Type header.")
        return parse_form_data(await self._read(), content_type)

    # ---- for the host

    @property
    def body_length(self) -> int | None:
        """The body's length in bytes, 0 for none; None where it is not known."""
        source = self._settled_source()
        if source is None:
            return 0
        return source.length if isinstance(source, ReadableStream) else len(_encoded(source))

    @property
    def has_body(self) -> bool:
        """Tell whether there is a body, which may be empty."""
        return self._settled_source() is not None

    def require_unlocked(self) -> None:
        """Check that the body can be sent elsewhere.

        Raises:
            JsException: TypeError, when a reader holds it.
        """
        if self.is_held and not self.bodyUsed:
            raise type_error(HELD)

    @property
    def is_held(self) -> bool:
        """Tell whether the body was read, or a reader holds it."""
        stream = self._stream if self._stream is not None else self._source
        return self.bodyUsed or (isinstance(stream, ReadableStream) and stream.locked)

    def take_body(self) -> TakenBody:
        """Give the body away: None, its bytes, or a stream whose ``chunks()`` the caller reads. It counts as used.

        Raises:
            JsException: TypeError, when it was read before, or a reader holds it.
        """
        source = self._settled_source()
        if source is None:
            return None
        if type(source) is str and self._stream is None and not self._used:  # the common answer
            self.__dict__["_used"] = True
            return utf8(source)
        self._check_unread()
        if isinstance(source, ReadableStream):
            self._stream = source
            return source
        if self._stream is not None:
            _exhaust(self._stream)
        self._used = True
        return _encoded(source)

    def _settled_source(self) -> Any:
        source = self._source
        if source is not None and callable(source):
            source = self._source = source()
        return source

    def _check_unread(self) -> None:
        stream = self._stream if self._stream is not None else self._source
        if self._used or (isinstance(stream, ReadableStream) and stream.disturbed):
            raise type_error(USED)
        if isinstance(stream, ReadableStream) and stream.locked:
            raise type_error(LOCKED)

    async def _read(self) -> Any:
        """Return the whole body as ``bytes``, which marks it used; a null body is empty and never used."""
        taken = self.take_body()
        if not isinstance(taken, ReadableStream):
            return b"" if taken is None else taken
        data = await taken.read_all()
        _exhaust(taken)
        return data

    def _clone_body(self, target: Body) -> None:
        """Give ``target`` an independent copy of the body."""
        source = self._settled_source()
        if source is None:
            return
        if not isinstance(source, ReadableStream) and self._stream is None and not self._used:
            target._source = source
            return
        stream = self.body
        assert isinstance(stream, ReadableStream)
        branches = stream.tee()
        self._source = self._stream = branches[0]
        target._source = target._stream = branches[1]

    def _set_body(self, body: object) -> None:
        """Take over a body that a script gave, and its Content-Type where there is none yet."""
        state = self.__dict__
        if type(body) is str:
            state["_source"], content_type = body, TEXT_TYPE
        else:
            state["_source"], extracted = extract_body(body)
            if extracted is None:
                return
            content_type = extracted
        if self._headers is None:
            state["_content_type"] = content_type
        elif self.headers.find("content-type") is None:
            self.headers.put("content-type", content_type)


def extract_body(body: Any) -> tuple[str | bytes | ReadableStream, str | None]:
    """Return what a body that is neither undefined nor null consists of, and its Content-Type.

    Raises:
        JsException: TypeError, when a stream has been read from.
    """
    if isinstance(body, JsDoubleProxy):
        body = body.unwrap()
    if isinstance(body, JsBuffer | bytes | bytearray | memoryview):
        return bytes_of(body), None
    if isinstance(body, ReadableStream):
        if body.disturbed:
            raise type_error(_DISTURBED)
        return body, None
    if isinstance(body, Blob):
        return body.data, body.type or None
    if isinstance(body, FormData):
        return encode_form(body)
    if isinstance(body, URLSearchParams):
        return body.toString(), FORM_TYPE
    if _is_iterable(body) and current_realm().compat.enabled("fetch_iterable_type_support"):
        return ReadableStream.static_from(body), None
    return scalar_string(to_string(body)), TEXT_TYPE


def _is_iterable(body: object) -> bool:
    return isinstance(body, JsArray | JsSet | JsMap | JsIterator | AsyncIterable | Iterator)


def _encoded(source: str | bytes) -> bytes:
    return utf8(source) if isinstance(source, str) else source


def _exhaust(stream: ReadableStream) -> None:
    """Mark a stream as read by the host, which never gives the lock back."""
    stream.disturbed = True
    stream.reader = stream
