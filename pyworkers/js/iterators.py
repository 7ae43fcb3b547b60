"""What ``keys()``, ``values()`` and ``entries()`` of a platform class return: JavaScript iterators.

Python iterates them with ``for``; JavaScript-style code calls ``next()`` and gets ``{done, value}``.

Source: recorded, contracts/fetchapi, fetchapi.headers.iter-mutate
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyworkers.js.values import JsObject, JsProxy

_END = object()


class JsIterator(JsProxy, js_name="Iterator"):
    """An iterator: ``next()`` in JavaScript's way, ``__next__`` in Python's."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items

    def next(self, *_: object) -> JsObject:
        """Return ``{done, value}`` of the next item."""
        item = next(self._items, _END)
        if item is _END:
            return JsObject({"done": True, "value": None})
        return JsObject({"done": False, "value": item})

    def __iter__(self) -> JsIterator:
        return self

    def __next__(self) -> Any:
        return next(self._items)


class KeyIterator(JsIterator, js_name="KeyIterator"):
    """What ``keys()`` returns."""


class ValueIterator(JsIterator, js_name="ValueIterator"):
    """What ``values()`` returns."""


class EntryIterator(JsIterator, js_name="EntryIterator"):
    """What ``entries()`` returns: ``[key, value]`` arrays."""
