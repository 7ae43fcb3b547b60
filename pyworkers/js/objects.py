"""``Array``, and the functions of the constructors ``Object`` and ``Array``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import Any, Self

from pyworkers.js.array_methods import ArrayMethods, relative
from pyworkers.js.primitives import is_nullish, to_integer, to_number, to_string
from pyworkers.js.read_only import set_property
from pyworkers.js.values import JsException, JsObject, JsProxy, call, iterate, own_properties_of, type_error


class JsArray(ArrayMethods, js_name="Array"):
    """An array: a mutable sequence in Python, with JavaScript's methods beside Python's."""

    def __init__(self, items: Iterable[object] = ()) -> None:
        self.items_: list[Any] = list(items)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Array(length)`` or ``new Array(...items)``."""
        if len(args) == 1 and type(args[0]) is int:
            if args[0] < 0:
                raise JsException("RangeError", "Invalid array length")
            return cls([None] * args[0])
        return cls(args)

    @property
    def length(self) -> int:
        """The number of items; setting it cuts the array, or fills it up with undefined."""
        return len(self.items_)

    @length.setter
    def length(self, value: Any) -> None:
        size = to_number(value)
        if size != size or not 0 <= size < 2**32 or size != int(size):
            raise JsException("RangeError", "Invalid array length")
        del self.items_[int(size) :]
        self.items_.extend([None] * (int(size) - len(self.items_)))

    def own_properties(self) -> dict[str, object]:
        """Return the items under their indices."""
        return {str(index): item for index, item in enumerate(self.items_)}

    def toString(self) -> str:
        """The items joined by commas; null and undefined are empty."""
        return self.join(",")

    def join(self, separator: object = ",") -> str:
        """``Array.prototype.join``."""
        return to_string(separator).join("" if is_nullish(item) else to_string(item) for item in self.items_)

    def __len__(self) -> int:
        return len(self.items_)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items_)

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self.items_)

    def __contains__(self, item: object) -> bool:
        return item in self.items_

    def __getitem__(self, index: Any) -> Any:
        try:
            return JsArray(self.items_[index]) if isinstance(index, slice) else self.items_[index]
        except IndexError:
            raise IndexError(index) from None

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, int) and index >= len(self.items_):
            self.items_.extend([None] * (index + 1 - len(self.items_)))
        self.items_[index] = value

    def __delitem__(self, index: Any) -> None:
        try:
            del self.items_[index]
        except IndexError:
            raise IndexError(index) from None

    def __add__(self, other: Any) -> JsArray:
        if not isinstance(other, JsArray | list | tuple):
            return NotImplemented
        return JsArray([*self.items_, *other])

    def __iadd__(self, other: Iterable[Any]) -> Self:  # type: ignore[misc]  # it takes what a list's takes
        self.items_.extend(other)
        return self

    def __mul__(self, times: Any) -> JsArray:
        return JsArray(self.items_ * times) if isinstance(times, int) else NotImplemented

    __rmul__ = __mul__

    def push(self, *items: object) -> int:
        """``Array.prototype.push``."""
        self.items_.extend(items)
        return len(self.items_)

    def append(self, item: object) -> None:
        """Add one item, as a list's ``append``."""
        self.items_.append(item)

    def extend(self, items: Iterable[object]) -> None:
        """Add several items, as a list's ``extend``."""
        self.items_.extend(items)

    def insert(self, index: int, item: object) -> None:
        """Insert one item, as a list's ``insert``."""
        self.items_.insert(index, item)

    def pop(self, index: int = -1) -> Any:
        """Remove and return an item, as a list's ``pop``."""
        return self.items_.pop(index)

    def shift(self) -> Any:
        """``Array.prototype.shift``."""
        return self.items_.pop(0) if self.items_ else None

    def remove(self, item: object) -> None:
        """Remove the first such item, as a list's ``remove``."""
        del self.items_[self.items_.index(item)]

    def as_py_json(self) -> JsProxy:
        """Return a view in which objects are mappings and arrays are sequences, all the way down."""
        from pyworkers.js.object_map import ArrayView  # that module is written in terms of this one

        return ArrayView(self)

    def index(self, item: object, *bounds: int) -> int:
        """Find an item, as a list's ``index``."""
        return self.items_.index(item, *bounds)

    def indexOf(self, item: object, *_: object) -> int:
        """``Array.prototype.indexOf``."""
        return self.items_.index(item) if item in self.items_ else -1

    def includes(self, item: object, *_: object) -> bool:
        """``Array.prototype.includes``."""
        return item in self.items_

    def count(self, item: object) -> int:
        """Count an item, as a list's ``count``."""
        return self.items_.count(item)

    def at(self, index: int = 0) -> Any:
        """``Array.prototype.at``."""
        return self.items_[index] if -len(self.items_) <= index < len(self.items_) else None

    def slice(self, start: int | None = None, end: int | None = None) -> JsArray:
        """``Array.prototype.slice``."""
        return JsArray(self.items_[start:end])

    def concat(self, *others: Any) -> JsArray:
        """``Array.prototype.concat``."""
        result = JsArray(self.items_)
        for other in others:
            result.extend(other) if isinstance(other, JsArray) else result.append(other)
        return result

    def unshift(self, *items: object) -> int:
        """``Array.prototype.unshift``."""
        self.items_[:0] = items
        return len(self.items_)

    def fill(self, value: Any = None, start: object = 0, end: object = None, *_: object) -> JsArray:
        """``Array.prototype.fill``."""
        size = len(self.items_)
        for index in range(relative(start, size), size if end is None else relative(end, size)):
            self.items_[index] = value
        return self

    def splice(self, *args: Any) -> JsArray:
        """``Array.prototype.splice``: put items in the place of others, and return those."""
        start, stop, items = self._part(*args)
        taken = self.items_[start:stop]
        self.items_[start:stop] = items
        return JsArray(taken)

    def toSpliced(self, *args: Any) -> JsArray:
        """``Array.prototype.toSpliced``."""
        result = JsArray(self.items_)
        result.splice(*args)
        return result

    def flat(self, depth: object = 1, *_: object) -> JsArray:
        """``Array.prototype.flat``."""
        return JsArray(_flat(self.items_, to_integer(depth)))

    def flatMap(self, function: Any = None, *_: object) -> JsArray:
        """``Array.prototype.flatMap``."""
        return JsArray(_flat(self.map(function).items_, 1))

    def _part(self, *args: Any) -> tuple[int, int, tuple[Any, ...]]:
        """Return where what ``splice`` takes out begins and ends, and what comes in its place."""
        size = len(self.items_)
        start = relative(args[0], size) if args else size
        count = size - start if len(args) == 1 else to_integer(args[1]) if args else 0
        return start, start + max(0, min(count, size - start)), args[2:]

    def _listed(self) -> list[Any]:
        return list(self.items_)

    def _put(self, items: list[Any]) -> None:
        self.items_[:] = items

    def _another(self, items: list[Any]) -> Self:
        return type(self)(items)


