"""The collections ``Map`` and ``Set``.

Source: tc39.es/ecma262, sections 24.1 and 24.2
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, MutableMapping, ValuesView
from functools import partial
from typing import Any

from pyworkers.js.objects import JsArray, grouped, read_entries
from pyworkers.js.primitives import is_nullish, jsnull
from pyworkers.js.values import JsProxy, call, iterate, type_error


class JsMap(JsProxy, js_name="Map"):
    """A ``Map``: JavaScript's methods, and Python's mapping protocol as Pyodide gives it."""

    def __init__(self, entries: Iterable[Iterable[Any]] = ()) -> None:
        self.entries_: dict[Any, Any] = dict(entries)  # type: ignore[arg-type]  # pairs

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Map(entries)``."""
        return cls(read_entries(args[0]) if args and not is_nullish(args[0]) else ())

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self.entries_)

    def get(self, key: object, default: object = None) -> Any:
        """Return the value of ``key``, or undefined."""
        return self.entries_.get(key, default)

    def set(self, key: object, value: object = None) -> JsMap:
        """Store a value; returns the map."""
        self.entries_[key] = value
        return self

    def getOrInsert(self, key: object = None, value: object = None, *_: object) -> Any:
        """Return the value of ``key``, which is stored first where there is none."""
        return self.entries_.setdefault(key, value)

    def getOrInsertComputed(self, key: object = None, function: Any = None, *_: object) -> Any:
        """As `getOrInsert`; the function makes the value."""
        if key not in self.entries_:
            self.entries_[key] = call(function, key)
        return self.entries_[key]

    @staticmethod
    def static_groupBy(items: Any = (), function: Any = None, *_: object) -> JsMap:
        """``Map.groupBy``: arrays of the items by what the function makes of them."""
        return JsMap(grouped(items, partial(call, function)).items())

    def has(self, key: object) -> bool:
        """Tell whether there is such a key."""
        return key in self.entries_

    def delete(self, key: object) -> bool:
        """Remove a key; tells whether it was there."""
        return self.entries_.pop(key, self) is not self

    def clear(self) -> None:
        """Remove every entry."""
        self.entries_.clear()

    pop = MutableMapping.pop
    popitem = MutableMapping.popitem
    setdefault = MutableMapping.setdefault
    update = MutableMapping.update
    _MutableMapping__marker = MutableMapping._MutableMapping__marker  # type: ignore[attr-defined]  # what pop reads

    def forEach(self, function: Callable[..., object], *_: object) -> None:
        """``Map.prototype.forEach``."""
        for key, value in list(self.entries_.items()):
            call(function, value, key, self)

    def keys(self) -> KeysView[Any]:
        """The keys in insertion order."""
        return self.entries_.keys()

    def values(self) -> ValuesView[Any]:
        """The values in insertion order."""
        return self.entries_.values()

    def items(self) -> ItemsView[Any, Any]:
        """The entries in insertion order, as Python pairs."""
        return self.entries_.items()

    def entries(self) -> Iterator[JsArray]:
        """The entries in insertion order, as arrays."""
        return iter([JsArray(pair) for pair in self.entries_.items()])

    def __len__(self) -> int:
        return len(self.entries_)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.entries_)

    def __contains__(self, key: object) -> bool:
        return key in self.entries_

    def __getitem__(self, key: object) -> Any:
        return self.entries_[key]

    def __setitem__(self, key: object, value: object) -> None:
        self.entries_[key] = value

    def __delitem__(self, key: object) -> None:
        del self.entries_[key]


class LiteralMap(JsMap, js_name="LiteralMap"):
    """What ``to_js(dict)`` makes before Pyodide 0.29: a Map whose string keys read as properties too."""

    def own_properties(self) -> dict[str, object]:
        """Return the string keys."""
        return {key: value for key, value in self.entries_.items() if isinstance(key, str)}

    def __getattr__(self, name: str) -> Any:
        entries = self.__dict__.get("entries_", {})
        if name in entries:
            return entries[name]
        raise AttributeError(name)


class JsSet(JsProxy, js_name="Set"):
    """A ``Set``, in insertion order."""

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self.items_: dict[Any, None] = dict.fromkeys(items)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Set(items)``."""
        return cls(iterate(args[0]) if args and args[0] else ())

    @property
    def size(self) -> int:
        """The number of items."""
        return len(self.items_)

    def add(self, item: object) -> JsSet:
        """Add an item; returns the set."""
        self.items_[item] = None
        return self

    def has(self, item: object) -> bool:
        """Tell whether the item is there."""
        return item in self.items_

    def delete(self, item: object) -> bool:
        """Remove an item; tells whether it was there."""
        return self.items_.pop(item, self) is not self

    def clear(self) -> None:
        """Remove every item."""
        self.items_.clear()

    def forEach(self, function: Callable[..., object], *_: object) -> None:
        """``Set.prototype.forEach``."""
        for item in list(self.items_):
            call(function, item, item, self)

    def values(self) -> Iterator[Any]:
        """The items in insertion order."""
        return iter(self.items_)

    keys = values

    def entries(self) -> Iterator[JsArray]:
        """``Set.prototype.entries``: each item twice."""
        return iter([JsArray((item, item)) for item in self.items_])

    def union(self, other: Any = None, *_: object) -> JsSet:
        """``Set.prototype.union``."""
        return JsSet([*self.items_, *_keys(other, "union")])

    def intersection(self, other: Any = None, *_: object) -> JsSet:
        """``Set.prototype.intersection``."""
        keys = _keys(other, "intersection")
        return JsSet(item for item in self.items_ if item in keys)

    def difference(self, other: Any = None, *_: object) -> JsSet:
        """``Set.prototype.difference``."""
        keys = _keys(other, "difference")
        return JsSet(item for item in self.items_ if item not in keys)

    def symmetricDifference(self, other: Any = None, *_: object) -> JsSet:
        """``Set.prototype.symmetricDifference``."""
        keys = _keys(other, "symmetricDifference")
        return JsSet([*(item for item in self.items_ if item not in keys), *(k for k in keys if k not in self.items_)])

    def isSubsetOf(self, other: Any = None, *_: object) -> bool:
        """``Set.prototype.isSubsetOf``."""
        return self.items_.keys() <= _keys(other, "isSubsetOf").keys()

    def isSupersetOf(self, other: Any = None, *_: object) -> bool:
        """``Set.prototype.isSupersetOf``."""
        return self.items_.keys() >= _keys(other, "isSupersetOf").keys()

    def isDisjointFrom(self, other: Any = None, *_: object) -> bool:
        """``Set.prototype.isDisjointFrom``."""
        return self.items_.keys().isdisjoint(_keys(other, "isDisjointFrom"))

    def __len__(self) -> int:
        return len(self.items_)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items_)

    def __contains__(self, item: object) -> bool:
        return item in self.items_


def _keys(other: Any, method: str) -> dict[Any, Any]:
    """Return what the methods of sets take: a set's items or a map's keys.

    Raises:
        JsException: TypeError, when it is neither.
    """
    if isinstance(other, JsSet):
        return other.items_
    if isinstance(other, JsMap):
        return other.entries_
    is_object = isinstance(other, JsProxy) and other is not jsnull
    raise type_error("The .size property is NaN" if is_object else f"Set.prototype.{method} argument must be an object")


MutableMapping.register(JsMap)
