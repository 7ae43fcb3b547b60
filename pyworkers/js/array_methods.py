"""The methods that arrays and typed arrays share.

Source: tc39.es/ecma262, sections 23.1.3 and 23.2.3; recorded, fetchapi.language.own-arrays
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Self

from pyworkers.js.primitives import is_nullish, to_boolean, to_integer, to_number, to_string, typeof
from pyworkers.js.values import JsProxy, call, range_error, type_error

_MISSING = object()
Function = Callable[..., Any]


class ArrayMethods(JsProxy):
    """What is written in terms of a list of the items, a way to put items back, and a way to make another one."""

    @abstractmethod
    def _listed(self) -> list[Any]:
        """Return the items; changing the list changes nothing else."""
        ...

    @abstractmethod
    def _put(self, items: list[Any]) -> None:
        """Replace the items; there are as many as before, but in an array."""
        ...

    @abstractmethod
    def _another(self, items: list[Any]) -> Self:
        """Return an object of the same kind with other items."""
        ...

    # ---- asking

    def every(self, function: Any = None, *_: object) -> bool:
        """Tell whether the function says so of every item."""
        check = self._function(function)
        return all(to_boolean(call(check, item, index, self)) for index, item in enumerate(self._listed()))

    def some(self, function: Any = None, *_: object) -> bool:
        """Tell whether the function says so of some item."""
        return self.findIndex(function) >= 0

    def find(self, function: Any = None, *_: object) -> Any:
        """Return the first item of which the function says so, or undefined."""
        return next((item for _, item in self._found(function, reverse=False)), None)

    def findIndex(self, function: Any = None, *_: object) -> int:
        """Return the first index of an item of which the function says so, or -1."""
        return next((index for index, _ in self._found(function, reverse=False)), -1)

    def findLast(self, function: Any = None, *_: object) -> Any:
        """As `find`, from the end."""
        return next((item for _, item in self._found(function, reverse=True)), None)

    def findLastIndex(self, function: Any = None, *_: object) -> int:
        """As `findIndex`, from the end."""
        return next((index for index, _ in self._found(function, reverse=True)), -1)

    def lastIndexOf(self, item: object = None, start: object = _MISSING, *_: object) -> int:
        """Return the last index of an item, or -1."""
        items = self._listed()
        last = len(items) - 1 if start is _MISSING else to_integer(start)
        last = min(last if last >= 0 else last + len(items), len(items) - 1)
        return next((index for index in range(last, -1, -1) if items[index] == item), -1)

    def reduce(self, function: Any = None, start: Any = _MISSING, *_: object) -> Any:
        """Put the items together from the first on.

        Raises:
            JsException: TypeError, when there is nothing to begin with.
        """
        return self._reduced(function, start, list(enumerate(self._listed())))

    def reduceRight(self, function: Any = None, start: Any = _MISSING, *_: object) -> Any:
        """As `reduce`, from the last on."""
        return self._reduced(function, start, list(enumerate(self._listed()))[::-1])

    def forEach(self, function: Any = None, *_: object) -> None:
        """Call the function with each item."""
        check = self._function(function)
        for index, item in enumerate(self._listed()):
            call(check, item, index, self)

    def values(self) -> Iterator[Any]:
        """The items."""
        return iter(self._listed())

    def entries(self) -> Iterator[JsProxy]:
        """Arrays of an index and its item."""
        from pyworkers.js.objects import JsArray  # that module is written in terms of this one

        return iter([JsArray(pair) for pair in enumerate(self._listed())])

    # ---- making others

    def map(self, function: Any = None, *_: object) -> Self:
        """Return what the function makes of each item."""
        make = self._function(function)
        return self._another([call(make, item, index, self) for index, item in enumerate(self._listed())])

    def filter(self, function: Any = None, *_: object) -> Self:
        """Return the items of which the function says so."""
        return self._another([item for _, item in self._found(function, reverse=False)])

    def toReversed(self, *_: object) -> Self:
        """Return the items from the last to the first."""
        return self._another(self._listed()[::-1])

    def toSorted(self, compare: Any = None, *_: object) -> Self:
        """Return the items in order."""
        return self._another(self._sorted(compare))

    def with_(self, index: object = None, value: Any = None, *_: object) -> Self:
        """Return the items, one of them replaced.

        Raises:
            JsException: RangeError, when there is no such index.
        """
        items, at = self._listed(), to_integer(index)
        if not -len(items) <= at < len(items):
            raise range_error("Invalid typed array index" if self.js_name != "Array" else f"Invalid index : {at}")
        items[at] = value
        return self._another(items)

    # ---- changing

    def reverse(self) -> Self:
        """Reverse in place."""
        self._put(self._listed()[::-1])
        return self

    def sort(self, compare: Any = None, *_: object) -> Self:
        """Sort in place: numbers of typed arrays as numbers, everything else as texts, undefined at the end."""
        self._put(self._sorted(compare))
        return self

    def copyWithin(self, target: object = 0, start: object = 0, end: object = None, *_: object) -> Self:
        """Copy a part over another one."""
        items = self._listed()
        size, to, begin = len(items), relative(target, len(items)), relative(start, len(items))
        stop = size if end is None else relative(end, size)
        count = max(0, min(stop - begin, size - to))
        items[to : to + count] = items[begin : begin + count]
        self._put(items)
        return self

    # ---- helpers

    def _function(self, value: Any) -> Function:
        """Return a function.

        Raises:
            JsException: TypeError, when the value is none.
        """
        if callable(value):
            return value
        raise type_error(f"{'object' if _is_object(value) else _typed(value)} is not a function")

    def _found(self, function: Any, *, reverse: bool) -> Iterator[tuple[int, Any]]:
        check, pairs = self._function(function), list(enumerate(self._listed()))
        return (
            (index, item)
            for index, item in (reversed(pairs) if reverse else pairs)
            if to_boolean(call(check, item, index, self))
        )

    def _reduced(self, function: Any, start: Any, pairs: list[tuple[int, Any]]) -> Any:
        combine = self._function(function)
        if start is _MISSING:
            if not pairs:
                raise type_error("Reduce of empty array with no initial value")
            start, pairs = pairs[0][1], pairs[1:]
        for index, item in pairs:
            start = call(combine, start, item, index, self)
        return start

    def _sorted(self, compare: Any) -> list[Any]:
        if compare is not None and not callable(compare):
            shown = show_object(compare) if _is_object(compare) else to_string(compare)
            raise type_error(f"The comparison function must be either a function or undefined: {shown}")
        items = self._listed()
        defined = [item for item in items if item is not None]
        if compare is not None:
            defined.sort(key=functools.cmp_to_key(lambda one, other: self._compared(compare, one, other)))
        else:
            defined.sort(key=self._sort_key)
        return defined + [None] * (len(items) - len(defined))

    def _compared(self, compare: Function, one: Any, other: Any) -> int:
        """Return what a function says of two items; Python asks of the later one first."""
        return _sign(call(compare, one, other))

    def _sort_key(self, item: Any) -> Any:
        """Return what items are ordered by where nobody says how."""
        return to_string(item).encode("utf-16-be", "surrogatepass")


setattr(ArrayMethods, "with", ArrayMethods.with_)  # Python keeps the word


def relative(index: object, length: int) -> int:
    """Return an index that may count from the end as one from 0 to the length."""
    at = to_integer(index)
    return max(0, at + length) if at < 0 else min(at, length)


def _sign(value: Any) -> int:
    number = to_number(value)
    return 0 if math.isnan(number) else (number > 0) - (number < 0)


def _is_object(value: Any) -> bool:
    return not is_nullish(value) and not isinstance(value, str | int | float)


def show_object(value: Any) -> str:
    """Return an object as V8 names it in an error."""
    name = value.js_name if isinstance(value, JsProxy) else "Object"
    return f"[object {name}]" if name in ("Array", "Date") else f"#<{name}>"


def _typed(value: Any) -> str:
    """Return a primitive as V8 names it in an error, with its type."""
    if value is None:
        return "undefined"
    return f"{typeof(value)} " + (f'"{value}"' if isinstance(value, str) else to_string(value))
