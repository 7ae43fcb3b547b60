"""CSS selectors, as far as the rewriter knows them: types, ids, classes, attributes, ``:nth-child`` and its like,
``:not``, and the descendant and child combinators.

Source: developers.cloudflare.com/workers/runtime-apis/html-rewriter/#selectors; drafts.csswg.org/selectors-4;
recorded, tests/unit/js/data/html_rewriter.json
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

# Attributes of HTML whose values compare without regard to case; html.spec.whatwg.org, section 4.16.2.
_CASELESS_NAMES: Final = (
    "accept accept-charset align alink axis bgcolor charset checked clear codetype color compact declare defer dir "
    "direction disabled enctype face frame hreflang http-equiv lang language link media method multiple nohref "
    "noresize noshade nowrap readonly rel rev rules scope scrolling selected shape target text type valign valuetype "
    "vlink"
)
_CASELESS_VALUES: Final = frozenset(_CASELESS_NAMES.split())


class Element(Protocol):
    """What a selector looks at.

    Attributes:
        name: in lower case.
        parent: the element around it, or None.
        index: its place among its parent's children, from 1.
        type_index: its place among those of the same name, from 1.
    """

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> Element | None: ...
    @property
    def index(self) -> int: ...
    @property
    def type_index(self) -> int: ...
    @property
    def values(self) -> Mapping[str, str]:
        """The attributes; the first of a name counts."""
        ...

    @property
    def is_html(self) -> bool:
        """Tell whether it is in the HTML namespace."""
        ...


Test = Callable[[Element], bool]


@dataclass(frozen=True, slots=True)
class Compound:
    """Tests that one element passes all of."""

    tests: tuple[Test, ...]

    def matches(self, element: Element) -> bool:
        """Tell whether the element passes."""
        return all(test(element) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Complex:
    """Compounds from the outermost to the element's own; ``combinators[i]`` is between compound i and i + 1."""

    compounds: tuple[Compound, ...]
    combinators: tuple[str, ...]

    def matches(self, element: Element) -> bool:
        """Tell whether the element and those around it fit."""
        return self._fits(element, len(self.compounds) - 1)

    def _fits(self, element: Element, place: int) -> bool:
        if not self.compounds[place].matches(element):
            return False
        if place == 0:
            return True
        around = element.parent
        if self.combinators[place - 1] == ">":
            return around is not None and self._fits(around, place - 1)
        while around is not None:
            if self._fits(around, place - 1):
                return True
            around = around.parent
        return False


@dataclass(frozen=True, slots=True)
class Selector:
    """A list of alternatives."""

    alternatives: Sequence[Complex]

    def matches(self, element: Element) -> bool:
        """Tell whether one of the alternatives fits."""
        return any(alternative.matches(element) for alternative in self.alternatives)


def everything(_element: Element) -> bool:
    """Match every element: ``*``."""
    return True


def nothing(_element: Element) -> bool:
    """Match no element: ``|p``, as every element has a namespace."""
    return False


def is_type(name: str) -> Test:
    """Match elements of a name."""
    lowered = name.lower()
    return lambda element: element.name == lowered


def has_id(value: str) -> Test:
    """Match ``#value``."""
    return lambda element: element.values.get("id") == value


def has_class(value: str) -> Test:
    """Match ``.value``."""
    return lambda element: value in element.values.get("class", "").split()


def has_attribute(name: str) -> Test:
    """Match ``[name]``."""
    return lambda element: name in element.values


def is_nth(step: int, offset: int, *, of_type: bool) -> Test:
    """Match ``:nth-child(step n + offset)`` or ``:nth-of-type``."""

    def test(element: Element) -> bool:
        distance = (element.type_index if of_type else element.index) - offset
        return distance == 0 if step == 0 else distance % step == 0 and distance // step >= 0

    return test


def is_not(inner: Selector) -> Test:
    """Match ``:not(inner)``."""
    return lambda element: not inner.matches(element)


def compares(name: str, operator: str, value: str, case: str) -> Test:
    """Match an attribute's value.

    Args:
        operator: ``=``, ``~=``, ``|=``, ``^=``, ``$=`` or ``*=``.
        case: ``i`` without regard to case, ``s`` with, empty as HTML has it for the attribute.
    """
    compare = _OPERATORS[operator]

    def test(element: Element) -> bool:
        found = element.values.get(name)
        if found is None:
            return False
        if case == "i" or (not case and element.is_html and name in _CASELESS_VALUES):
            return compare(_lower(found), _lower(value))
        return compare(found, value)

    return test


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(char.lower() if char.isascii() else char for char in text)


_OPERATORS: Final[dict[str, Callable[[str, str], bool]]] = {
    "=": lambda found, value: found == value,
    "~=": lambda found, value: bool(value) and value in found.split(),
    "|=": lambda found, value: found == value or found.startswith(f"{value}-"),
    "^=": lambda found, value: found.startswith(value),
    "$=": lambda found, value: found.endswith(value),
    "*=": lambda found, value: value in found,
}
