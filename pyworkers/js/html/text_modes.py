"""What a tokenizer has to know of the tree to read a tag's content rightly: text elements and foreign content.

Source: html.spec.whatwg.org, section 13.2.6; recorded, tests/unit/js/data/html_rewriter.json
"""

from __future__ import annotations

from typing import Final

from pyworkers.js.html.tokens import EndTag, StartTag
from pyworkers.js.values import type_error

HTML: Final = "http://www.w3.org/1999/xhtml"
SVG: Final = "http://www.w3.org/2000/svg"
MATHML: Final = "http://www.w3.org/1998/Math/MathML"

# Elements whose content is text. `title` and `textarea` differ from the others only in character references.
TEXT_ELEMENTS: Final = frozenset(
    {"textarea", "title", "plaintext", "script", "style", "iframe", "xmp", "noembed", "noframes", "noscript"}
)
_LEAVING_NAMES: Final = (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
)
_LEAVE_FOREIGN: Final = frozenset(_LEAVING_NAMES.split())
_MATHML_TEXT: Final = frozenset({"mi", "mo", "mn", "ms", "mtext"})
_SVG_HTML: Final = frozenset({"desc", "title", "foreignobject"})
_FONT_ATTRIBUTES: Final = frozenset({"color", "size", "face"})
_HTML_ENCODINGS: Final = frozenset({"text/html", "application/xhtml+xml"})
_AMBIGUOUS: Final = (
    "Parser error: The parser has encountered a text content tag (`<{}>`) in the context where it is ambiguous whether "
    "this tag should be ignored or not. And, thus, is is unclear is consequent content should be parsed as raw text or "
    "HTML markup.\n\nThis error occurs due to the limited capabilities of the streaming parsing. However, almost all "
    "of the cases of this error are caused by a non-conforming markup (e.g. a `<script>` element in `<select>` "
    "element)."
)


class TextModes:
    """Follows the tags, and tells how what comes after each is to be read.

    Attributes:
        namespace: where the next element is.
    """

    def __init__(self) -> None:
        self.namespace = HTML
        self._around: list[str] = []  # the namespaces that this one is inside of
        self._guard = _Guard()

    @property
    def allows_cdata(self) -> bool:
        """Tell whether ``<![CDATA[`` opens text."""
        return self.namespace != HTML

    def open(self, tag: StartTag) -> str | None:
        """Take note of a start tag; returns the name of the element whose content is text, or None.

        Raises:
            JsException: TypeError, where only a tree could tell how to go on.
        """
        name = tag.name
        self._guard.open(name)
        if name == "svg":
            self._enter(SVG)
        elif name == "math":
            self._enter(MATHML)
        elif self.namespace == HTML:
            return name if name in TEXT_ELEMENTS else None
        else:
            self._open_foreign(tag)
        return None

    def close(self, tag: EndTag) -> None:
        """Take note of an end tag."""
        name = tag.name
        self._guard.close(name)
        if self.namespace != HTML:
            if name in ("p", "br", "svg" if self.namespace == SVG else "math"):
                self._leave()
        elif self._around:
            outer = self._around[-1]
            if (outer == SVG and name in _SVG_HTML) or (
                outer == MATHML and (name in _MATHML_TEXT or name == "annotation-xml")
            ):
                self._leave()

    def _open_foreign(self, tag: StartTag) -> None:
        name = tag.name
        if name in _LEAVE_FOREIGN or (name == "font" and not _FONT_ATTRIBUTES.isdisjoint(dict(tag.attribute_pairs()))):
            self._leave()
        elif not tag.is_self_closing and self._holds_html(tag):
            self._enter(HTML)

    def _holds_html(self, tag: StartTag) -> bool:
        if self.namespace == SVG:
            return tag.name in _SVG_HTML
        if tag.name == "annotation-xml":
            return any(name == "encoding" and value.lower() in _HTML_ENCODINGS for name, value in tag.attribute_pairs())
        return tag.name in _MATHML_TEXT

    def _enter(self, namespace: str) -> None:
        self._around.append(self.namespace)
        self.namespace = namespace

    def _leave(self) -> None:
        self.namespace = self._around.pop() if self._around else HTML


class _Guard:
    """Refuses text elements where a tree builder might ignore their start tag: then what follows is no text."""

    def __init__(self) -> None:
        self._in_select = False
        self._templates = 0  # how many are open inside the select
        self._after_frameset = False

    def open(self, name: str) -> None:
        if self._after_frameset:
            if name != "noframes":
                self._refuse(name)
        elif self._templates:
            if name == "template":
                self._templates += 1
            else:
                self._refuse(name)
        elif self._in_select:
            if name in ("select", "textarea", "input", "keygen"):
                self._in_select = False
            elif name == "template":
                self._templates = 1
            elif name != "script":
                self._refuse(name)
        elif name == "select":
            self._in_select = True
        elif name == "frameset":
            self._after_frameset = True

    def close(self, name: str) -> None:
        if self._after_frameset:
            return
        if self._templates:
            self._templates -= name == "template"
        elif name == "select":
            self._in_select = False

    @staticmethod
    def _refuse(name: str) -> None:
        if name in TEXT_ELEMENTS:
            raise type_error(_AMBIGUOUS.format(name))