class ObjectFunctions:
    """Members of the ``Object`` constructor."""

    @staticmethod
    def static_fromEntries(entries: Iterable[Iterable[object]] = ()) -> JsObject:
        """``Object.fromEntries``: keys become strings."""
        return JsObject({to_string(key): value for key, value in read_entries(entries)})

    @staticmethod
    def static_keys(value: Any = None) -> JsArray:
        """``Object.keys``."""
        return JsArray(own_properties_of(value))

    @staticmethod
    def static_values(value: Any = None) -> JsArray:
        """``Object.values``."""
        return JsArray(own_properties_of(value).values())

    @staticmethod
    def static_entries(value: Any = None) -> JsArray:
        """``Object.entries``."""
        return JsArray(JsArray(pair) for pair in own_properties_of(value).items())

    @staticmethod
    def static_assign(target: Any, *sources: Any) -> object:
        """``Object.assign``."""
        for source in sources:
            for name, value in own_properties_of(source).items():
                set_property(target, name, value)
        return target

    @staticmethod
    def static_freeze(value: object = None) -> object:
        """``Object.freeze``; a frozen object is not told from another here."""
        return value

    @staticmethod
    def static_create(_prototype: object = None, *_: object) -> JsObject:
        """``Object.create``: an empty object."""
        return JsObject()

    @staticmethod
    def static_is(left: object = None, right: object = None) -> bool:
        """``Object.is``."""
        if left is right:
            return True
        return isinstance(left, int | float | str) and type(left) is type(right) and left == right

    @staticmethod
    def static_hasOwn(value: Any = None, name: object = None, *_: object) -> bool:
        """``Object.hasOwn``."""
        return to_string(name) in own_properties_of(value)

    @staticmethod
    def static_groupBy(items: Any = (), function: Any = None, *_: object) -> JsObject:
        """``Object.groupBy``: arrays of the items by what the function makes of them."""
        return JsObject(grouped(items, lambda item, index: to_string(call(function, item, index))))

    @staticmethod
    def static_getOwnPropertyNames(value: Any = None) -> JsArray:
        """``Object.getOwnPropertyNames``."""
        return JsArray(own_properties_of(value))


