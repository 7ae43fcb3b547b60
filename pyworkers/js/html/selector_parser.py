"""Parses selectors, with the runtime's texts for what is wrong.

Source: drafts.csswg.org/css-syntax-3, drafts.csswg.org/selectors-4; recorded, tests/unit/js/data/html_rewriter.json
"""

from __future__ import annotations

import re
from typing import Final

from pyworkers.js.html.selectors import (
    Complex,
    Compound,
    Selector,
    Test,
    compares,
    everything,
    has_attribute,
    has_class,
    has_id,
    is_not,
    is_nth,
    is_type,
    nothing,
)
from pyworkers.js.values import JsException, stack_overflow, type_error

_ESCAPE: Final = r"\\(?:[0-9a-fA-F]{1,6}(?:\r\n|[ \t\r\n\f])?|[^\r\n\f0-9a-fA-F]|\Z)"
_IDENTIFIER: Final = re.compile(
    rf"(?:--|-?(?:[a-zA-Z_\u0080-\U0010ffff]|{_ESCAPE}))(?:[a-zA-Z0-9_\-\u0080-\U0010ffff]|{_ESCAPE})*"
)
_ESCAPED: Final = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(.)|\Z)", re.DOTALL)
_STRING: Final = re.compile(
    r"\"((?:[^\"\\\n\r\f]|\\(?:\r\n|[\s\S]|\Z))*)(?:\"|\Z)|'((?:[^'\\\n\r\f]|\\(?:\r\n|[\s\S]|\Z))*)(?:'|\Z)"
)
_SPACE: Final = re.compile(r"(?:[ \t\r\n\f]|/\*.*?(?:\*/|\Z))+", re.DOTALL)
_NTH: Final = re.compile(
    r"(even|odd)(?![\w-])|([+-]?\d*)n(?:\s*([+-])\s*(\d+))?(?![\w+-])|([+-]?\d+)(?!\w)", re.IGNORECASE
)
_SIMPLE_NTH: Final = {"first-child": False, "first-of-type": True}
_NTH_OF_TYPE: Final = {"nth-child": False, "nth-of-type": True}


def parse_selector(text: str) -> Selector:
    """Parse a selector.

    Raises:
        JsException: TypeError, "Parser error: " and what the runtime says.
    """
    parser = _Parser(text)
    try:
        selector = parser.read_list()
    except RecursionError:
        raise stack_overflow() from None
    if not parser.is_at_end:
        raise _error("Unexpected token in selector.")
    return selector


def _error(message: str) -> JsException:
    return type_error(f"Parser error: {message}")


