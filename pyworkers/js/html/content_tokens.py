"""What the handlers of an ``HTMLRewriter`` are given: elements, end tags, text, comments, the doctype, the end.

Each object is a view of a state that outlives it: the object is of use only while its handler runs.

Source: developers.cloudflare.com/workers/runtime-apis/html-rewriter; recorded, tests/unit/js/data/html_rewriter.json
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Self, TypeVar

from pyworkers.js.html import tokens
from pyworkers.js.html.tokens import Attribute, Charset, Content, Mutations, escape
from pyworkers.js.iterators import JsIterator
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsNull, is_nullish, jsnull, to_boolean, to_string
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsProxy, get_property, is_callable, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, string_argument

S = TypeVar("S")

_EXPIRED: Final = (
    "This content token is no longer valid. Content tokens are only valid during the execution of the relevant "
    "content handler."
)
_CHANGED: Final = (
    "The attributes of this element have been modified during iteration. You must create a new iterator after "
    "modifying attributes."
)
_NO_TAG_NAME: Final = re.compile(r"[ \n\r\t\f/>]")
_NO_ATTRIBUTE_NAME: Final = re.compile(r"[ \n\r\t\f/>=]")


# ---- states


@dataclass(slots=True)
class EndState:
    """What an element's handlers want of its end tag."""

    mutations: Mutations | None = None
    name: bytes | None = None
    handlers: list[Callable[[Any], object]] = field(default_factory=list)

    @property
    def is_used(self) -> bool:
        """Tell whether there is anything to do."""
        return self.mutations is not None or self.name is not None or bool(self.handlers)

    def around(self) -> Mutations:
        """Return the mutations."""
        if self.mutations is None:
            self.mutations = Mutations()
        return self.mutations


class ElementState:
    """An element that handlers see, and what they do to it.

    Attributes:
        mutations: of the start tag.
        is_emptied: the content is dropped.
        is_opened: something goes into the element, whose tag is not written as self-closing then.
        version: counts changes of the attributes.
    """

    def __init__(self, tag: tokens.StartTag, charset: Charset, *, can_have_content: bool) -> None:
        self.tag = tag
        self.charset = charset
        self.can_have_content = can_have_content
        self.mutations = Mutations()
        self.end = EndState()
        self.is_emptied = False
        self.is_opened = False
        self.version = 0
        self._attributes: list[Attribute] | None = None
        self._name: bytes | None = None

    @property
    def attributes(self) -> list[Attribute]:
        """The attributes as they are now."""
        return self.tag.attributes if self._attributes is None else self._attributes

    @property
    def name(self) -> str:
        """The tag name."""
        return self.tag.name if self._name is None else self.charset.decode(self._name.lower())

    def rename(self, name: str) -> None:
        """Change the name of both tags."""
        self._name = _checked_tag_name(name, self.charset)
        if self.can_have_content:
            self.end.name = self._name

    def find(self, name: str) -> Attribute | None:
        """Return the first attribute of a name."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)

    def set(self, name: str, value: str) -> None:
        """Change the first attribute of a name, or add one."""
        raw_name = self.charset.encode(name)
        raw = b'%s="%s"' % (raw_name, self.charset.encode(value.replace('"', "&quot;")))
        attribute, old = Attribute(name, value, raw), self.find(name)
        changed = [attribute if each is old else each for each in self.attributes]
        self._attributes = changed if old is not None else [*changed, attribute]
        self.version += 1

    def discard(self, name: str) -> None:
        """Remove the first attribute of a name."""
        old = self.find(name)
        if old is not None:
            self._attributes = [each for each in self.attributes if each is not old]
            self.version += 1

    def empty(self) -> None:
        """Drop the content, also what was put before and after it."""
        self.is_emptied = True
        self.mutations.after.clear()
        if self.end.mutations is not None:
            self.end.mutations.before.clear()

    def serialize(self) -> bytes:
        """Write the start tag; as it came where nothing changed."""
        if self._attributes is None and self._name is None:
            return self.tag.raw
        attributes = b"".join(b" " + attribute.raw for attribute in self.attributes)
        end = b">"
        if self.tag.is_self_closing and not self.is_opened:
            end = b" />" if attributes else b"/>"
        return b"<" + (self.tag.raw_name if self._name is None else self._name) + attributes + end


class EndTagState:
    """An end tag that handlers see."""

    def __init__(self, tag: tokens.EndTag, charset: Charset) -> None:
        self.tag = tag
        self.charset = charset
        self.mutations = Mutations()
        self._name: bytes | None = None

    @property
    def name(self) -> str:
        """The tag name."""
        return self.tag.name if self._name is None else self.charset.decode(self._name)

    def rename(self, name: str) -> None:
        """Change the name."""
        self._name = _checked_tag_name(name, self.charset)

    def take_over(self, end: EndState) -> None:
        """Apply what an element's handlers want; of several elements that one tag closes the outermost wins."""
        if end.name is not None:
            self._name = end.name
        if end.mutations is not None:
            self.mutations = end.mutations

    def serialize(self) -> bytes:
        """Write the tag."""
        return self.tag.raw if self._name is None else b"</" + self._name + b">"


