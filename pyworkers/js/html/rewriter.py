"""Runs handlers over the tokens of a document, and writes what comes out.

Source: recorded, tests/unit/js/data/html_rewriter.json
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from pyworkers.js.encoding_labels import codec_of
from pyworkers.js.html import content_tokens as seen
from pyworkers.js.html.selectors import Selector
from pyworkers.js.html.text_modes import HTML
from pyworkers.js.html.tokenizer import Tokenizer
from pyworkers.js.html.tokens import (
    Charset,
    Comment,
    Content,
    Doctype,
    EndTag,
    Markup,
    Mutations,
    StartTag,
    Text,
    TextEnd,
    Token,
    escape,
)

_VOID_NAMES: Final = "area base basefont bgsound br col embed hr img input keygen link meta param source track wbr"
_VOID: Final = frozenset(_VOID_NAMES.split())

Handler = Callable[[Any], object]
# Calls a handler with its token, and waits for what it returns.
Invoke = Callable[[Handler, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a script wants to see: of the elements that a selector matches, or of the document where it is None."""

    selector: Selector | None
    handlers: Mapping[str, Handler]  # element, comments, text; or doctype, comments, text, end


@dataclass
class OpenElement:
    """An element whose end has not been seen; what selectors look at."""

    tag: StartTag
    parent: OpenElement | None
    index: int
    type_index: int
    rules: list[Rule] = field(default_factory=list)
    end: seen.EndState | None = None
    is_emptied: bool = False
    children: int = 0
    children_by_name: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name, in lower case."""
        return self.tag.name

    @property
    def is_html(self) -> bool:
        """Tell whether the element is in the HTML namespace."""
        return self.tag.namespace == HTML

    @cached_property
    def values(self) -> Mapping[str, str]:
        """The attributes as they came; the first of a name counts."""
        return dict(reversed(self.tag.attribute_pairs()))

    def count_child(self, name: str) -> tuple[int, int]:
        """Return a new child's place, and its place among those of its name."""
        self.children += 1
        of_type = self.children_by_name.get(name, 0) + 1
        self.children_by_name[name] = of_type
        return self.children, of_type