_EMPTY: Final = "The selector is empty."
_UNEXPECTED: Final = "Unexpected token in selector."
_UNEXPECTED_IN_ATTRIBUTE: Final = "Unexpected token in the attribute selector."
_END: Final = "Unexpected end of selector."
_NAMESPACE: Final = "Selectors with explicit namespaces are not supported."
_PSEUDO: Final = "Unsupported pseudo-class or pseudo-element in selector."


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    # ---- reading

    @property
    def is_at_end(self) -> bool:
        return self._place >= len(self._text)

    def _starts(self, text: str) -> bool:
        return self._text.startswith(text, self._place)

    def _accept(self, text: str) -> bool:
        if not self._starts(text):
            return False
        self._place += len(text)
        return True

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._place)
        if match is not None:
            self._place = match.end()
        return match

    def _skip_space(self) -> bool:
        return self._match(_SPACE) is not None

    def _identifier(self) -> str | None:
        match = self._match(_IDENTIFIER)
        return None if match is None else _ESCAPED.sub(_unescape, match[0])

    # ---- grammar

    def read_list(self) -> Selector:
        alternatives = [self._complex()]
        while self._accept(","):
            alternatives.append(self._complex())
        return Selector(alternatives)

    def _complex(self) -> Complex:
        self._skip_space()
        compounds = [self._compound(_EMPTY)]
        combinators: list[str] = []
        while True:
            had_space = self._skip_space()
            if self.is_at_end or self._starts(",") or self._starts(")"):
                return Complex(tuple(compounds), tuple(combinators))
            if self._accept(">"):
                self._skip_space()
                combinators.append(">")
                compounds.append(self._compound("Dangling combinator in selector."))
                continue
            self._refuse_sibling()
            if not had_space:
                raise _error(_UNEXPECTED)
            combinators.append(" ")
            compounds.append(self._compound(_UNEXPECTED))

    def _refuse_sibling(self) -> None:
        for combinator in "+~":
            if self._accept(combinator):
                self._skip_space()
                self._compound("Dangling combinator in selector.")
                raise _error(f"Unsupported combinator `{combinator}` in selector.")

    def _compound(self, nothing_here: str) -> Compound:
        """Read simple selectors; ``nothing_here`` is the error where there is none."""
        tests: list[Test] = []
        type_test = self._type()
        if type_test is not None:
            tests.append(type_test)
        while (test := self._simple()) is not None:
            tests.append(test)
        if not tests:
            raise _error(nothing_here)
        return Compound(tuple(tests))

    def _type(self) -> Test | None:
        if self._accept("|"):
            self._name_after_bar()
            return nothing
        if self._accept("*"):
            return self._name_after_bar() if self._accept("|") else everything
        name = self._identifier()
        if name is None:
            return None
        if self._starts("|"):
            raise _error(_NAMESPACE)
        return is_type(name)

    def _name_after_bar(self) -> Test:
        if self._accept("*"):
            return everything
        name = self._identifier()
        if name is None:
            raise _error(_UNEXPECTED)
        return is_type(name)

    def _simple(self) -> Test | None:
        if self._starts("#"):
            place = self._place
            self._place += 1
            name = self._identifier()
            if name is None:
                self._place = place
                return None
            return has_id(name)
        if self._starts("."):
            return self._class()
        if self._accept("["):
            return self._attribute()
        return self._pseudo() if self._accept(":") else None

    def _class(self) -> Test | None:
        following = self._text[self._place + 1 : self._place + 2]
        if following.isdecimal():
            return None  # a number
        self._place += 1
        name = self._identifier()
        if name is None:
            raise _error("Invalid or unescaped class name in selector." if following else _END)
        return has_class(name)

    def _attribute(self) -> Test:
        name = self._attribute_name()
        self._skip_space()
        if self.is_at_end or self._accept("]"):
            return has_attribute(name)
        operator = next((each for each in ("=", "~=", "|=", "^=", "$=", "*=") if self._accept(each)), None)
        if operator is None:
            raise _error(_UNEXPECTED_IN_ATTRIBUTE)
        self._skip_space()
        value = self._value()
        self._skip_space()
        case = ""
        if not self.is_at_end and not self._starts("]"):
            case = (self._identifier() or "").lower()
            if case not in ("i", "s"):
                raise _error(_UNEXPECTED)
            self._skip_space()
        if not self.is_at_end and not self._accept("]"):
            raise _error(_UNEXPECTED)
        return compares(name, operator, value, case)

    def _attribute_name(self) -> str:
        self._skip_space()
        if self._starts("*|") and not self._starts("*|="):
            raise _error(_NAMESPACE)
        if self._starts("|") and not self._starts("|="):
            self._accept("|")
        name = self._identifier()
        if name is None:
            is_missing = not (self.is_at_end or self._starts("]"))
            raise _error("Missing attribute name in attribute selector." if is_missing else _END)
        if self._starts("|") and not self._starts("|="):
            raise _error(_NAMESPACE)
        return name

    def _value(self) -> str:
        if self.is_at_end or self._starts("]"):
            raise _error(_END)
        match = self._match(_STRING)
        if match is not None:
            return _ESCAPED.sub(_unescape, match[1] if match[1] is not None else match[2])
        value = self._identifier()
        if value is None:
            raise _error(_UNEXPECTED_IN_ATTRIBUTE)
        return value

    def _pseudo(self) -> Test:
        if self._accept(":"):
            raise _error(_END if self.is_at_end else _PSEUDO)
        name = self._identifier()
        if name is None:
            raise _error(_END if self.is_at_end else _UNEXPECTED)
        lowered = name.lower()
        if not self._accept("("):
            if lowered in _SIMPLE_NTH:
                return is_nth(0, 1, of_type=_SIMPLE_NTH[lowered])
            raise _error(_PSEUDO)
        if lowered == "not":
            inner = self.read_list()
            self._close()
            return is_not(inner)
        if lowered in _NTH_OF_TYPE:
            return self._nth(of_type=_NTH_OF_TYPE[lowered])
        raise _error(_PSEUDO)

    def _nth(self, *, of_type: bool) -> Test:
        self._skip_space()
        match = self._match(_NTH)
        if match is None:
            raise _error(_END if self._rest_of_nth_is_missing() else _UNEXPECTED)
        self._skip_space()
        self._close()
        if match[1]:
            return is_nth(2, int(match[1].lower() == "odd"), of_type=of_type)
        if match[5]:
            return is_nth(0, _int32(match[5]), of_type=of_type)
        step = _int32(match[2] + "1") if match[2] in ("", "+", "-") else _int32(match[2])
        offset = _int32(f"{match[3]}{match[4]}") if match[3] else 0
        return is_nth(step, offset, of_type=of_type)

    def _rest_of_nth_is_missing(self) -> bool:
        return re.match(r"(?:[+-]?\d*n\s*[+-]?\s*)?(?:\)|\Z)", self._text[self._place :], re.IGNORECASE) is not None

    def _close(self) -> None:
        if not self._accept(")") and not self.is_at_end:
            raise _error(_UNEXPECTED)


def _int32(digits: str) -> int:
    return int(max(-(2.0**31), min(2.0**31 - 1, float(digits))))


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        point = int(match[1], 16)
        return chr(point) if 0 < point < 0xD800 or 0xDFFF < point <= 0x10FFFF else "\ufffd"
    if match[2] in ("\n", "\r", "\f"):
        return ""
    return match[2] or "\ufffd"