class TextState:
    """A piece of text that handlers see."""

    def __init__(self, text: str, charset: Charset, *, is_last: bool) -> None:
        self.text = text
        self.charset = charset
        self.is_last = is_last
        self.mutations = Mutations()


class CommentState:
    """A comment that handlers see."""

    def __init__(self, comment: tokens.Comment, charset: Charset) -> None:
        self._comment = comment
        self.charset = charset
        self.mutations = Mutations()
        self._text: str | None = None

    @property
    def text(self) -> str:
        """What is between the marks."""
        return self.charset.decode(self._comment.text) if self._text is None else self._text

    def rewrite(self, text: str) -> None:
        """Change the text."""
        if "-->" in text:
            raise _parser_error("Comment text shouldn't contain comment closing sequence (`-->`).")
        self._text = text

    def serialize(self) -> bytes:
        """Write the comment."""
        return self._comment.raw if self._text is None else b"<!--" + self.charset.encode(self._text) + b"-->"


class DocumentEndState:
    """The end of the document."""

    def __init__(self, charset: Charset) -> None:
        self.charset = charset
        self.contents: list[Content] = []


# ---- what handlers see


class _Token(JsProxy, Generic[S]):
    _expired = False

    def __init__(self, state: S) -> None:
        self._held = state

    def expire(self) -> None:
        """Make the object useless: its handler has ended."""
        self._expired = True

    @property
    def _state(self) -> S:
        if self._expired:
            raise type_error(_EXPIRED)
        return self._held

    def _content(self, method: str, args: tuple[Any, ...], charset: Charset) -> Content:
        return _read_content(self.js_name, method, args, charset)


class _Replaceable(_Token[S]):
    """What has neighbours, and can be replaced."""

    @property
    def removed(self) -> bool:
        """Tell whether the token was removed or replaced."""
        return self._around.is_removed

    @js_method
    def before(self, *args: Any) -> Self:
        """Insert content before; later calls come after earlier ones."""
        self._around.before.append(self._content("before", args, self._charset))
        return self

    @js_method
    def after(self, *args: Any) -> Self:
        """Insert content after; later calls come before earlier ones."""
        self._around.after.insert(0, self._content("after", args, self._charset))
        return self

    @js_method
    def replace(self, *args: Any) -> Self:
        """Replace the token."""
        self._around.replace(self._content("replace", args, self._charset))
        return self

    def remove(self, *_: object) -> Self:
        """Remove the token."""
        self._around.remove()
        return self

    @property
    def _around(self) -> Mutations:
        state: Any = self._state
        return state.mutations

    @property
    def _charset(self) -> Charset:
        state: Any = self._state
        return state.charset


