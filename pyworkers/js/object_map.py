"""A plain object as a Python mapping: what ``as_object_map`` and ``as_py_json`` return.

Source: pyodide.org, ``JsProxy.as_object_map``, ``JsProxy.as_py_json``
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, MutableSequence
from typing import Any

from pyworkers.js.objects import JsArray
from pyworkers.js.read_only import set_property
from pyworkers.js.values import JsObject, JsProxy


class ObjectMap(JsProxy, js_name="Object"):
    """A view of an object: its own properties are subscripts.

    Args:
        target: the object; writes go there.
        hereditary: objects inside are seen the same way.
        arrays: so are arrays, and what they hold.
    """

    def __init__(self, target: JsProxy, *, hereditary: bool = False, arrays: bool = False) -> None:
        self._target = target
        self._hereditary = hereditary
        self._arrays = arrays

    def __getitem__(self, name: str) -> Any:
        return self._view(self._target.own_properties()[name])

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(self._target, JsObject):
            self._target.own_properties()[name] = value
        else:
            set_property(self._target, name, value)

    def __delitem__(self, name: str) -> None:
        del self._target.own_properties()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._target.own_properties())

    def __len__(self) -> int:
        return len(self._target.own_properties())

    def __contains__(self, name: object) -> bool:
        return name in self._target.own_properties()

    keys = MutableMapping.keys
    values = MutableMapping.values
    items = MutableMapping.items
    get = MutableMapping.get
    pop = MutableMapping.pop
    popitem = MutableMapping.popitem
    clear = MutableMapping.clear
    update = MutableMapping.update
    setdefault = MutableMapping.setdefault
    _MutableMapping__marker = MutableMapping._MutableMapping__marker  # type: ignore[attr-defined]  # what pop reads

    def own_properties(self) -> dict[str, object]:
        """Return the object's own properties."""
        return self._target.own_properties()

    def _view(self, value: Any) -> Any:
        if not self._hereditary:
            return value
        return json_view(value) if self._arrays else object_view(value)


class ArrayView(JsProxy, js_name="Array"):
    """A view of an array whose objects are mappings."""

    def __init__(self, target: JsArray) -> None:
        self._target = target

    def __getitem__(self, index: Any) -> Any:
        return json_view(self._target[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._target[index] = value

    def __delitem__(self, index: Any) -> None:
        del self._target[index]

    def __iter__(self) -> Iterator[Any]:
        return map(json_view, self._target)

    def __len__(self) -> int:
        return len(self._target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def object_view(value: Any) -> Any:
    """Return an object as a mapping, and so the objects inside; anything else as it is."""
    return ObjectMap(value, hereditary=True) if type(value) is JsObject else value


def json_view(value: Any) -> Any:
    """Return objects as mappings and arrays as sequences, all the way down; anything else as it is."""
    if type(value) is JsObject:
        return ObjectMap(value, hereditary=True, arrays=True)
    return ArrayView(value) if isinstance(value, JsArray) else value


MutableMapping.register(ObjectMap)
MutableSequence.register(ArrayView)
