"""The tokens of an HTML document, as bytes of the document's encoding, and what handlers do to them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pyworkers.js.encoding_labels import codec_of
from pyworkers.js.streams.readable import ReadableStream

# Name, then the value in double quotes, in single quotes or without; a name may start with "=".
ATTRIBUTE: Final = (
    rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"[^"]*+"|'[^']*+'|[^\t\n\f\r >"'][^\t\n\f\r >]*+|(?=>))"""
    rb"|(?![\t\n\f\r ]*+=))"
)
_ATTRIBUTE_PARTS: Final = re.compile(
    rb"([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|([^\t\n\f\r >"'][^\t\n\f\r >]*+)|(?=\Z)))?"""
)


_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape(text: str) -> str:
    """Write text as HTML."""
    return text.translate(_MARKUP)


@dataclass(frozen=True, slots=True)
class Charset:
    """The document's encoding: how its text is read and written.

    Args:
        name: as in the Encoding Standard; compatible with ASCII.
    """

    name: str

    def decode(self, data: bytes) -> str:
        """Read text; wrong bytes become U+FFFD."""
        codec, errors = codec_of(self.name, fatal=False)
        return data.decode(codec, errors)

    def encode(self, text: str) -> bytes:
        """Write text; what the encoding lacks becomes a numeric character reference."""
        try:
            return text.encode(codec_of(self.name, fatal=False)[0], "xmlcharrefreplace")
        except UnicodeEncodeError:  # a lone surrogate, which has no reference either
            return self.encode(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))

    def has(self, text: str) -> bool:
        """Tell whether the encoding has all characters of a text."""
        try:
            text.encode(codec_of(self.name, fatal=False)[0])
        except UnicodeEncodeError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Content:
    """What a handler inserts: bytes ready to be written, or a stream that is read when they are."""

    source: bytes | ReadableStream
    is_html: bool


@dataclass(slots=True)
class Mutations:
    """What a handler puts around a token, or in its place."""

    before: list[Content] = field(default_factory=list)
    after: list[Content] = field(default_factory=list)
    replacement: list[Content] = field(default_factory=list)
    is_removed: bool = False

    def remove(self) -> None:
        """Drop the token."""
        self.is_removed = True

    def replace(self, content: Content) -> None:
        """Put content in the token's place."""
        self.is_removed = True
        self.replacement = [content]


@dataclass(slots=True)
class Markup:
    """Bytes that no handler sees."""

    raw: bytes


@dataclass(slots=True)
class Text:
    """A piece of text."""

    raw: bytes


@dataclass(slots=True)
class TextEnd:
    """The end of a run of text."""


@dataclass(slots=True)
class Comment:
    """A comment, or what counts as one."""

    raw: bytes
    text: bytes


@dataclass(slots=True)
class Doctype:
    """A document type declaration."""

    raw: bytes
    name: bytes | None
    public_id: bytes | None
    system_id: bytes | None


@dataclass(slots=True)
class EndTag:
    """An end tag; ``name`` is in lower case."""

    raw: bytes
    name: str


@dataclass(slots=True)
class Attribute:
    """An attribute; ``name`` in lower case, ``value`` as written, ``raw`` both with the quotes."""

    name: str
    value: str
    raw: bytes


@dataclass
class StartTag:
    """A start tag.

    Attributes:
        raw: the whole tag.
        raw_name: its name as written.
        inside: what is between the name and ``>``.
        namespace: the element's.
    """

    raw: bytes
    raw_name: bytes
    name: str
    inside: bytes
    charset: Charset
    namespace: str = ""

    @cached_property
    def attributes(self) -> list[Attribute]:
        """The attributes in order, duplicates too."""
        return [self._attribute(match) for match in _ATTRIBUTE_PARTS.finditer(self.inside)]

    def attribute_pairs(self) -> list[tuple[str, str]]:
        """Return names and values."""
        return [(attribute.name, attribute.value) for attribute in self.attributes]

    @cached_property
    def is_self_closing(self) -> bool:
        """Tell whether the tag ends in ``/>``; a slash that ends an unquoted value is none."""
        if self.inside[-1:] != b"/":
            return False
        end = max((match.end() for match in _ATTRIBUTE_PARTS.finditer(self.inside)), default=0)
        return end < len(self.inside)

    def _attribute(self, match: re.Match[bytes]) -> Attribute:
        name = match[1]
        value = match[match.lastindex] if match.lastindex != 1 and match.lastindex is not None else b""
        raw = match[0] if match.lastindex != 1 else name
        return Attribute(self.charset.decode(name.lower()), self.charset.decode(value), raw)


Token = Markup | Text | TextEnd | Comment | Doctype | StartTag | EndTag