class Element(_Replaceable[ElementState]):
    """An element whose start tag was met."""

    @property
    def tagName(self) -> str:
        """The name, in lower case unless it was set."""
        return self._state.name

    @tagName.setter
    def tagName(self, value: object) -> None:
        self._state.rename(to_string(value))

    @property
    def namespaceURI(self) -> str:
        """The namespace."""
        return self._state.tag.namespace

    @property
    def attributes(self) -> AttributesIterator:
        """An iterator of ``[name, value]``."""
        return AttributesIterator(self._pairs(self._state))

    def getAttribute(self, name: Any = MISSING, *_: object) -> str | JsNull:
        """Return an attribute's value as it is written, or null."""
        found = self._state.find(self._lowered(name, "getAttribute"))
        return jsnull if found is None else found.value

    def hasAttribute(self, name: Any = MISSING, *_: object) -> bool:
        """Tell whether there is an attribute of this name."""
        return self._state.find(self._lowered(name, "hasAttribute")) is not None

    def setAttribute(self, name: Any = MISSING, value: Any = MISSING, *_: object) -> Self:
        """Give an attribute a value; quotes in it are escaped."""
        state = self._state
        lowered = self._lowered(name, "setAttribute")
        text = string_argument(value, self.js_name, "setAttribute", 2)
        _check_attribute_name(lowered, state.charset)
        state.set(lowered, text)
        return self

    def removeAttribute(self, name: Any = MISSING, *_: object) -> Self:
        """Remove an attribute."""
        self._state.discard(self._lowered(name, "removeAttribute"))
        return self

    @js_method
    def after(self, *args: Any) -> Self:
        """Insert content after the end tag."""
        state = self._state
        around = state.end.around() if state.can_have_content else state.mutations
        around.after.insert(0, self._content("after", args, state.charset))
        return self

    @js_method
    def prepend(self, *args: Any) -> Self:
        """Insert content at the start of the element."""
        content, state = self._content("prepend", args, self._charset), self._state
        if state.can_have_content:
            state.is_opened = True
            state.mutations.after.insert(0, content)
        return self

    @js_method
    def append(self, *args: Any) -> Self:
        """Insert content at the end of the element."""
        content, state = self._content("append", args, self._charset), self._state
        if state.can_have_content:
            state.is_opened = True
            state.end.around().before.append(content)
        return self

    @js_method
    def replace(self, *args: Any) -> Self:
        """Replace the element and what is in it."""
        content, state = self._content("replace", args, self._charset), self._state
        state.mutations.replace(content)
        self._drop_content(state)
        return self

    def remove(self, *_: object) -> Self:
        """Remove the element and what is in it."""
        state = self._state
        state.mutations.remove()
        self._drop_content(state)
        return self

    def removeAndKeepContent(self, *_: object) -> Self:
        """Remove the tags only."""
        state = self._state
        state.mutations.remove()
        if state.can_have_content:
            state.end.around().remove()
        return self

    @js_method
    def setInnerContent(self, *args: Any) -> Self:
        """Replace what is in the element."""
        content, state = self._content("setInnerContent", args, self._charset), self._state
        if state.can_have_content:
            state.is_opened = True
            state.empty()
            state.mutations.after.append(content)
        return self

    def onEndTag(self, handler: Any = MISSING, *_: object) -> None:
        """Call ``handler`` with the end tag; a later one takes its place.

        Raises:
            JsException: TypeError, for an element that has no end tag.
        """
        state = self._state
        if not is_callable(handler):
            raise argument_error(self.js_name, "onEndTag", 1, "function")
        if not state.can_have_content:
            raise _parser_error("No end tag.")
        state.end.handlers = [handler]

    def _drop_content(self, state: ElementState) -> None:
        if state.can_have_content:
            state.empty()
            state.end.around().remove()

    def _pairs(self, state: ElementState) -> Iterator[JsArray]:
        version = state.version
        for attribute in state.attributes:
            if self._state.version != version:
                raise JsException("Error", _CHANGED)
            yield JsArray([attribute.name, attribute.value])

    def _lowered(self, name: object, method: str) -> str:
        text = string_argument(name, self.js_name, method, 1)
        return text.lower() if text.isascii() else text.encode().lower().decode()


class AttributesIterator(JsIterator):
    """What ``attributes`` is."""


