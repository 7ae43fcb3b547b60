"""``HTMLRewriter``: its tokens, selectors and output."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from fuzz_outcome import outcome
from fuzz_source import Source

from pyworkers.js.html.rewriter import Rewriter, Rule
from pyworkers.js.html.selector_parser import parse_selector
from pyworkers.js.html.tokens import Charset
from pyworkers.js.values import JsException

_HTML: Final = (
    *(b"<p>", b"</p>", b"<div a=1 b='2' c=\"3\">", b"</div>", b"<br/>", b"<!--", b"-->", b"--!>", b"<!doctype html>"),
    *(b"<script>", b"</script>", b"<!--<script>", b"<textarea>", b"</textarea>", b"<title>", b"</title>", b"<style>"),
    *(b"</style>", b"<svg>", b"</svg>", b"<math>", b"<![CDATA[", b"]]>", b"<mi>", b"<foreignObject>", b"<template>"),
    *(
        b"<",
        b">",
        b"/",
        b"=",
        b'"',
        b"'",
        b"<?php ?>",
        b"<plaintext>",
        b"<select>",
        b"<table>",
        b"<a href",
        b" ",
        b"&amp;",
    ),
    *(
        b"text",
        b"\xc3\xa9",
        b"\xf0\x9f\x98\x80",
        b"\x00",
        b"</",
        b"<!",
        b"<!DOCTYPE a PUBLIC 'b' \"c\">",
        b"<xmp>",
        b"<noscript>",
    ),
)
_SELECTORS: Final = (
    "*",
    "p",
    "div",
    "[a]",
    "p > a",
    "div p",
    ":not(p)",
    ":nth-child(2)",
    "svg *",
    "script",
    '[a="1" i]',
)
_SELECTOR_WORDS: Final = (
    b"*",
    b"p",
    b".c",
    b"#i",
    b"[a",
    b"]",
    b"='x'",
    b":not(",
    b")",
    b":nth-child(",
    b"2n+1",
    b" > ",
    b", ",
    b"\\",
    b"|",
    b" i",
)
_OPERATIONS: Final = (
    "look",
    "before",
    "append",
    "setInnerContent",
    "remove",
    "removeAndKeepContent",
    "replace",
    "rename",
    "end",
)


def fuzz(source: Source) -> None:
    """A document comes out the same wherever it is cut; where it is cut inside of a text, so may the text be."""
    parsed = outcome(parse_selector, source.mixture(_SELECTOR_WORDS, 5).decode("latin-1"))
    assert not isinstance(parsed, JsException) or parsed.message.startswith("Parser error: "), parsed
    choices = [(source.choice(_SELECTORS), source.choice(_OPERATIONS)) for _ in range(source.number(3) + 1)]
    documents = source.choice(("look", "remove"))
    document = source.mixture(_HTML)
    whole = _rewrite(choices, documents, [document])
    pieces = source.cut(document)
    assert _rewrite(choices, documents, pieces) == whole, pieces
    is_looked_at_only = documents == "look" and all(name == "look" for _, name in choices)
    if is_looked_at_only and whole[2] is None:
        assert whole[0].decode("utf-8", "replace") == document.decode("utf-8", "replace"), whole[0]


def _rewrite(
    choices: list[tuple[str, str]], documents: str, pieces: Sequence[bytes]
) -> tuple[bytes, list[Any], str | None]:
    """Return what comes out, what each rule's handlers saw, and the error."""
    logs: list[list[Any]] = [[] for _ in range(len(choices) + 1)]
    rules = [
        Rule(parse_selector(selector), _element_handlers(name, log))
        for (selector, name), log in zip(choices, logs[1:], strict=True)
    ]
    rules.append(Rule(None, _document_handlers(documents, logs[0])))
    rewriter = Rewriter(rules, Charset("utf-8"), _invoke)
    out: list[bytes] = []

    async def run() -> None:
        for index in range(len(pieces) + 1):
            is_last = index == len(pieces)
            async for chunk in rewriter.feed(b"" if is_last else pieces[index], is_last=is_last):
                out.append(chunk)  # noqa: PERF401  # what comes before an error counts

    try:
        _finish(run())
    except JsException as error:
        if error.name != "TypeError":
            raise
        return b"".join(out), [], error.message
    return b"".join(out), [_joined(log) for log in logs], None


def _element_handlers(name: str, log: list[Any]) -> dict[str, Callable[[Any], None]]:
    def element(token: Any) -> None:
        log.append(("element", token.tagName, token.namespaceURI, [list(pair) for pair in token.attributes]))
        if name == "rename":
            token.tagName = "renamed"
            token.setAttribute("k", '"')
        elif name == "end":
            outcome(token.onEndTag, lambda end: log.append(("end tag", end.name)))
        elif name in ("before", "append", "setInnerContent", "replace"):
            getattr(token, name)("<new>")
        elif name != "look":
            getattr(token, name)()

    return {"element": element, **_content_handlers(log)}


def _document_handlers(name: str, log: list[Any]) -> dict[str, Callable[[Any], None]]:
    def doctype(token: Any) -> None:
        log.append(("doctype", str(token.name), str(token.publicId), str(token.systemId)))

    def comments(token: Any) -> None:
        log.append(("comment", token.text))
        if name == "remove":
            token.remove()

    return {"doctype": doctype, "comments": comments, "end": lambda _end: log.append(("end",))}


def _content_handlers(log: list[Any]) -> dict[str, Callable[[Any], None]]:
    return {
        "text": lambda token: log.append(("text", token.text, token.lastInTextNode)),
        "comments": lambda token: log.append(("comment", token.text)),
    }


def _joined(log: list[Any]) -> list[Any]:
    """Return what was seen, the pieces of a text as one."""
    found: list[Any] = []
    for entry in log:
        if entry[0] != "text":
            found.append(entry)
        elif found and found[-1][0] == "text" and not found[-1][2]:
            found[-1] = ("text", found[-1][1] + entry[1], entry[2])
        else:
            found.append(entry)
    return found


async def _invoke(handler: Callable[[Any], object], token: Any) -> None:
    handler(token)


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a rewriter without streams waits")
