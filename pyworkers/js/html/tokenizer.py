"""Splits HTML into tokens, piece by piece, the bytes of every token kept.

Text comes as soon as it is there; a tag or comment that is not complete waits for the next piece.

Source: html.spec.whatwg.org, section 13.2.5; recorded, tests/unit/js/data/html_rewriter.json
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from pyworkers.js.html.text_modes import TextModes
from pyworkers.js.html.tokens import (
    ATTRIBUTE,
    Charset,
    Comment,
    Doctype,
    EndTag,
    Markup,
    StartTag,
    Text,
    TextEnd,
    Token,
)

_TAG: Final = re.compile(
    rb"<(/?)([a-zA-Z][^\t\n\f\r />]*+)((?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+)>",
)
_COMMENT_END: Final = re.compile(rb"--!?>")
_UNFINISHED_COMMENT_END: Final = re.compile(rb"--?!?\Z")
_DOCTYPE: Final = re.compile(
    rb"""[\t\n\f\r ]*+([^\t\n\f\r >]++)?[\t\n\f\r ]*+(?:(?i:public)[\t\n\f\r ]*+(?:"([^">]*+)"?|'([^'>]*+)'?)|"""
    rb"""(?i:system)(?=[\t\n\f\r ]*+["']))?[\t\n\f\r ]*+(?:"([^">]*+)"?|'([^'>]*+)'?)?"""
)
# The pieces in which handlers see such text.
_TEXT_PIECE: Final = re.compile(rb"<(?:/[a-zA-Z]*+)?|[^<]++")
_SCRIPT_PIECE: Final = re.compile(rb"<(?:/[a-zA-Z]*+|!(?:--(?:(?!-->)[^<])*+(?:--(?=>))?)?)?|[^<]++")
_SCRIPT_STEP: Final = re.compile(rb"<!--|-->|<(/?)script[\t\n\f\r />]", re.IGNORECASE)
_SCRIPT_UNFINISHED: Final = re.compile(rb"<(?:!-?|/?[a-z]*)\Z", re.IGNORECASE)
_CDATA: Final = b"<![CDATA["
_CDATA_END: Final = b"]]>"

# Reads tokens from a position of the data; gives None where the rest has to wait, else the position after it.
_Step = Callable[[bytes, int, bool], Iterator[Token]]


