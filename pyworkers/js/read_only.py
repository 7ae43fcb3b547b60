"""Properties that scripts can read and not set.

Of a host class these are its properties without a setter, its constants (class attributes in capitals) and the plain
attributes that ``read_only=`` names. The host's own modules set the last; a script's attempt is JavaScript's TypeError,
which Python sees as a `JsException`.

Source: recorded, misc.globals.own-read-only and its like
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from pyworkers.js.values import JsProxy

_CONSTANT: Final = re.compile("[A-Z][A-Z0-9_]*")
_HOST: Final = "pyworkers."
# What V8 says of the standard's own objects, where it differs from what it says of the platform's.
_GETTERS_ONLY: Final = frozenset({"ArrayBuffer", "DataView", "Map", "Set"})
_TYPED_ARRAY: Final = re.compile(r"(?:Int|Uint|BigInt|BigUint|Float)\d+(?:Clamped)?Array$")
_SHOWN: Final = {"Math": "#<Object>"}
_SHOWN_BY_TAG: Final = frozenset({"DurableObjectId", "URL", "URLSearchParams"})


def constants_of(cls: type) -> set[str]:
    """Return the names of a class's constants: its own attributes in capitals, but functions."""
    return {name for name, value in vars(cls).items() if is_constant(name) and isinstance(value, int | float | str)}


def is_constant(name: str) -> bool:
    """Tell whether a name is written as constants are."""
    return _CONSTANT.fullmatch(name) is not None


def is_of_language(kind: str) -> bool:
    """Tell whether a class that is constructed with ``new`` alone is the language's own, and not the platform's."""
    is_collection = kind in _GETTERS_ONLY or kind in ("FinalizationRegistry", "WeakMap", "WeakRef", "WeakSet")
    return is_collection or _TYPED_ARRAY.match(kind) is not None


def refuse_to_set(target: JsProxy, _value: object, *, name: str) -> NoReturn:
    """Raise what a script sees that sets a property which can only be read.

    Raises:
        JsException: TypeError.
    """
    from pyworkers.js.values import type_error  # that module is written in terms of this one

    kind = target.js_name
    if target.typeof == "function":
        raise type_error(f"Cannot assign to read only property '{name}' of function '{target.toString()}'")
    is_typed_array = _TYPED_ARRAY.match(kind) is not None
    if kind in _GETTERS_ONLY:
        raise type_error(f"Cannot set property {name} of #<{kind}> which has only a getter")
    if kind == "RegExp" or (is_typed_array and not is_constant(name)):
        raise type_error(f"Cannot set property {name} of [object Object] which has only a getter")
    shown = f"[object {kind}]" if is_typed_array or kind in _SHOWN_BY_TAG else _SHOWN.get(kind, f"#<{kind}>")
    raise type_error(f"Cannot assign to read only property '{name}' of object '{shown}'")


def setter_but_for(names: frozenset[str]) -> Callable[[JsProxy, str, object], None]:
    """Return a ``__setattr__`` that sets what has one of these names only from the host's own code."""
    put = object.__setattr__

    def set_unless_read_only(target: JsProxy, name: str, value: object) -> None:
        # as `is_host`, for one call less
        if name in names and sys._getframe(1).f_globals.get("__name__", "")[:10] != _HOST:
            refuse_to_set(target, value, name=name)
        put(target, name, value)

    return set_unless_read_only


def is_host(depth: int) -> bool:
    """Tell whether the function so many calls up is one of ours."""
    return str(sys._getframe(depth).f_globals.get("__name__", "")).startswith(_HOST)


def is_read_only(target: object, name: str) -> bool:
    """Tell whether a script can set no property of this name."""
    if name in getattr(type(target), "read_only", ()):
        return True
    member = getattr(type(target), name, None)
    return isinstance(member, property) and _refuses(member)


def set_property(target: object, name: str, value: object) -> None:
    """Set a property for a script, as ``Object.assign`` does.

    Raises:
        JsException: TypeError, for a property that can only be read.
    """
    if is_read_only(target, name):
        refuse_to_set(target, value, name=name)  # type: ignore[arg-type]  # what has such properties is a proxy
    setattr(target, name, value)


def _refuses(member: property) -> bool:
    return getattr(member.fset, "func", member.fset) is refuse_to_set
