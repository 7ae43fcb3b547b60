"""``caches.default`` and the caches that ``caches.open`` gives.

Whatever is wrong with the arguments rejects the promise.

Source: workerd src/workerd/api/cache.c++; miniflare src/workers/cache; recorded, contracts/cache
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import AsyncIterator, Callable
from functools import cached_property
from typing import Any, Final

from pyworkers.bindings.cache.policy import judge
from pyworkers.bindings.cache.ranges import Range, multipart, new_boundary, parse_ranges
from pyworkers.bindings.failures import tell
from pyworkers.clock import Clock
from pyworkers.engines.cache import CachedResponse, CacheEngine, CacheReading
from pyworkers.errors import EngineError
from pyworkers.js.dates import parse_date
from pyworkers.js.headers import Headers, is_known
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.promise import js_async
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.status import NULL_BODY_STATUSES
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsProxy, get_property, type_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, utf8

MAX_NAME_BYTES: Final = 1_024

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_INTERNAL: Final = "internal error"
_ETAG: Final = re.compile('(?:W/)?"(.+)"')
# The date form that the conditions take; any other is as if there were none.
_UTC_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d:\d\d GMT"
)
_FULL_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@]*(?:[/?#]|$)")
_UNIMPLEMENTED_OPTIONS: Final = ("ignoreSearch", "ignoreVary")
_CONNECTION: Final = (
    *("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    *("sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-version"),
)


def _unimplemented(interface: str, method: str) -> Callable[..., None]:
    def call(_cache: object, *_args: Any) -> None:
        raise JsException("Error", f"Failed to execute '{method}' on '{interface}': the method is not implemented.")

    return call


class CacheStorage(JsProxy, read_only="default"):
    """``caches``.

    Args:
        open_engine: gives the engine of the worker's caches; called when the first cache is used.
        clock: what expirations are counted from.
    """

    def __init__(self, open_engine: Callable[[], CacheEngine], clock: Clock) -> None:
        self._open_engine = open_engine
        self._clock = clock

    @cached_property
    def default(self) -> Cache:
        """The cache that has no name."""
        return Cache(self._open_engine, self._clock, "default")

    @js_async
    async def open(self, name: Any = MISSING) -> Cache:
        """Return the cache of a name, which need not exist."""
        if name is MISSING:
            raise argument_error("CacheStorage", "open", 1, "string")
        text = to_string(name)
        if len(utf8(text)) >= MAX_NAME_BYTES:
            raise type_error("Cache name is too long.")
        return Cache(self._open_engine, self._clock, f"named:{text}")

    # Standard methods that are there, and that the platform does not have.
    has = _unimplemented("CacheStorage", "has")
    delete = _unimplemented("CacheStorage", "delete")
    keys = _unimplemented("CacheStorage", "keys")
    match = _unimplemented("CacheStorage", "match")


class Cache(JsProxy):
    """One cache.

    Args:
        open_engine: gives the engine.
        clock: what expirations are counted from.
        name: the cache's, as the engine knows it.
    """

    def __init__(self, open_engine: Callable[[], CacheEngine], clock: Clock, name: str) -> None:
        self._open_engine = open_engine
        self._clock = clock
        self._name = name

    @js_async
    async def match(self, request: Any = MISSING, options: Any = None) -> Response | None:
        """Return what is stored for a request: 304 or 206 where it asks for that; undefined for nothing.

        Args:
            request: a Request or a URL.
            options: ``ignoreMethod``: answer requests that are not GET, too.
        """
        asked = _request(request, "match")
        ignores_method = _ignores_method(options, "match")
        if asked.method != "GET" and not ignores_method:
            return None
        try:
            reading = await self._open_engine().match(self._name, _key(asked))
        except EngineError as error:
            tell(error)
            raise JsException("Error", _INTERNAL) from error
        if reading is None:
            return None
        return _answer(asked.headers, reading)

    @js_async
    async def put(self, request: Any = MISSING, response: Any = MISSING) -> None:
        """Store a response under a request's URL, as far as its headers allow. Its body is used up.

        Raises:
            JsException: TypeError, for a request that is not GET and a response that no cache can hold.
        """
        if request is MISSING:
            raise argument_error("Cache", "put", 1, "Request or string")
        if not isinstance(response, Response):
            raise argument_error("Cache", "put", 2, "Response")
        if response.status == 0:
            raise type_error("Cache is unable to store an error response")
        asked = _request(request, "put")
        _check(asked, response)
        if response.status in NULL_BODY_STATUSES:
            return  # it could not be given back: no such response takes a body, not even an empty one
        body = response.take_body()
        headers = _serialized_headers(response, body)
        stored = judge(
            response.status,
            headers,
            is_authorized=asked.headers.find("authorization") is not None,
            now_ms=self._clock.now_ms(),
        )
        source: bytes | AsyncIterator[bytes] = body.chunks() if isinstance(body, ReadableStream) else body or b""
        if _encoding(response) == "gzip":
            source = _gzipped(source)
        if stored is None:
            if not isinstance(source, bytes):
                async for _ in source:
                    pass
            return
        cached = CachedResponse(response.status, stored.headers, self._clock.now_ms() + stored.ttl_ms)
        try:
            await self._open_engine().put(self._name, _key(asked), cached, source)
        except EngineError as error:
            tell(error)
            raise JsException("Error", _INTERNAL) from error

    @js_async
    async def delete(self, request: Any = MISSING, options: Any = None) -> bool:
        """Remove what is stored for a request; tell whether there was something."""
        asked = _request(request, "delete")
        ignores_method = _ignores_method(options, "delete")
        if asked.method != "GET" and not ignores_method:
            return False
        try:
            return await self._open_engine().delete(self._name, _key(asked))
        except EngineError as error:
            tell(error)
            raise JsException("Error", "Unable to delete cached response.") from error

    # Standard methods that are there, and that the platform does not have.
    add = _unimplemented("Cache", "add")
    addAll = _unimplemented("Cache", "addAll")
    keys = _unimplemented("Cache", "keys")
    matchAll = _unimplemented("Cache", "matchAll")


# ---- requests


def _request(value: Any, method: str) -> Request:
    if value is MISSING:
        raise argument_error("Cache", method, 1, "Request or string")
    asked = value if isinstance(value, Request) else Request.js_new(value)
    if not _FULL_URL.match(asked.url):
        raise type_error("Invalid URL. Cache API keys must be fully-qualified, valid URLs.")
    return asked


def _ignores_method(options: Any, method: str) -> bool:
    if is_nullish(options):
        return False
    if not is_object(options):
        raise argument_error("Cache", method, 2, "CacheQueryOptions")
    for name in _UNIMPLEMENTED_OPTIONS:
        if get_property(options, name) is not None:
            raise JsException("Error", f"The '{name}' field on 'CacheQueryOptions' is not implemented.")
    return bool(get_property(options, "ignoreMethod"))


def _key(request: Request) -> str:
    key = get_property(request.cf, "cacheKey") if is_object(request.cf) else None
    return to_string(key) if key and not is_nullish(key) else request.url.partition("#")[0]


def _check(request: Request, response: Response) -> None:
    if request.method != "GET":
        raise type_error("Cannot cache response to non-GET request.")
    if response.status == 206:
        raise type_error("Cannot cache response to a range request (206 Partial Content).")
    if "*" in (response.headers.find("vary") or ""):
        raise type_error("Cannot cache response with 'Vary: *' header.")
    if response.web_socket is not None:
        raise type_error("Cannot cache WebSocket upgrade response.")


def _serialized_headers(response: Response, body: bytes | ReadableStream | None) -> list[tuple[str, str]]:
    """Return the headers as they are written for the cache: those of a connection are the host's own."""
    headers = [
        (name, value)
        for name, value in response.headers.displayed()
        if name not in _CONNECTION and (value or not is_known(name.encode()))
    ]
    if _encoding(response) in ("gzip", "br"):
        return headers  # what it is encoded with tells the length, at its end
    length = body.length if isinstance(body, ReadableStream) else len(body or b"")
    if length is not None:
        headers.append(("content-length", str(length)))
    return headers


