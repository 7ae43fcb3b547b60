"""``HTMLRewriter``: changes the HTML of a response while it passes.

Source: developers.cloudflare.com/workers/runtime-apis/html-rewriter; recorded, tests/unit/js/data/html_rewriter.json
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from pyworkers.js.convert import JsDoubleProxy
from pyworkers.js.encoding_labels import encoding_of
from pyworkers.js.html.rewriter import Handler, Rewriter, Rule
from pyworkers.js.html.selector_parser import parse_selector
from pyworkers.js.html.tokens import Charset
from pyworkers.js.mime import MimeType
from pyworkers.js.primitives import jsnull
from pyworkers.js.promise import is_thenable, settle
from pyworkers.js.response import Response
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.streams.strategies import member
from pyworkers.js.values import JsProxy, call, is_callable, type_error
from pyworkers.js.webidl import MISSING, argument_error, field_error, is_object, string_argument

_ELEMENT_HANDLERS: Final = ("element", "comments", "text")
_DOCUMENT_HANDLERS: Final = ("doctype", "comments", "text", "end")
_NOT_ASCII_COMPATIBLE: Final = frozenset({"utf-16le", "utf-16be", "iso-2022-jp"})


class HTMLRewriter(JsProxy):
    """Handlers by selector, and what applies them to a response."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """``new HTMLRewriter()``."""
        return cls()

    def on(self, selector: Any = MISSING, handlers: Any = MISSING, *_: object) -> HTMLRewriter:
        """Call ``handlers`` (``element``, ``comments``, ``text``) for elements that match, and what is in them.

        Raises:
            JsException: TypeError, when the selector or a handler is wrong.
        """
        text = string_argument(selector, self.js_name, "on", 1)
        found = _read_handlers(handlers, "on", 2, "ElementContentHandlers", _ELEMENT_HANDLERS)
        self._rules.append(Rule(parse_selector(text), found))
        return self

    def onDocument(self, handlers: Any = MISSING, *_: object) -> HTMLRewriter:
        """Call ``handlers`` (``doctype``, ``comments``, ``text``, ``end``) for the whole document."""
        found = _read_handlers(handlers, "onDocument", 1, "DocumentContentHandlers", _DOCUMENT_HANDLERS)
        self._rules.append(Rule(None, found))
        return self

    def transform(self, response: Any = MISSING, *_: object) -> Response:
        """Return a response whose body is rewritten as it is read; one without a body comes back as it is.

        Raises:
            JsException: TypeError, when the body was used, or its charset cannot be rewritten.
        """
        if not isinstance(response, Response):
            raise argument_error(self.js_name, "transform", 1, "Response")
        stream = response.body
        if not isinstance(stream, ReadableStream):
            return response
        if response.bodyUsed:
            raise type_error("The ReadableStream has been locked to a reader.")
        charset = _charset_of(response)
        rewriter = Rewriter(list(self._rules), charset, _invoker(contextvars.copy_context()))
        result = Response.js_new(None, response)
        result._source = ReadableStream.of_async_iterator(_rewritten(rewriter, stream))
        result.url = response.url
        return result


async def _rewritten(rewriter: Rewriter, stream: ReadableStream) -> AsyncIterator[bytes]:
    chunks = stream.chunks()
    try:
        async for data in chunks:
            async for written in rewriter.feed(data):
                yield written
        async for written in rewriter.feed(b"", is_last=True):
            yield written
    finally:
        await chunks.aclose()


def _invoker(context: contextvars.Context) -> Callable[[Handler, Any], Any]:
    """Return what calls a handler as the worker that made the rewriter."""

    async def invoke(handler: Handler, token: Any) -> None:
        result = context.copy().run(call, handler, token)
        if is_thenable(result):
            await asyncio.get_running_loop().create_task(settle(result), context=context.copy())

    return invoke


def _read_handlers(value: Any, method: str, position: int, kind: str, names: tuple[str, ...]) -> dict[str, Handler]:
    if isinstance(value, JsDoubleProxy):
        value = value.unwrap()
    if value is jsnull:
        return {}
    if value is MISSING or not is_object(value):
        raise argument_error("HTMLRewriter", method, position, kind)
    handlers = {name: handler for name in names if (handler := member(value, name)) is not None}
    for name, handler in handlers.items():
        if not is_callable(handler):
            raise field_error(kind, name, "function")
    return handlers


def _charset_of(response: Response) -> Charset:
    content_type = response.headers.find("content-type")
    mime_type = None if content_type is None else MimeType.extract(content_type)
    label = "utf-8" if mime_type is None else mime_type.parameters.get("charset", "utf-8")
    name = encoding_of(label)
    if not name:
        raise type_error("Parser error: Unknown character encoding has been provided.")
    if name in _NOT_ASCII_COMPATIBLE:
        raise type_error("Parser error: Expected ASCII-compatible encoding.")
    return Charset(name)