class ArrayFunctions:
    """Members of the ``Array`` constructor."""

    @staticmethod
    def static_from(source: Any = (), function: Callable[..., object] | None = None, *_: object) -> JsArray:
        """``Array.from``: of an iterable, or of an object with a length."""
        length = getattr(source, "length", None) if isinstance(source, JsObject) else None
        items = [getattr(source, str(i), None) for i in range(int(length))] if length is not None else iterate(source)
        if function is None:
            return JsArray(items)
        return JsArray([call(function, item, index) for index, item in enumerate(items)])

    @staticmethod
    def static_of(*items: object) -> JsArray:
        """``Array.of``."""
        return JsArray(items)

    @staticmethod
    def static_fromAsync(source: Any = (), *_: object) -> Any:
        """``Array.fromAsync``: a promise of the items of an asynchronous iterable, or of promises."""
        from pyworkers.js.promise import JsPromise, settle  # that module is written in terms of this one

        async def collect() -> JsArray:
            if hasattr(source, "__aiter__"):
                return JsArray([item async for item in source])
            return JsArray([await settle(item) for item in iterate(source)])

        return JsPromise.run(collect())

    @staticmethod
    def static_isArray(value: object = None) -> bool:
        """``Array.isArray``."""
        return isinstance(value, JsArray)


def read_entries(entries: Any) -> Iterator[tuple[Any, Any]]:
    """Iterate entries as JavaScript does where it makes a map of them.

    Raises:
        JsException: TypeError, for what is no entry.
    """
    for entry in iterate(entries):
        if isinstance(entry, JsArray):
            key, value = [*entry.items_[:2], None, None][:2]
        elif isinstance(entry, list | tuple):
            key, value = [*entry[:2], None, None][:2]
        else:
            raise type_error(f"Iterator value {to_string(entry)} is not an entry object")
        yield key, value


def grouped(items: Any, key_of: Callable[[Any, int], Any]) -> dict[Any, JsArray]:
    """Return arrays of the items, by what the function makes of an item and its index."""
    groups: dict[Any, JsArray] = {}
    for index, item in enumerate(iterate(items)):
        groups.setdefault(key_of(item, index), JsArray()).items_.append(item)
    return groups


def _flat(items: Iterable[Any], depth: int) -> Iterator[Any]:
    for item in items:
        if isinstance(item, JsArray) and depth > 0:
            yield from _flat(item.items_, depth - 1)
        else:
            yield item


JsObject.constructor.statics = ObjectFunctions
JsArray.constructor.statics = ArrayFunctions
MutableSequence.register(JsArray)