class Tokenizer:
    """Gives the tokens of a document whose bytes come in pieces of any size."""

    def __init__(self, charset: Charset) -> None:
        self._charset = charset
        self._modes = TextModes()
        self._rest = b""
        self._in_text = False
        self._position = 0
        self._state: _Step = self._read_markup
        self._text_element = ""
        self._in_double_script = False
        self._in_script_comment = False
        self._script_tail = b""

    def feed(self, data: bytes, *, is_last: bool = False) -> Iterator[Token]:
        """Yield the tokens that are complete; with ``is_last`` what is left, too.

        Raises:
            JsException: TypeError, where the document is ambiguous; see `TextModes.open`.
        """
        data = self._rest + data if self._rest else data
        self._rest, self._position = b"", 0
        while self._position < len(data):
            start, state = self._position, self._state
            yield from state(data, start, is_last)
            if self._position == start and self._state == state:
                break
        rest = data[self._position :]
        if not is_last:
            self._rest = rest
            return
        if rest:
            yield from self._end_text()
            yield Markup(rest)
        yield from self._end_text()

    # ---- markup and the text between

    def _read_markup(self, data: bytes, start: int, is_last: bool) -> Iterator[Token]:
        opening = data.find(b"<", start)
        if opening != start:
            end = len(data) if opening < 0 else opening
            yield from self._text(data[start:end])
            self._position = end
            return
        following = data[start + 1 : start + 2]
        if following.isalpha():
            yield from self._read_tag(data, start)
        elif following == b"/":
            yield from self._read_end_tag(data, start, is_last)
        elif following == b"!":
            yield from self._read_declaration(data, start, is_last)
        elif following == b"?":
            yield from self._read_bogus_comment(data, start, start + 1, is_last)
        elif following or is_last:
            yield from self._text(b"<")
            self._position = start + 1

    def _read_tag(self, data: bytes, start: int) -> Iterator[Token]:
        match = _TAG.match(data, start)
        if match is None:
            return
        self._position = match.end()
        raw, name = match[0], self._charset.decode(match[2].lower())
        if match[1]:
            end_tag = EndTag(raw, name)
            self._modes.close(end_tag)
            yield from self._end_text()
            yield end_tag
            return
        tag = StartTag(raw, match[2], name, match[3], self._charset)
        text_element = self._modes.open(tag)
        tag.namespace = self._modes.namespace
        if text_element is not None:
            self._enter_text(text_element)
        yield from self._end_text()
        yield tag

    def _read_end_tag(self, data: bytes, start: int, is_last: bool) -> Iterator[Token]:
        following = data[start + 2 : start + 3]
        if following.isalpha():
            yield from self._read_tag(data, start)
        elif following == b">":
            yield from self._end_text()
            yield Markup(b"</>")
            self._position = start + 3
        elif following:
            yield from self._read_bogus_comment(data, start, start + 2, is_last)
        elif is_last:
            yield from self._text(b"</")
            self._position = start + 2

    def _read_declaration(self, data: bytes, start: int, is_last: bool) -> Iterator[Token]:
        head = data[start : start + 9].upper()
        if head.startswith(b"<!--"):
            yield from self._read_comment(data, start, is_last)
        elif head == b"<!DOCTYPE":
            yield from self._read_doctype(data, start, is_last)
        elif self._modes.allows_cdata and data.startswith(_CDATA, start):
            yield from self._end_text()
            yield Markup(_CDATA)
            self._position = start + len(_CDATA)
            self._state = self._read_cdata
        elif is_last or not self._may_become_declaration(data[start : start + 9]):
            yield from self._read_bogus_comment(data, start, start + 2, is_last)

    def _may_become_declaration(self, head: bytes) -> bool:
        if b"<!--".startswith(head) or b"<!DOCTYPE".startswith(head.upper()):
            return True
        return self._modes.allows_cdata and _CDATA.startswith(head)

    def _read_comment(self, data: bytes, start: int, is_last: bool) -> Iterator[Token]:
        begin = start + 4
        short = next((end for end in (b">", b"->") if data.startswith(end, begin)), None)
        if short is not None:
            yield from self._comment(data[start : begin + len(short)], b"")
            return
        match = _COMMENT_END.search(data, begin)
        if match is not None:
            yield from self._comment(data[start : match.end()], data[begin : match.start()])
        elif is_last:
            yield from self._comment(data[start:], _UNFINISHED_COMMENT_END.sub(b"", data[begin:]))

    def _read_bogus_comment(self, data: bytes, start: int, begin: int, is_last: bool) -> Iterator[Token]:
        end = data.find(b">", begin)
        if end >= 0:
            yield from self._comment(data[start : end + 1], data[begin:end])
        elif is_last:
            yield from self._comment(data[start:], data[begin:])

    def _comment(self, raw: bytes, text: bytes) -> Iterator[Token]:
        yield from self._end_text()
        self._position += len(raw)
        yield Comment(raw, text)

    def _read_doctype(self, data: bytes, start: int, is_last: bool) -> Iterator[Token]:
        end = data.find(b">", start)
        if end < 0:
            if not is_last:
                return
            end = len(data)
        yield from self._end_text()
        self._position = min(end + 1, len(data))
        match = _DOCTYPE.match(data, start + 9, end)
        assert match is not None  # every part of it is optional
        name = None if match[1] is None else match[1].lower()
        public_id = match[2] if match[2] is not None else match[3]
        system_id = match[4] if match[4] is not None else match[5]
        yield Doctype(data[start : self._position], name, public_id, system_id)

    # ---- elements that hold text, and CDATA

    def _enter_text(self, name: str) -> None:
        self._text_element = name
        self._in_script_comment = self._in_double_script = False
        self._script_tail = b""
        states = {"plaintext": self._read_plain_text, "script": self._read_script}
        self._state = states.get(name, self._read_raw_text)

    def _read_plain_text(self, data: bytes, start: int, _is_last: bool) -> Iterator[Token]:
        yield from self._text(data[start:])
        self._position = len(data)

    def _read_raw_text(self, data: bytes, start: int, is_last: bool) -> Iterator[Token]:
        closing = b"</" + self._text_element.encode()
        search = start
        while (opening := data.find(b"<", search)) >= 0:
            head = data[opening : opening + len(closing) + 1].lower()
            if head[:-1] == closing and head[-1:] in b"\t\n\f\r />":
                self._state = self._read_markup
                break
            if not is_last and closing.startswith(head):
                break
            search = opening + 1
        end = len(data) if opening < 0 else opening
        yield from self._text_pieces(data[start:end], _TEXT_PIECE)
        self._position = end

    def _read_script(self, data: bytes, start: int, is_last: bool) -> Iterator[Token]:
        # The dashes of "-->" may have come before, and those of "<!--" may be the same ones.
        before = len(self._script_tail)
        script = self._script_tail + data[start:]
        search, end = 0, len(script)
        while (step := _SCRIPT_STEP.search(script, search)) is not None:
            if self._ends_script(step):
                self._state = self._read_markup
                end = step.start()
                break
            search = step.start() + 2 if step[0] == b"<!--" else step.end() - 1
        else:
            unfinished = None if is_last else _SCRIPT_UNFINISHED.search(script, max(search, before, end - 9))
            end = end if unfinished is None else unfinished.start()
        self._script_tail = script[:end][-2:] if end == len(script) else b""
        yield from self._text_pieces(script[before:end], _SCRIPT_PIECE)
        self._position = start + end - before

    def _ends_script(self, step: re.Match[bytes]) -> bool:
        """Follow comments in a script, inside of which a script element hides an end tag."""
        if step[0] == b"<!--":
            self._in_script_comment = True
        elif step[0] == b"-->":
            self._in_script_comment = self._in_double_script = False
        elif not step[1]:
            self._in_double_script = self._in_script_comment
        elif self._in_double_script:
            self._in_double_script = False
        else:
            return True
        return False

    def _read_cdata(self, data: bytes, start: int, is_last: bool) -> Iterator[Token]:
        end = data.find(_CDATA_END, start)
        if end >= 0:
            yield from self._text(data[start:end])
            yield from self._end_text()
            yield Markup(_CDATA_END)
            self._position = end + len(_CDATA_END)
            self._state = self._read_markup
            return
        kept = 0 if is_last else next((size for size in (2, 1) if data.endswith(b"]" * size)), 0)
        end = max(start, len(data) - kept)
        yield from self._text(data[start:end])
        self._position = end

    # ---- text

    def _text(self, raw: bytes) -> Iterator[Token]:
        if raw:
            self._in_text = True
            yield Text(raw)

    def _text_pieces(self, raw: bytes, pieces: re.Pattern[bytes]) -> Iterator[Token]:
        for piece in pieces.finditer(raw):
            yield from self._text(piece[0])

    def _end_text(self) -> Iterator[Token]:
        if self._in_text:
            self._in_text = False
            yield TextEnd()