class Rewriter:
    """Rewrites one document.

    Args:
        rules: in the order in which they were added.
        charset: the document's encoding.
        invoke: calls a handler.
    """

    def __init__(self, rules: list[Rule], charset: Charset, invoke: Invoke) -> None:
        self._tokenizer = Tokenizer(charset)
        self._charset = charset
        self._invoke = invoke
        self._document_rules = [rule for rule in rules if rule.selector is None]
        self._element_rules = [rule for rule in rules if rule.selector is not None]
        self._root = OpenElement(StartTag(b"", b"", "", b"", charset, HTML), None, 0, 0)
        self._open: list[OpenElement] = []
        self._uses: dict[int, int] = {id(rule): 1 for rule in self._document_rules}
        self._emptied = 0  # how many open elements lose their content
        self._decoder = self._new_decoder()
        self._out: list[bytes | Content] = []
        self._has_streams = False

    async def feed(self, data: bytes, *, is_last: bool = False) -> AsyncIterator[bytes]:
        """Yield what comes out for the next bytes of the document; after the last ones, the end handlers' too.

        What comes before a handler that raises is yielded before the error.
        """
        try:
            for token in self._tokenizer.feed(data, is_last=is_last):
                if type(token) is Markup:
                    self._write(token.raw)
                    continue
                await self._handle(token)
                if self._has_streams:
                    async for chunk in self._drain():
                        yield chunk
            if is_last:
                await self._finish()
        except Exception:
            async for chunk in self._drain():
                yield chunk
            raise
        async for chunk in self._drain():
            yield chunk

    async def _handle(self, token: Token) -> None:
        if isinstance(token, StartTag):
            await self._start(token)
        elif isinstance(token, EndTag):
            await self._end(token)
        elif isinstance(token, Text | TextEnd):
            await self._text(token)
        elif isinstance(token, Comment):
            await self._comment(token)
        else:
            assert isinstance(token, Doctype)
            await self._doctype(token)

    async def _finish(self) -> None:
        end = seen.DocumentEndState(self._charset)
        self._emptied = 0
        for rule in reversed(self._document_rules):
            await self._call(rule, "end", seen.DocumentEnd(end))
        self._write_all(end.contents)

    # ---- elements

    async def _start(self, tag: StartTag) -> None:
        around = self._open[-1] if self._open else self._root
        index, type_index = around.count_child(tag.name)
        element = OpenElement(tag, self._open[-1] if self._open else None, index, type_index)
        matched = [rule for rule in self._element_rules if rule.selector is not None and rule.selector.matches(element)]
        has_content = tag.name not in _VOID if tag.namespace == HTML else not tag.is_self_closing
        if has_content:
            self._open.append(element)
            element.rules = matched
            for rule in matched:
                self._uses[id(rule)] = self._uses.get(id(rule), 0) + 1
        handlers = [rule for rule in matched if "element" in rule.handlers]
        if not handlers:
            self._write(tag.raw)
            return
        state = seen.ElementState(tag, self._charset, can_have_content=has_content)
        if self._emptied:
            state.mutations.remove()
        for rule in handlers:
            await self._call(rule, "element", seen.Element(state))
        self._write_token(state.mutations, state.serialize())
        if has_content:
            element.end = state.end if state.end.is_used else None
            if state.is_emptied:
                element.is_emptied = True
                self._emptied += 1

    async def _end(self, tag: EndTag) -> None:
        depth = next((at for at in range(len(self._open) - 1, -1, -1) if self._open[at].name == tag.name), None)
        if depth is None:
            self._write(tag.raw)
            return
        closed = self._open[depth:]
        del self._open[depth:]
        for element in closed:
            self._emptied -= element.is_emptied
            for rule in element.rules:
                self._uses[id(rule)] -= 1
        token = seen.EndTagState(tag, self._charset)
        for element in reversed(closed):
            if element.end is not None:
                token.take_over(element.end)
                for handler in element.end.handlers:
                    await self._invoke(handler, seen.EndTag(token))
        self._write_token(token.mutations, token.serialize())

    # ---- the rest

    async def _text(self, token: Text | TextEnd) -> None:
        is_last = isinstance(token, TextEnd)
        rules = self._active("text")
        if not rules:
            if isinstance(token, Text):
                self._write(token.raw)
            return
        raw = token.raw if isinstance(token, Text) else b""
        text = self._decoder.decode(raw, is_last)
        if is_last:
            self._decoder = self._new_decoder()
        elif not text:
            return
        state = seen.TextState(text, self._charset, is_last=is_last)
        for rule in rules:
            await self._call(rule, "text", seen.Text(state))
        self._write_token(state.mutations, self._charset.encode(text))

    async def _comment(self, token: Comment) -> None:
        rules = self._active("comments")
        if not rules:
            self._write(token.raw)
            return
        state = seen.CommentState(token, self._charset)
        for rule in rules:
            await self._call(rule, "comments", seen.Comment(state))
        self._write_token(state.mutations, state.serialize())

    async def _doctype(self, token: Doctype) -> None:
        for rule in self._document_rules:
            await self._call(rule, "doctype", seen.Doctype(token, self._charset))
        self._write(token.raw)

    def _active(self, kind: str) -> list[Rule]:
        rules = (*self._element_rules, *self._document_rules)
        return [rule for rule in rules if kind in rule.handlers and self._uses.get(id(rule))]

    async def _call(self, rule: Rule, kind: str, token: Any) -> None:
        handler = rule.handlers.get(kind)
        if handler is not None:
            try:
                await self._invoke(handler, token)
            finally:
                token.expire()

    # ---- output

    def _write(self, data: bytes) -> None:
        if not self._emptied:
            self._out.append(data)

    def _write_token(self, mutations: Mutations, raw: bytes) -> None:
        self._write_all(mutations.before)
        if not mutations.is_removed:
            self._write(raw)
        self._write_all(mutations.replacement)
        self._write_all(mutations.after)

    def _write_all(self, contents: list[Content]) -> None:
        if self._emptied:
            return
        for content in contents:
            if isinstance(content.source, bytes):
                self._out.append(content.source)
            else:
                self._out.append(content)
                self._has_streams = True

    async def _drain(self) -> AsyncIterator[bytes]:
        """Yield what has been written, joined where it can be; a handler's streams are read now."""
        written, self._out, self._has_streams = self._out, [], False
        joined: list[bytes] = []
        for part in written:
            if isinstance(part, bytes):
                joined.append(part)
                continue
            if joined:
                yield b"".join(joined)
                joined.clear()
            async for chunk in self._read(part):
                yield chunk
        if joined:
            yield b"".join(joined)

    async def _read(self, content: Content) -> AsyncIterator[bytes]:
        assert not isinstance(content.source, bytes)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        async for chunk in content.source.chunks():
            text = decoder.decode(chunk)
            yield self._charset.encode(text if content.is_html else escape(text))

    def _new_decoder(self) -> codecs.IncrementalDecoder:
        codec, errors = codec_of(self._charset.name, fatal=False)
        return codecs.getincrementaldecoder(codec)(errors)
