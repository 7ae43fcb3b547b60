"""``HTMLRewriter``: handlers, selectors, errors and streams; texts recorded from the real runtime."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from pyworkers.js.buffers import Uint8Array
from pyworkers.js.primitives import jsnull
from pyworkers.js.scope import module as js
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject

HTML = JsObject({"html": True})
LATE = (
    "This content token is no longer valid. Content tokens are only valid during the execution of the relevant "
    "content handler."
)
DOCUMENT = (
    '<div i=1 class="a b" id=X><p i=2 type=A lang=en-US data-x="q r"><b i=3 class=A>x</b></p><P i=4 type=a><svg i=5>'
    "<g i=6 type=A /><foreignObject i=7><b i=8></b></foreignObject></svg></p><input i=9 TYPE=A></div>"
)


async def rewrite(html: Any, *rules: tuple[str | None, dict[str, Any]], content_type: str = "text/html") -> str:
    rewriter = js.HTMLRewriter.new()
    for selector, handlers in rules:
        if selector is None:
            rewriter.onDocument(JsObject(handlers))
        else:
            rewriter.on(selector, JsObject(handlers))
    response = js.Response.new(html, JsObject({"headers": JsObject({"content-type": content_type})}))
    return await rewriter.transform(response).text()


def rewritten(html: Any, *rules: tuple[str | None, dict[str, Any]], **options: Any) -> str:
    return asyncio.run(rewrite(html, *rules, **options))


def on_p(function: Callable[[Any], object], html: str = "<p>x</p>") -> str:
    return rewritten(html, ("p", {"element": function}))


@pytest.mark.parametrize(
    ("change", "html"),
    [
        (lambda e: e.before("b").before("<b>", HTML).after("a").after("c"), "b<b><p>x</p>ca"),
        (lambda e: e.prepend("1").prepend("2").append("3").append("4"), "<p>21x34</p>"),
        (lambda e: e.replace("<i>").after("a"), "&lt;i&gt;a"),
        (lambda e: e.remove().before("b"), "b"),
        (lambda e: e.removeAndKeepContent().append("!"), "x!"),
        (lambda e: e.append("gone").setInnerContent("<i>", HTML), "<p><i></p>"),
        (lambda e: setattr(e, "tagName", "Q"), "<Q>x</Q>"),
        (lambda e: e.setAttribute("A", 'q"r&'), '<p a="q&quot;r&">x</p>'),
        (lambda e: e.onEndTag(lambda tag: tag.before("<").after("B").after("A")), "<p>x&lt;</p>AB"),
        (lambda e: e.onEndTag(lambda tag: setattr(tag, "name", "q")), "<p>x</q>"),
        (lambda e: e.onEndTag(lambda tag: tag.remove()), "<p>x"),
        (lambda e: e.append(5).append(jsnull).append(None), "<p>x5nullundefined</p>"),
    ],
)
def test_element_is_changed(change: Callable[[Any], object], html: str) -> None:
    assert on_p(change) == html


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.append(), "Failed to execute 'append' on 'Element': parameter 1 is not of type "
         "'string or ReadableStream or Response'."),
        (lambda e: e.append("x", "y"), "Failed to execute 'append' on 'Element': parameter 2 is not of type "
         "'ContentOptions'."),
        (lambda e: e.setAttribute("x"), "Failed to execute 'setAttribute' on 'Element': parameter 2 is not of type "
         "'string'."),
        (lambda e: e.setAttribute("", ""), "Parser error: Attribute name can't be empty."),
        (lambda e: e.setAttribute("a=", ""), "Parser error: `=` character is forbidden in the attribute name"),
        (lambda e: setattr(e, "tagName", ""), "Parser error: Tag name can't be empty."),
        (lambda e: setattr(e, "tagName", "a b"), "Parser error: ` ` character is forbidden in the tag name"),
        (lambda e: setattr(e, "tagName", "1"), "Parser error: The first character of the tag name should be an ASCII "
         "alphabetical character."),
        (lambda e: e.onEndTag(5), "Failed to execute 'onEndTag' on 'Element': parameter 1 is not of type 'function'."),
    ],
)  # fmt: skip
def test_wrong_argument_of_an_element_is_refused(change: Callable[[Any], object], message: str) -> None:
    with pytest.raises(JsException) as caught:
        on_p(change)
    assert (caught.value.name, caught.value.message) == ("TypeError", message)


@pytest.mark.parametrize(
    ("selector", "matched"),
    [
        ("*", "1,2,3,4,5,6,7,8,9"), ("P", "2,4"), ("div > b", ""), ("p > b", "3"), (".b.a", "1"), ("#x", ""),
        ("[type=A]", "2,4,6,9"), ("[type=a]", "2,4,9"), ("[type=A s]", "2,6,9"), ("[TYPE]", ""), ("[lang|=en]", "2"),
        ("[data-x~=q]", "2"), ("[data-x~='q r']", ""), ("[data-x$=r]", "2"), ("[data-x='Q R' i]", "2"),
        ("foreignObject", "7"), ("svg b", "8"), (":not(div, svg)", "2,3,4,6,7,8,9"), (":not(div > p)", "1,3,5,6,7,8,9"),
        ("|p", ""), ("*|p", "2,4"), ("p:nth-of-type(2)", "4"), ("*:nth-child(2)", "4,7"), ("p:nth-child(n+2)", "4"),
        ("[data-x=q\\ r]", "2"), ("p, b", "2,3,4,8"), ("div p /* c */ b", "3,8"), ("[class='a B' i]", "1"),
    ],
)  # fmt: skip
def test_selector_matches_as_in_the_runtime(selector: str, matched: str) -> None:
    found: list[str] = []
    rewritten(DOCUMENT, (selector, {"element": lambda element: found.append(element.getAttribute("i"))}))
    assert ",".join(found) == matched


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("", "The selector is empty."), ("p,", "The selector is empty."), ("#1", "The selector is empty."),
        ("> p", "The selector is empty."), (":not()", "The selector is empty."),
        ("p >", "Dangling combinator in selector."), ("p + q", "Unsupported combinator `+` in selector."),
        ("p ~ q", "Unsupported combinator `~` in selector."),
        (":hover", "Unsupported pseudo-class or pseudo-element in selector."),
        ("::before", "Unsupported pseudo-class or pseudo-element in selector."),
        ("svg|p", "Selectors with explicit namespaces are not supported."),
        ("[x|a]", "Selectors with explicit namespaces are not supported."),
        ("p%", "Unexpected token in selector."), ("*p", "Unexpected token in selector."),
        ("[a=b c]", "Unexpected token in selector."), ("[", "Unexpected end of selector."),
        ("[a=]", "Unexpected end of selector."), (".", "Unexpected end of selector."),
        ("p..x", "Invalid or unescaped class name in selector."),
        ("[=b]", "Missing attribute name in attribute selector."),
        ("[a=1]", "Unexpected token in the attribute selector."),
        ("p:nth-child(x)", "Unexpected token in selector."), ("p:nth-child()", "Unexpected end of selector."),
    ],
)  # fmt: skip
def test_wrong_selector_is_refused(selector: str, message: str) -> None:
    with pytest.raises(JsException) as caught:
        js.HTMLRewriter.new().on(selector, JsObject({}))
    assert (caught.value.name, caught.value.message) == ("TypeError", f"Parser error: {message}")


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda r: r.on("p"), "Failed to execute 'on' on 'HTMLRewriter': parameter 2 is not of type "
         "'ElementContentHandlers'."),
        (lambda r: r.on("p", JsObject({"element": 5})), "Incorrect type for the 'element' field on "
         "'ElementContentHandlers': the provided value is not of type 'function'."),
        (lambda r: r.onDocument(), "Failed to execute 'onDocument' on 'HTMLRewriter': parameter 1 is not of type "
         "'DocumentContentHandlers'."),
        (lambda r: r.transform("x"), "Failed to execute 'transform' on 'HTMLRewriter': parameter 1 is not of type "
         "'Response'."),
    ],
)  # fmt: skip
def test_wrong_argument_of_the_rewriter_is_refused(use: Callable[[Any], object], message: str) -> None:
    with pytest.raises(JsException) as caught:
        use(js.HTMLRewriter.new())
    assert (caught.value.name, caught.value.message) == ("TypeError", message)


def test_async_handlers_are_awaited_in_order() -> None:
    seen: list[str] = []

    async def element(element: Any) -> None:
        await asyncio.sleep(0)
        seen.append(element.tagName)
        element.append("!")

    assert rewritten("<p>x</p><b>y</b>", ("*", {"element": element})) == "<p>x!</p><b>y!</b>"
    assert seen == ["p", "b"]


def test_handlers_may_be_methods_of_an_object() -> None:
    class Handler:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def text(self, chunk: Any) -> None:
            self.texts.append(chunk.text)

    async def run() -> None:
        await js.HTMLRewriter.new().on("p", handler).transform(js.Response.new("<p>a&amp;b</p>")).text()

    handler = Handler()
    asyncio.run(run())
    assert handler.texts == ["a&amp;b", ""]


def test_error_of_a_handler_breaks_the_body_after_what_came_before() -> None:
    def fail(_element: Any) -> None:
        raise JsException("RangeError", "boo")

    async def run() -> list[str]:
        response = js.HTMLRewriter.new().on("b", JsObject({"element": fail})).transform(js.Response.new("<p>x</p><b>"))
        reader = response.body.getReader()
        first = bytes((await reader.read()).value.view).decode()
        with pytest.raises(JsException) as caught:
            await reader.read()
        return [first, caught.value.name, caught.value.message]

    assert asyncio.run(run()) == ["<p>x</p>", "RangeError", "boo"]


def test_token_is_of_no_use_after_its_handler() -> None:
    kept: list[Any] = []
    on_p(kept.append)
    for use in (lambda e: e.tagName, lambda e: e.append("x"), lambda e: e.attributes):
        with pytest.raises(JsException) as caught:
            use(kept[0])
        assert (caught.value.name, caught.value.message) == ("TypeError", LATE)


def test_attributes_cannot_change_while_they_are_iterated() -> None:
    def change(element: Any) -> None:
        for name, _value in element.attributes:
            element.removeAttribute(name)

    with pytest.raises(JsException) as caught:
        on_p(change, "<p a b>")
    assert caught.value.message == (
        "The attributes of this element have been modified during iteration. You must create a new iterator after "
        "modifying attributes."
    )


def test_void_element_has_no_end_tag() -> None:
    with pytest.raises(JsException) as caught:
        rewritten("<br>", ("br", {"element": lambda element: element.onEndTag(lambda tag: None)}))
    assert caught.value.message == "Parser error: No end tag."


def test_text_element_in_a_select_is_ambiguous() -> None:
    with pytest.raises(JsException) as caught:
        rewritten("<select><xmp>", ("p", {"element": lambda element: None}))
    assert caught.value.message.startswith(
        "Parser error: The parser has encountered a text content tag (`<xmp>`) in the context where it is ambiguous"
    )


@pytest.mark.parametrize(
    ("charset", "body", "output"),
    [
        ("windows-1252", b"<p>\xe9</p>", b'<p x="\xe9&#28450;">\xe9\xe9&#28450;</p>'),
        ("shift_jis", b"<p>\xe9\x93</p>", b'<p x="&#233;\x8a\xbf">\xe9\x93&#233;\x8a\xbf</p>'),
        ("utf-8", b"<p>\xe9</p>", '<p x="é漢">\ufffdé漢</p>'.encode()),
    ],
)
def test_document_keeps_its_encoding(charset: str, body: bytes, output: bytes) -> None:
    async def run() -> bytes:
        handlers = {"element": lambda e: e.setAttribute("x", "é漢").append("é漢"), "text": lambda text: None}
        headers = JsObject({"content-type": f"text/html; charset={charset}"})
        response = js.Response.new(Uint8Array(js.ArrayBuffer.python_class(body)), JsObject({"headers": headers}))
        result = js.HTMLRewriter.new().on("p", JsObject(handlers)).transform(response)
        return bytes((await result.arrayBuffer()).data)

    assert asyncio.run(run()) == output


@pytest.mark.parametrize(
    ("charset", "message"),
    [("nope", "Unknown character encoding has been provided."), ("utf-16", "Expected ASCII-compatible encoding.")],
)
def test_encoding_that_cannot_be_rewritten_is_refused(charset: str, message: str) -> None:
    with pytest.raises(JsException) as caught:
        rewritten("x", ("p", {}), content_type=f"text/html; charset={charset}")
    assert (caught.value.name, caught.value.message) == ("TypeError", f"Parser error: {message}")


def test_response_without_a_body_comes_back_as_it_is() -> None:
    response = js.Response.new(None)
    assert js.HTMLRewriter.new().on("p", JsObject({})).transform(response) is response


def test_response_keeps_status_and_headers_and_gives_up_its_body() -> None:
    async def run() -> tuple[Any, ...]:
        headers = JsObject({"content-length": "1", "etag": "x"})
        response = js.Response.new("x", JsObject({"status": 201, "headers": headers}))
        result = js.HTMLRewriter.new().on("p", JsObject({})).transform(response)
        return (
            result.status,
            result.headers.get("content-length"),
            result.headers.get("etag"),
            await result.text(),
            (response.bodyUsed),
        )

    assert asyncio.run(run()) == (201, "1", "x", "x", True)


def test_stream_and_response_are_inserted() -> None:
    def insert(element: Any) -> None:
        element.prepend(js.Response.new("<t>"))
        element.append(js.Response.new("<s>").body)
        element.before(js.Response.new("<u>").body, HTML)

    assert on_p(insert) == "<u><p>&lt;t&gt;x&lt;s&gt;</p>"


def test_output_comes_before_the_input_ends() -> None:
    async def run() -> str:
        gate = asyncio.Event()

        async def document() -> AsyncIterator[bytes]:
            yield b"<p>first</p><p"
            await gate.wait()
            yield b">second</p>"

        response = js.Response.new(ReadableStream.of_async_iterator(document()))
        result = js.HTMLRewriter.new().on("p", JsObject({"element": lambda e: e.append("!")})).transform(response)
        reader = result.body.getReader()
        first = bytes((await reader.read()).value.view).decode()
        gate.set()
        return first

    assert asyncio.run(run()) == "<p>first!</p>"


def test_cancelled_output_cancels_the_input() -> None:
    async def run() -> list[str]:
        closed: list[str] = []

        async def document() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"<p>"
            finally:
                closed.append("closed")

        response = js.Response.new(ReadableStream.of_async_iterator(document()))
        reader = js.HTMLRewriter.new().on("p", JsObject({})).transform(response).body.getReader()
        await reader.read()
        await reader.cancel()
        return closed

    assert asyncio.run(run()) == ["closed"]
