"""``URLSearchParams``.

Source: url.spec.whatwg.org, section 6.2; recorded, contracts/fetchapi, fetchapi.usp.*
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from pyworkers.js.iterators import EntryIterator
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsNull, jsnull, to_string
from pyworkers.js.urlencoded import parse_query, serialize_query
from pyworkers.js.values import JsProxy, call, type_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, pairs_of, record_of, scalar_string

_NAME = "URLSearchParams"


class URLSearchParams(JsProxy):
    """The parameters of a query, in order; names may repeat.

    To Python it is what Pyodide makes of an object with get, set, has, a size and an iterator: a mapping, iterated by
    its keys. JavaScript's own iteration is ``entries()``.

    Args:
        pairs: names and values, decoded.
        on_change: called with the serialized query after every change.
    """

    def __init__(self, pairs: list[tuple[str, str]], *, on_change: Callable[[str], None] | None = None) -> None:
        self._pairs = pairs
        self._on_change = on_change

    @classmethod
    def of_query(cls, query: str, *, on_change: Callable[[str], None] | None = None) -> URLSearchParams:
        """Parse a query, with or without its ``?``."""
        return cls(parse_query(query.removeprefix("?")), on_change=on_change)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new URLSearchParams(query | pairs | record)``."""
        init = args[0] if args else None
        if isinstance(init, URLSearchParams):
            return cls(init._pairs[:])
        if not is_object(init):
            return cls.of_query("" if init is None else scalar_string(to_string(init)))
        pairs = pairs_of(init, "Invalid URL search params sequence.")
        if pairs is None and isinstance(init, JsArray):
            raise type_error("Incorrect type: the provided value is not of type 'Sequence'.")
        if pairs is None:
            unique = {scalar_string(name): scalar_string(value) for name, value in record_of(init)}
            return cls(list(unique.items()))
        return cls([(scalar_string(name), scalar_string(value)) for name, value in pairs])

    @property
    def size(self) -> int:
        """The number of parameters."""
        return len(self._pairs)

    def get(self, name: Any = MISSING, *_: object) -> str | JsNull:
        """Return the first value of a name, or null."""
        key = _string(name, "get", 1)
        return next((value for each, value in self._pairs if each == key), jsnull)

    def getAll(self, name: Any = MISSING, *_: object) -> JsArray:
        """Return every value of a name."""
        key = _string(name, "getAll", 1)
        return JsArray(value for each, value in self._pairs if each == key)

    def has(self, name: Any = MISSING, value: Any = None, *_: object) -> bool:
        """Tell whether there is a parameter of that name, and of that value where one is given."""
        key, wanted = _string(name, "has", 1), None if value is None else scalar_string(to_string(value))
        return any(each == key and (wanted is None or item == wanted) for each, item in self._pairs)

    def append(self, name: Any = MISSING, value: Any = MISSING, *_: object) -> None:
        """Add a parameter at the end."""
        self._pairs.append((_string(name, "append", 1), _string(value, "append", 2)))
        self._changed()

    def set(self, name: Any = MISSING, value: Any = MISSING, *_: object) -> None:
        """Give a name one value: in the place of its first one, or at the end."""
        key, item = _string(name, "set", 1), _string(value, "set", 2)
        first = next((index for index, (each, _value) in enumerate(self._pairs) if each == key), None)
        if first is None:
            self._pairs.append((key, item))
        else:
            rest = [pair for pair in self._pairs[first + 1 :] if pair[0] != key]
            self._pairs[first:] = [(key, item), *rest]
        self._changed()

    def delete(self, name: Any = MISSING, value: Any = None, *_: object) -> None:
        """Remove the parameters of a name, those of one value where it is given."""
        key, unwanted = _string(name, "delete", 1), None if value is None else scalar_string(to_string(value))
        self._pairs[:] = [
            pair for pair in self._pairs if pair[0] != key or (unwanted is not None and pair[1] != unwanted)
        ]
        self._changed()

    def sort(self, *_: object) -> None:
        """Sort by name, in UTF-16 order; parameters of one name keep their order."""
        self._pairs.sort(key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
        self._changed()

    def forEach(self, function: Any = MISSING, *_: object) -> None:
        """Call ``function(value, name, params)`` for every parameter."""
        if not callable(function):
            raise argument_error(_NAME, "forEach", 1, "function")
        for name, value in self._live():
            call(function, value, name, self)

    def entries(self, *_: object) -> EntryIterator:
        """Iterate ``[name, value]`` arrays."""
        return EntryIterator(JsArray(pair) for pair in self._live())

    def toString(self, *_: object) -> str:
        """The serialized query, without ``?``."""
        return serialize_query(self._pairs)

    # ---- as Pyodide shows a mapping

    def keys(self) -> KeysView[Any]:
        """A view of the names."""
        return KeysView(self)

    def values(self) -> ValuesView[Any]:
        """A view of the first values of the names."""
        return ValuesView(self)

    def items(self) -> ItemsView[Any, Any]:
        """A view of the names with their first values."""
        return ItemsView(self)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _value in self._live())

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: object) -> bool:
        return self.has(name)

    def __getitem__(self, name: object) -> str | JsNull:
        return self.get(name)

    def __setitem__(self, name: object, value: object) -> None:
        self.set(name, value)

    def __delitem__(self, name: object) -> None:
        self.delete(name)

    # ---- for the host

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters."""
        return self._pairs[:]

    def reload(self, query: str) -> None:
        """Take over the query of the URL this belongs to."""
        self._pairs[:] = parse_query(query.removeprefix("?"))

    def _live(self) -> Iterator[tuple[str, str]]:
        index = 0
        while index < len(self._pairs):
            yield self._pairs[index]
            index += 1

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change(serialize_query(self._pairs))


def _string(value: object, method: str, position: int) -> str:
    if value is MISSING:
        raise argument_error(_NAME, method, position, "USVString")
    return scalar_string(to_string(value))