def _encoding(response: Response) -> str | None:
    """Return the encoding that a response's body is written in, not yet having it."""
    return None if response.encode_body == "manual" else response.headers.find("content-encoding")


def _gzipped(source: bytes | AsyncIterator[bytes]) -> bytes | AsyncIterator[bytes]:
    return zlib.compress(source, wbits=_GZIP_WINDOW) if isinstance(source, bytes) else _gzip_chunks(source)


async def _gzip_chunks(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    encoder = zlib.compressobj(wbits=_GZIP_WINDOW)
    async for chunk in source:
        yield encoder.compress(chunk)
    yield encoder.flush()


# ---- responses


def _answer(asked: Headers, reading: CacheReading) -> Response:
    headers = dict(reading.response.headers)
    ranges: list[Range] = []
    wanted = asked.find("range")
    if wanted:
        found = parse_ranges(wanted, reading.size)
        if found is None:
            return _response(416, {"content-range": f"bytes */{reading.size}", "cf-cache-status": "HIT"}, b"")
        ranges = found
    headers["cf-cache-status"] = "HIT"
    if _is_unmodified(asked, headers):
        return _response(304, headers, None)
    if not ranges:
        return _response(reading.response.status, headers, _body(reading, (0, reading.size - 1), headers))
    if len(ranges) == 1:
        first, last = ranges[0]
        headers["content-range"] = f"bytes {first}-{last}/{reading.size}"
        headers["content-length"] = str(last - first + 1)
        return _response(206, headers, _body(reading, ranges[0], headers))
    boundary = new_boundary()
    parts = multipart(reading, ranges, boundary, headers.get("content-type"))
    headers["content-type"] = f"multipart/byteranges; boundary={boundary}"
    return _response(206, headers, ReadableStream.of_async_iterator(parts))


def _response(status: int, headers: dict[str, str], body: bytes | ReadableStream | None) -> Response:
    raw = [(name.encode(), utf8(value)) for name, value in headers.items()]
    # Only what was put as br has no length: its body is as it was given, and is encoded on its way out.
    is_plain = headers.get("content-encoding") == "br" and "content-length" not in headers
    encode_body = "automatic" if is_plain else "manual"
    return Response(body, status=status, headers=Headers(raw, immutable=True), encode_body=encode_body)


def _body(reading: CacheReading, part: Range, headers: dict[str, str]) -> ReadableStream:
    """Return a part of the body; its length is known to readers where the headers tell it."""
    length = part[1] - part[0] + 1
    known = length if "content-length" in headers else None
    return ReadableStream.of_async_iterator(reading.chunks(part[0], length), length=known)


def _is_unmodified(asked: Headers, headers: dict[str, str]) -> bool:
    """Tell whether the client has the stored response already; each condition holds on its own."""
    tags, etag = asked.find("if-none-match"), _etag(headers.get("etag", ""))
    if tags is not None and etag is not None and (tags.strip() == "*" or etag in map(_etag, tags.split(","))):
        return True
    since_ms, modified_ms = _utc_date(asked.find("if-modified-since")), _utc_date(headers.get("last-modified"))
    return modified_ms <= since_ms  # never with a NaN


def _etag(text: str) -> str | None:
    match = _ETAG.fullmatch(text.strip())
    return None if match is None else match[1]


def _utc_date(text: str | None) -> float:
    return parse_date(text) if text is not None and _UTC_DATE.fullmatch(text) else math.nan
