"""``Class.prototype``, and the methods that are read from it.

Source: tc39.es/ecma262, sections 20.1.3 and 20.2.3
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from pyworkers.js.primitives import to_string_tag
from pyworkers.js.values import JsObject, JsProxy

_OF_EVERY_OBJECT: Final = frozenset(
    {"hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf"}
)


class Prototype(JsProxy, js_name="Object"):
    """``Class.prototype``: reads give the class's methods, whose first argument is ``this``."""

    def __init__(self, cls: type[JsProxy]) -> None:
        self.python_class = cls

    def __getattribute__(self, name: str) -> Any:
        if name in _OF_EVERY_OBJECT:  # what this object inherits itself
            is_plain = name == "toString" and self.python_class is JsObject
            return Method(to_string_tag if is_plain else getattr(self.python_class, name))
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        try:
            return Method(getattr(self.python_class, name))
        except AttributeError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return "[object Object]"


class Method(JsProxy, js_name="Function"):
    """An unbound method with JavaScript's ``call`` and ``apply``."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def call(self, this: object, *args: object) -> object:
        """``Function.prototype.call``."""
        if isinstance(this, JsProxy):
            return self.function(this, *args)
        return to_string_tag(this)

    def apply(self, this: object, args: Iterable[object] = ()) -> object:
        """``Function.prototype.apply``."""
        return self.call(this, *args)
