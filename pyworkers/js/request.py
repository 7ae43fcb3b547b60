"""``Request``.

An incoming request computes nothing until it is asked: the server passes callables, and each is called at most once.

Source: fetch.spec.whatwg.org, section 5.4; recorded, contracts/fetchapi, fetchapi.request.* and
contracts/services, services.fetch.*
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pyworkers.js.body import Body, LazyBody
from pyworkers.js.headers import Headers, RawHeaders
from pyworkers.js.primitives import is_nullish, jsnull, to_string
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.url import href_of, parse_url
from pyworkers.js.values import JsException, get_property, type_error
from pyworkers.js.webidl import MISSING, constructor_error, field_error, is_object, option_reader

if TYPE_CHECKING:
    from pyworkers.js.abort import AbortSignal

_METHOD_NAMES: Final = (
    "GET HEAD POST PUT DELETE PATCH PURGE OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK "
    "ACL REPORT MKACTIVITY CHECKOUT MERGE MSEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE QUERY"
)
METHODS: Final = frozenset(_METHOD_NAMES.split())
_DICTIONARY: Final = "RequestInitializerDict"
_GET_BODY: Final = "Request with a GET or HEAD method cannot have a body."
_REDIRECT: Final = (
    'Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be implemented since it does not make '
    'sense at the edge; use "manual" and check the response status code).'
)
_INTEGRITY: Final = (
    "Subrequest integrity checking is not implemented. "
    "The integrity option must be either undefined or an empty string."
)
_CREDENTIALS: Final = re.compile("^([a-z]+://)[^/?]*@")
_ONE_TIME_BODY: Final = (
    "A request with a one-time-use body (it was initialized from a stream, not a buffer) encountered a redirect "
    "requiring the body to be retransmitted. To avoid this error in the future, construct this request from a "
    "buffer-like body initializer."
)
_CACHE_FLAGS: Final = {
    "no-store": "cache_option_enabled",
    "no-cache": "cache_no_cache_enabled",
    "reload": "cache_reload_enabled",
}


class Request(Body, read_only="cache fetcher method redirect"):
    """A request.

    This constructor is the host's; scripts' is `Request.js_new`. Where a callable is allowed it is called when the
    value is first read.

    Args:
        method: in upper case.
        url: the absolute URL, normalized.
        headers: the headers, taken over; or a callable that gives raw pairs, which makes them immutable.
        body: the body.
        cf: what ``request.cf`` is.
        redirect: ``follow`` or ``manual``; a worker sees ``manual`` on what it is sent.
        signal: what aborts the request.
    """

    method: str
    _url: str | Callable[[], str]
    redirect: str = "follow"
    cache: str | None = None
    fetcher: Any = jsnull
    encode_response_body: str = "automatic"
    redirects: int = 0  # how many redirects led to this request
    _cf: Any = None
    _signal: AbortSignal | None = None
    _own_signal: AbortSignal | None = None

    def __init__(
        self,
        *,
        method: str = "GET",
        url: str | Callable[[], str],
        headers: Headers | Callable[[], RawHeaders] | None = None,
        body: LazyBody = None,
        cf: Any = None,
        redirect: str = "manual",
        signal: AbortSignal | None = None,
    ) -> None:
        self.__dict__.update(  # not one by one: what scripts cannot set takes longer
            method=method, _url=url, _headers=headers, _source=body, _cf=cf, redirect=redirect
        )
        if signal is not None:
            self._signal = signal

    @classmethod
    def js_new(cls, source: Any = MISSING, init: Any = None, *_: Any) -> Request:
        """``new Request(input, {method, headers, body, redirect, cf, cache, signal, …})``.

        Raises:
            JsException: TypeError, with the platform's text.
        """
        if source is MISSING:
            raise constructor_error("Request", 1, "Request or string")
        if not is_nullish(init) and not is_object(init):
            raise constructor_error("Request", 2, f"{_DICTIONARY} or Request")
        self = cls.__new__(cls)
        if isinstance(source, Request):
            has_own_body = isinstance(init, Request) or get_property(init, "body") is not None
            self._copy_input(source, with_body=not has_own_body)
        else:
            text = to_string(source)
            href = href_of(text)
            if href is None:
                raise type_error(f"Invalid URL: {text}")
            self.__dict__.update(method="GET", _url=href)
        if isinstance(init, Request):
            self._copy_init(init)
        elif not is_nullish(init):
            self._read_dictionary(init)
        return self

    @classmethod
    def for_fetch(cls, *args: Any) -> Request:
        """Return the request that ``fetch(input, init)`` sends; a Request given as input is used up."""
        return cls.js_new(*args)

    # ---- JavaScript's members

    @property
    def url(self) -> str:
        """The URL."""
        url = self._url
        if callable(url):
            url = self._url = url()
        return url

    @property
    def cf(self) -> Any:
        """What Cloudflare knows of the request, or what the caller gave."""
        cf = self._cf
        if cf is not None and callable(cf):
            cf = self._cf = cf()
        return cf

    @property
    def signal(self) -> AbortSignal:
        """The signal that aborts the request; one that never does where none was given."""
        if self._signal is not None:
            return self._signal
        if self._own_signal is None:
            from pyworkers.js.abort import AbortSignal  # most requests never have one

            self._own_signal = AbortSignal()
        return self._own_signal

    @property
    def integrity(self) -> str:
        """Always empty."""
        return ""

    @property
    def keepalive(self) -> bool:
        """Always false."""
        return False

    def clone(self, *_: object) -> Request:
        """Return a copy whose body can be read too."""
        copy = self._bare_copy()
        self._clone_body(copy)
        copy._headers = self.headers.clone()
        return copy

    # ---- for the host

    @property
    def given_signal(self) -> AbortSignal | None:
        """The signal that the caller gave, or None."""
        return self._signal

    def delivered(self, *, cf: Any = None) -> Request:
        """Return this request as the worker behind a service binding gets it. Its body moves there.

        Args:
            cf: what ``request.cf`` is where the request brings none, or a callable that makes it.

        Raises:
            JsException: TypeError, when the body was read before.
        """
        headers = self.headers.copy(immutable=True)
        headers.drop_empty()
        body = self.take_body()
        if body is not None:
            length = self.body_length
            if length is None:
                headers.put("transfer-encoding", "chunked")
            else:
                headers.put("content-length", str(length))
            if isinstance(body, ReadableStream) and not body.source.is_bytes:
                body = _uninterrupted(body)
        elif headers.find("content-length") is not None or headers.find("transfer-encoding") is not None:
            body = b""
        upgrade = headers.find("upgrade")
        if upgrade is not None and upgrade.lower() == "websocket":
            headers.put("upgrade", "websocket")
        url = self.url.partition("#")[0]
        if "@" in url:
            url = _CREDENTIALS.sub(r"\1", url)
        own_cf = self.cf
        return Request(
            method=self.method, url=url, headers=headers, body=body, cf=cf if own_cf is None else _sent_cf(own_cf)
        )

    def redirected(self, url: str, status: int) -> Request:
        """Return the request that follows a redirect of this one, whose body may have been sent.

        Args:
            url: where the redirect leads, absolute.
            status: the redirect's status.

        Raises:
            JsException: TypeError, when the body was a stream that would have to be sent again.
        """
        source = self._settled_source()
        if status != 303 and isinstance(source, ReadableStream):
            raise type_error(_ONE_TIME_BODY)
        follow_up = self._bare_copy()
        follow_up._url = url
        follow_up.redirects = self.redirects + 1
        follow_up._headers = self.headers.copy()
        if (status in (301, 302) and self.method == "POST") or (status == 303 and self.method != "HEAD"):
            follow_up.method = "GET"
        else:
            follow_up._source = source
        if _crosses_origin(self.url, url) and _flag("strip_authorization_on_cross_origin_redirect"):
            follow_up.headers.discard(("authorization",))
        return follow_up

    # ---- how scripts' constructor works

    def _bare_copy(self) -> Request:
        """Copy everything but headers and body."""
        copy = Request(method=self.method, url=self.url, cf=clone_cf(self.cf), redirect=self.redirect)
        copy.cache = self.cache
        copy.fetcher = self.fetcher
        copy._signal = self._signal
        copy.encode_response_body = self.encode_response_body
        return copy

    def _copy_input(self, source: Request, *, with_body: bool) -> None:
        self.__dict__.update(  # as in the constructor
            method=source.method,
            _url=source.url,
            redirect=source.redirect,
            cache=source.cache,
            fetcher=source.fetcher,
            _signal=source._signal,
            _cf=clone_cf(source.cf),
            _headers=source.headers.copy(),
        )
        if with_body and source.has_body:
            if source.bodyUsed:
                raise type_error("Cannot reconstruct a Request with a used body.")
            taken = source.take_body()
            self._source = taken.moved() if isinstance(taken, ReadableStream) else taken

    def _copy_init(self, other: Request) -> None:
        self.method, self.redirect, self.cache = other.method, other.redirect, other.cache
        self.fetcher, self._signal = other.fetcher, other._signal
        self.encode_response_body = other.encode_response_body
        self._headers = other.headers.copy()
        self._cf = clone_cf(other.cf)
        body = other.body
        if not is_nullish(body):
            self._set_body(body)

    def _read_dictionary(self, init: Any) -> None:
        read = option_reader(init)
        method = read("method")
        headers = read("headers")
        if headers is not None:
            headers = Headers.from_option(headers, _DICTIONARY)
        body = read("body")
        redirect = read("redirect")
        fetcher = read("fetcher")
        cf = read("cf")
        if cf is not None and not is_object(cf):
            raise field_error(_DICTIONARY, "cf", "Object")
        cache = read("cache")
        integrity = read("integrity")
        signal = read("signal")
        if not is_nullish(signal) and getattr(signal, "js_name", None) != "AbortSignal":
            raise field_error(_DICTIONARY, "signal", "AbortSignal")
        encode = read("encodeResponseBody")
        if cache is not None:
            self.cache = _read_cache(to_string(cache))
        if encode is not None:
            self.encode_response_body = _read_encoding(to_string(encode))
        if integrity is not None and to_string(integrity):
            raise type_error(_INTEGRITY)
        if method is not None:
            self.method = _read_method(to_string(method))
        if headers is not None:
            self._headers = headers
        if fetcher is not None:
            self.fetcher = fetcher
        if signal is not None:
            self._signal = None if signal is jsnull else signal
        if cf is not None:
            self._cf = _held_cf(cf)
        self._read_body(body, method)
        if redirect is not None:
            self.redirect = _read_redirect(to_string(redirect))

    def _read_body(self, body: Any, method: object) -> None:
        bodiless = self.method in ("GET", "HEAD")
        if body is not None and body is not jsnull:
            if bodiless:
                raise type_error(_GET_BODY)
            self._stream = None
            self._set_body(body)
        elif bodiless and self.has_body and (method is not None or body is not None):
            raise type_error(_GET_BODY)


def clone_cf(cf: Any) -> Any:
    """Copy a ``cf`` object as a structured clone; undefined stays undefined."""
    if cf is None:
        return None
    from pyworkers.js.clone import structured_clone  # most requests have no `cf` to copy

    return structured_clone(cf)


def _held_cf(cf: Any) -> Any:
    """Return the ``cf`` of an init: a copy, or the object itself where it holds what only JSON can leave out."""
    try:
        return clone_cf(cf)
    except JsException:
        return cf


def _sent_cf(cf: Any) -> Any:
    """Return a ``cf`` object as it arrives: it travels as JSON."""
    from pyworkers.js.json import parse, stringify

    return parse(stringify(cf) or "{}")


def _uninterrupted(stream: ReadableStream) -> ReadableStream:
    """Return the body of a worker's own stream as it arrives: where the stream fails, it just ends."""
    chunks = stream.moved().chunks()

    async def whole() -> AsyncIterator[bytes]:
        with suppress(JsException):
            async for chunk in chunks:
                yield chunk

    return ReadableStream.of_async_iterator(whole(), length=stream.length)


def _flag(name: str) -> bool:
    return current_realm().compat.enabled(name)


def _crosses_origin(first: str, second: str) -> bool:
    one, other = parse_url(first), parse_url(second)
    return one is None or other is None or one.origin != other.origin


def _read_method(text: str) -> str:
    if text in METHODS:
        return text
    upper = text.upper()
    if upper in METHODS and (
        upper in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS") or _flag("upper_case_all_http_methods")
    ):
        return upper
    raise type_error(f"Invalid HTTP method string: {text}")


def _read_redirect(text: str) -> str:
    mode = text.lower()
    if mode not in ("follow", "manual"):
        raise type_error(_REDIRECT)
    return mode


def _read_cache(text: str) -> str:
    if not _flag("cache_option_enabled"):
        raise JsException("Error", f"The 'cache' field on '{_DICTIONARY}' is not implemented.")
    flag = _CACHE_FLAGS.get(text)
    if flag is None or not _flag(flag):
        raise type_error(f"Unsupported cache mode: {text}")
    return text


def _read_encoding(text: str) -> str:
    if text not in ("automatic", "manual"):
        raise type_error(f"encodeResponseBody: unexpected value: {text}")
    return text
