"""``caches.default`` and the caches that ``caches.open`` gives.

Whatever is wrong with the arguments rejects the promise.

Source: workerd src/workerd/api/cache.c++; miniflare src/workers/cache; recorded, contracts/cache
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Callable
from functools import cached_property
from typing import Any, Final

from pyworkers.bindings.cache.policy import judge
from pyworkers.bindings.cache.ranges import Range, multipart, new_boundary, parse_ranges
from pyworkers.clock import Clock
from pyworkers.engines.cache import CachedResponse, CacheEngine, CacheReading
from pyworkers.errors import EngineError
from pyworkers.js.dates import parse_date
from pyworkers.js.headers import Headers
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.promise import js_async
from pyworkers.js.request import Request
from pyworkers.js.response import Response
from pyworkers.js.status import NULL_BODY_STATUSES
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsProxy, get_property, type_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, utf8

MAX_NAME_BYTES: Final = 1_024

_INTERNAL: Final = "internal error"
_ETAG: Final = re.compile('(?:W/)?"(.+)"')
# The date form that the conditions take; any other is as if there were none.
_UTC_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d:\d\d GMT"
)
_CONNECTION: Final = (
    *("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    *("sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-version"),
)


class CacheStorage(JsProxy):
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
        if asked.method != "GET" and not _ignores_method(options, "match"):
            return None
        try:
            reading = await self._open_engine().match(self._name, _key(asked))
        except EngineError as error:
            raise JsException("Error", _INTERNAL) from error
        # A stored 204 cannot be given a body, not even an empty one: it is never found.
        if reading is None or reading.response.status in NULL_BODY_STATUSES:
            return None
        return _answer(asked.headers, reading)

    @js_async
    async def put(self, request: Any = MISSING, response: Any = MISSING) -> None:
        """Store a response under a request's URL, as far as its headers allow. Its body is used up.

        Raises:
            JsException: TypeError, for a request that is not GET and a response that no cache can hold.
        """
        if not isinstance(response, Response):
            raise argument_error("Cache", "put", 2, "Response")
        if response.status == 0:
            raise type_error("Cache is unable to store an error response")
        asked = _request(request, "put")
        _check(asked, response)
        if response.status == 304:
            return
        body = response.take_body()
        stored = judge(
            response.status,
            _serialized_headers(response, body),
            is_authorized=asked.headers.find("authorization") is not None,
            now_ms=self._clock.now_ms(),
        )
        source: bytes | AsyncIterator[bytes] = body.chunks() if isinstance(body, ReadableStream) else body or b""
        if stored is None:
            if not isinstance(source, bytes):
                async for _ in source:
                    pass
            return
        cached = CachedResponse(response.status, stored.headers, self._clock.now_ms() + stored.ttl_ms)
        try:
            await self._open_engine().put(self._name, _key(asked), cached, source)
        except EngineError as error:
            raise JsException("Error", _INTERNAL) from error

    @js_async
    async def delete(self, request: Any = MISSING, options: Any = None) -> bool:
        """Remove what is stored for a request; tell whether there was something."""
        asked = _request(request, "delete")
        if asked.method != "GET" and not _ignores_method(options, "delete"):
            return False
        try:
            return await self._open_engine().delete(self._name, _key(asked))
        except EngineError as error:
            raise JsException("Error", "Unable to delete cached response.") from error


# ---- requests


def _request(value: Any, method: str) -> Request:
    if value is MISSING:
        raise argument_error("Cache", method, 1, "Request or string")
    return value if isinstance(value, Request) else Request.js_new(value)


def _ignores_method(options: Any, method: str) -> bool:
    if is_nullish(options):
        return False
    if not is_object(options):
        raise argument_error("Cache", method, 2, "CacheQueryOptions")
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
    headers = [(name, value) for name, value in response.headers.displayed() if name not in _CONNECTION]
    length = body.length if isinstance(body, ReadableStream) else len(body or b"")
    if length is not None:
        headers.append(("content-length", str(length)))
    return headers


# ---- responses


def _answer(asked: Headers, reading: CacheReading) -> Response:
    headers = dict(reading.response.headers)
    ranges: list[Range] = []
    wanted = asked.find("range")
    if wanted is not None:
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
    return Response(body, status=status, headers=Headers(raw, immutable=True))


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