class EndTag(_Token[EndTagState]):
    """An end tag."""

    @property
    def name(self) -> str:
        """The tag name."""
        return self._state.name

    @name.setter
    def name(self, value: object) -> None:
        self._state.rename(to_string(value))

    @js_method
    def before(self, *args: Any) -> Self:
        """Insert content before; later calls come after earlier ones."""
        state = self._state
        state.mutations.before.append(self._content("before", args, state.charset))
        return self

    @js_method
    def after(self, *args: Any) -> Self:
        """Insert content after; later calls come before earlier ones."""
        state = self._state
        state.mutations.after.insert(0, self._content("after", args, state.charset))
        return self

    def remove(self, *_: object) -> Self:
        """Remove the tag."""
        self._state.mutations.remove()
        return self


class Text(_Replaceable[TextState]):
    """A piece of text; the last one of a run is empty, with ``lastInTextNode``."""

    @property
    def text(self) -> str:
        """The text as it is written, with its character references."""
        return self._state.text

    @property
    def lastInTextNode(self) -> bool:
        """Tell whether the run ends here."""
        return self._state.is_last


class Comment(_Replaceable[CommentState]):
    """A comment."""

    @property
    def text(self) -> str:
        """The text."""
        return self._state.text

    @text.setter
    def text(self, value: object) -> None:
        self._state.rewrite(to_string(value))


class Doctype(_Token[tokens.Doctype]):
    """A document type declaration."""

    def __init__(self, token: tokens.Doctype, charset: Charset) -> None:
        super().__init__(token)
        self._charset = charset

    @property
    def name(self) -> str | JsNull:
        """The name, or null."""
        return self._text(self._state.name)

    @property
    def publicId(self) -> str | JsNull:
        """The public identifier, or null."""
        return self._text(self._state.public_id)

    @property
    def systemId(self) -> str | JsNull:
        """The system identifier, or null."""
        return self._text(self._state.system_id)

    def _text(self, value: bytes | None) -> str | JsNull:
        return jsnull if value is None else self._charset.decode(value)


class DocumentEnd(_Token[DocumentEndState]):
    """The end of the document."""

    @js_method
    def append(self, *args: Any) -> Self:
        """Insert content at the very end; later calls come after earlier ones."""
        state = self._state
        state.contents.append(self._content("append", args, state.charset))
        return self


def _parser_error(message: str) -> JsException:
    return type_error(f"Parser error: {message}")


def _checked_tag_name(name: str, charset: Charset) -> bytes:
    if not name:
        raise _parser_error("Tag name can't be empty.")
    if not (name[0].isascii() and name[0].isalpha()):
        raise _parser_error("The first character of the tag name should be an ASCII alphabetical character.")
    _check_name(_NO_TAG_NAME.search(name), name, "tag", charset)
    return charset.encode(name)


def _check_attribute_name(name: str, charset: Charset) -> None:
    if not name:
        raise _parser_error("Attribute name can't be empty.")
    _check_name(_NO_ATTRIBUTE_NAME.search(name), name, "attribute", charset)


def _check_name(forbidden: re.Match[str] | None, name: str, kind: str, charset: Charset) -> None:
    if forbidden is not None:
        raise _parser_error(f"`{forbidden[0]}` character is forbidden in the {kind} name")
    if not charset.has(name):
        raise _parser_error(
            f"The {kind} name contains a character that can't be represented in the document's character encoding."
        )


def _read_content(class_name: str, method: str, args: tuple[Any, ...], charset: Charset) -> Content:
    """Read the arguments ``(content, {html})``: text, a stream, or a response whose body is taken."""
    source, options = (*args, MISSING, None)[:2] if args else (MISSING, None)
    if source is MISSING:
        raise argument_error(class_name, method, 1, "string or ReadableStream or Response")
    if not is_nullish(options) and options is not MISSING and not is_object(options):
        raise argument_error(class_name, method, 2, "ContentOptions")
    is_html = to_boolean(get_property(options, "html"))
    if getattr(source, "js_name", None) == "Response":
        taken = source.take_body()
        source = taken.decode("utf-8", "replace") if isinstance(taken, bytes) else "" if taken is None else taken
    if isinstance(source, ReadableStream):
        return Content(source, is_html)
    text = to_string(source)
    return Content(charset.encode(text if is_html else escape(text)), is_html)
