"""``Response``.

The path of a plain answer is short on purpose: ``new Response("text")`` makes one object, no headers and no stream,
and `Response.header_list` gives the server its list without making them either.

Source: fetch.spec.whatwg.org, section 5.5; recorded, contracts/fetchapi, fetchapi.response.*
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pyworkers.js.body import TEXT_TYPE, Body, BodySource, LazyBody, TakenBody, extract_body
from pyworkers.js.headers import Headers
from pyworkers.js.primitives import is_nullish, jsnull, to_string
from pyworkers.js.request import Request, clone_cf
from pyworkers.js.status import NULL_BODY_STATUSES, REDIRECT_STATUSES, default_status_text
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.url import href_of
from pyworkers.js.values import js_function, range_error, type_error
from pyworkers.js.webidl import (
    MISSING,
    argument_error,
    constructor_error,
    field_error,
    is_object,
    option_reader,
    to_int32,
    utf8,
)

_DICTIONARY: Final = "InitializerDict"
_NULL_BODY: Final = "Response with null body status (101, 204, 205, or 304) cannot have a body."
_STATUS_RANGE: Final = "Responses may only be constructed with status codes in the range 200 to 599, inclusive."
_TEXT_HEADER: Final = (b"content-type", TEXT_TYPE.encode())


class Response(Body, read_only="cf redirected status url"):
    """A response.

    This constructor is the host's; scripts' is `Response.js_new`.

    Args:
        body: the body, or a callable that gives it when it is first touched.
        status: 0 or 100 to 599.
        status_text: the reason phrase; the status's own where it is None.
        headers: the headers, taken over.
        url: where it came from, without fragment; empty for one that a script made.
        redirected: whether a redirect led to ``url``.
        encode_body: ``automatic`` or ``manual``: whether the server encodes the body as Content-Encoding says.
    """

    status: int = 200
    url: str = ""
    redirected: bool = False
    encode_body: str = "automatic"
    web_socket: Any = None
    cf: Any = None
    _status_text: str | None = None

    def __init__(
        self,
        body: LazyBody = None,
        *,
        status: int = 200,
        status_text: str | None = None,
        headers: Headers | None = None,
        url: str = "",
        redirected: bool = False,
        encode_body: str = "automatic",
    ) -> None:
        self.__dict__.update(  # not one by one: what scripts cannot set takes longer
            _source=body,
            status=status,
            _status_text=status_text,
            _headers=headers,
            url=url,
            redirected=redirected,
            encode_body=encode_body,
        )

    @classmethod
    def js_new(cls, body: Any = None, init: Any = None, *_: Any) -> Response:
        """``new Response(body, {status, statusText, headers, cf, webSocket, encodeBody})``.

        Raises:
            JsException: TypeError or RangeError, with the platform's text.
        """
        self = cls.__new__(cls)
        if init is not None and init is not jsnull:
            self._read_init(init)
        if body is not None and body is not jsnull:
            if self.status in NULL_BODY_STATUSES:
                self._require_empty(body)
            else:
                self._set_body(body)
        return self

    # ---- JavaScript's members

    @property
    def statusText(self) -> str:
        """The reason phrase."""
        return default_status_text(self.status) if self._status_text is None else self._status_text

    @property
    def ok(self) -> bool:
        """Tell whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def type(self) -> str:
        """``error`` for ``Response.error()``, else ``default``."""
        return "default" if self.status else "error"

    @property
    def webSocket(self) -> Any:
        """The client end of a WebSocket, or null."""
        return jsnull if self.web_socket is None else self.web_socket

    def clone(self, *_: object) -> Response:
        """Return a copy whose body can be read too."""
        if self.web_socket is not None:
            raise type_error("Cannot clone a response to a WebSocket handshake.")
        copy = Response(status=self.status, status_text=self._status_text, url=self.url, redirected=self.redirected)
        self._clone_body(copy)
        if self._headers is None:
            copy._content_type = self._content_type
        else:
            copy._headers = self.headers.clone()
        copy.cf = clone_cf(self.cf)
        return copy

    @staticmethod
    @js_function
    def static_json(data: Any = MISSING, init: Any = None) -> Response:
        """``Response.json``: a response of the data as JSON."""
        from pyworkers.js.json import stringify  # only who writes JSON loads it

        if data is MISSING:
            raise argument_error("Response", "json", 1, "JsValue")
        text = stringify(data)
        response = Response.js_new(None, init)
        if response.status in NULL_BODY_STATUSES:
            raise type_error(_NULL_BODY)
        if response.headers.find("content-type") is None:
            response.headers.put("content-type", "application/json")
        response._source = "undefined" if text is None else text
        return response

    @staticmethod
    @js_function
    def static_redirect(url: Any = MISSING, status: Any = None) -> Response:
        """``Response.redirect``: 302 unless another redirect status is given."""
        if url is MISSING:
            raise argument_error("Response", "redirect", 1, "string")
        code = 302 if status is None else to_int32(status)
        if code not in REDIRECT_STATUSES:
            raise range_error(f"{code} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.")
        text = to_string(url)
        href = href_of(text)
        if href is None:
            raise type_error(f"Unable to parse URL: {text}")
        headers = Headers([(b"location", utf8(href))], immutable=True)
        return Response(status=code, headers=headers)

    @staticmethod
    def static_error(*_: object) -> Response:
        """``Response.error``: a network error."""
        return Response(status=0)

    # ---- for the host

    @property
    def own_status_text(self) -> str | None:
        """The reason phrase that was given; None where it is the status's own."""
        return self._status_text

    @property
    def status_text(self) -> str:
        """The reason phrase."""
        return self.statusText

    @property
    def body_source(self) -> TakenBody:
        """The body as it is, untouched; `take_body` gives it away."""
        source = self._settled_source()
        return utf8(source) if isinstance(source, str) else source

    def header_list(self) -> list[tuple[bytes, bytes]]:
        """The headers in the order the runtime writes them: names in lower case, each Set-Cookie apart."""
        if self._headers is not None:
            return self.headers.wire_list()
        content_type = self._content_type
        if content_type is None:
            return []
        return [_TEXT_HEADER if content_type is TEXT_TYPE else (b"content-type", utf8(content_type))]

    def header_spelling(self) -> Mapping[bytes, bytes]:
        """Return how header names are spelled on the wire, by their lower-case form, where a script said so."""
        return {} if self._headers is None else self._headers.spelling()

    def location(self) -> str | None:
        """Return the Location header, or None."""
        return None if self._headers is None else self.headers.find("location")

    def received(self, source: Request | str) -> Response:
        """Return this response as the caller of ``fetch`` gets it: its URL known, its headers immutable.

        Args:
            source: the request it answers, or that request's URL.

        Raises:
            JsException: TypeError, when the body was read before.
        """
        request = source if isinstance(source, Request) else None
        url = source.url if isinstance(source, Request) else source
        body: BodySource = self.take_body()
        if self.status in NULL_BODY_STATUSES or (request is not None and request.method == "HEAD"):
            body = None
        elif body is None:
            body = b""
        received = Response(
            body,
            status=self.status,
            status_text=self._status_text,
            headers=self.headers.copy(immutable=True),
            url=url.partition("#")[0],
            redirected=request is not None and request.redirects > 0,
            encode_body=self.encode_body,
        )
        if self.web_socket is not None:
            received.web_socket = self.web_socket
        received.headers.drop_empty()
        return received

    # ---- how scripts' constructor works

    def _read_init(self, init: Any) -> None:
        if isinstance(init, Response):
            self._copy_init(init)
        elif not is_object(init):
            raise constructor_error("Response", 2, f"{_DICTIONARY} or Response")
        else:
            self._read_dictionary(init)
        if self.web_socket is None:
            if not 200 <= self.status <= 599:
                raise range_error(_STATUS_RANGE)
        elif self.status != 101:
            raise range_error("Responses with a WebSocket must have status code 101.")
        if self._status_text is not None and min(self._status_text, default=" ") < " ":
            raise type_error("Invalid statusText")

    def _require_empty(self, body: object) -> None:
        """Refuse a body where the status has none; an empty one in memory counts as none."""
        source, _content_type = extract_body(body)
        if isinstance(source, ReadableStream) or source:
            raise type_error(_NULL_BODY)

    def _copy_init(self, other: Response) -> None:
        self.status = other.status
        self.encode_body = other.encode_body
        self._status_text = other._status_text
        self._headers = other.headers.copy()
        self.cf = clone_cf(other.cf)
        self.web_socket = other.web_socket

    def _read_dictionary(self, init: Any) -> None:
        read = option_reader(init)
        status = read("status")
        if status is not None:
            self.status = status if type(status) is int else to_int32(status)
        text = read("statusText")
        if text is not None:
            self._status_text = to_string(text)
        headers = read("headers")
        if headers is not None:
            self._headers = Headers.from_option(headers, _DICTIONARY)
        cf = read("cf")
        if cf is not None:
            if not is_object(cf):
                raise field_error(_DICTIONARY, "cf", "Object")
            self.cf = clone_cf(cf)
        web_socket = read("webSocket")
        if not is_nullish(web_socket):
            if getattr(web_socket, "js_name", None) != "WebSocket":
                raise field_error(_DICTIONARY, "webSocket", "WebSocket")
            self.web_socket = web_socket
        encode_body = read("encodeBody")
        if encode_body is not None:
            self.encode_body = to_string(encode_body)
            if self.encode_body not in ("automatic", "manual"):
                raise type_error(f"encodeBody: unexpected value: {self.encode_body}")
