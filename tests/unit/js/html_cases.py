"""Runs the recorded cases of ``HTMLRewriter``: rules are data, their operations calls on the token of a handler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from pyworkers.js.primitives import jsnull
from pyworkers.js.scope import module as js
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject

Case = dict[str, Any]


async def run_case(case: Case, chunks: Iterable[bytes] | None = None) -> dict[str, Any]:
    """Return what came out, or the error, and what was logged.

    Args:
        chunks: the case's document in pieces; None for all at once.
    """
    log: list[list[Any]] = []
    try:
        rewriter = js.HTMLRewriter.new()
        for selector, handlers in case["rules"]:
            functions = JsObject({name: _handler(operations, log) for name, operations in handlers.items()})
            rewriter = rewriter.onDocument(functions) if selector is None else rewriter.on(selector, functions)
        body = case["html"] if chunks is None else ReadableStream.of_async_iterator(_items(chunks))
        output = await rewriter.transform(js.Response.new(body)).text()
    except JsException as error:
        return {"error": [error.name, error.message], "log": log}
    return {"output": output, "log": log}


def _handler(operations: list[list[Any]], log: list[list[Any]]) -> Callable[[Any], None]:
    def handle(token: Any) -> None:
        for name, *args in operations:
            if name == "log":
                log.append(_shown(token))
            elif name == "set":
                setattr(token, args[0], args[1])
            elif name == "onEndTag":
                token.onEndTag(_handler(args[0], log))
            else:
                getattr(token, name)(*(JsObject(arg) if isinstance(arg, dict) else arg for arg in args))

    return handle


def _shown(token: Any) -> list[Any]:
    kind = token.js_name
    fields = {
        "Element": ("tagName", "namespaceURI", "removed"),
        "Text": ("text", "lastInTextNode"),
        "Comment": ("text", "removed"),
        "Doctype": ("name", "publicId", "systemId"),
        "EndTag": ("name",),
    }[kind]
    values = [None if (value := getattr(token, field)) is jsnull else value for field in fields]
    attributes = [[list(pair) for pair in token.attributes]] if kind == "Element" else []
    return [kind, *values, *attributes]


async def _items(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
