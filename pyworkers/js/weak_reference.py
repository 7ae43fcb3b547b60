"""``WeakRef``, ``WeakMap``, ``WeakSet`` and ``FinalizationRegistry``: what does not keep its objects alive.

Source: tc39.es/ecma262, sections 24.3, 24.4, 26.1 and 26.2
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from pyworkers.js.primitives import is_nullish
from pyworkers.js.values import JsProxy, call, is_callable, iterate, type_error


class WeakRef(JsProxy):
    """A weak reference; ``to_weakref`` of a proxy makes one too."""

    def __init__(self, target: JsProxy) -> None:
        self._reference = weakref.ref(target)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new WeakRef(target)``.

        Raises:
            JsException: TypeError, when the target is no object.
        """
        if not args or not isinstance(args[0], JsProxy):
            raise type_error("WeakRef: invalid target")
        return cls(args[0])

    def deref(self) -> JsProxy | None:
        """Return the object, or undefined once nothing else holds it."""
        return self._reference()


class WeakMap(JsProxy):
    """A map whose keys are objects, and whose entries go with them."""

    def __init__(self) -> None:
        self._entries: weakref.WeakKeyDictionary[JsProxy, Any] = weakref.WeakKeyDictionary()

    @classmethod
    def js_new(cls, entries: Any = None, *_: Any) -> JsProxy:
        """``new WeakMap(entries)``."""
        self = cls()
        for entry in () if is_nullish(entries) else iterate(entries):
            key, value = iterate(entry)
            self.set(key, value)
        return self

    def get(self, key: object = None, *_: object) -> Any:
        """Return the value of a key, or undefined."""
        return self._entries.get(key) if isinstance(key, JsProxy) else None

    def set(self, key: object = None, value: object = None, *_: object) -> WeakMap:
        """Store a value; returns the map.

        Raises:
            JsException: TypeError, when the key is no object.
        """
        if not isinstance(key, JsProxy):
            raise type_error("Invalid value used as weak map key")
        self._entries[key] = value
        return self

    def has(self, key: object = None, *_: object) -> bool:
        """Tell whether there is such a key."""
        return isinstance(key, JsProxy) and key in self._entries

    def delete(self, key: object = None, *_: object) -> bool:
        """Remove a key; tells whether it was there."""
        if not isinstance(key, JsProxy) or key not in self._entries:
            return False
        del self._entries[key]
        return True


class WeakSet(JsProxy):
    """A set of objects, which leave it when nothing else holds them."""

    def __init__(self) -> None:
        self._members: weakref.WeakSet[JsProxy] = weakref.WeakSet()

    @classmethod
    def js_new(cls, items: Any = None, *_: Any) -> JsProxy:
        """``new WeakSet(items)``."""
        self = cls()
        for item in () if is_nullish(items) else iterate(items):
            self.add(item)
        return self

    def add(self, value: object = None, *_: object) -> WeakSet:
        """Take an object up; returns the set.

        Raises:
            JsException: TypeError, when it is no object.
        """
        if not isinstance(value, JsProxy):
            raise type_error("Invalid value used in weak set")
        self._members.add(value)
        return self

    def has(self, value: object = None, *_: object) -> bool:
        """Tell whether the object is in the set."""
        return isinstance(value, JsProxy) and value in self._members

    def delete(self, value: object = None, *_: object) -> bool:
        """Remove an object; tells whether it was there."""
        if not isinstance(value, JsProxy) or value not in self._members:
            return False
        self._members.discard(value)
        return True


class FinalizationRegistry(JsProxy):
    """Calls a function some time after an object is gone."""

    def __init__(self, cleanup: Callable[..., object]) -> None:
        self._cleanup = cleanup
        self._watched: dict[int, tuple[weakref.finalize[Any, Any], object]] = {}

    @classmethod
    def js_new(cls, cleanup: Any = None, *_: Any) -> JsProxy:
        """``new FinalizationRegistry(cleanup)``."""
        if not is_callable(cleanup):
            raise type_error("FinalizationRegistry: cleanup must be callable")
        return cls(cleanup)

    def register(self, target: Any = None, held: Any = None, token: Any = None, *_: object) -> None:
        """Watch an object; ``held`` is what the function gets."""
        if not isinstance(target, JsProxy):
            raise type_error("FinalizationRegistry.prototype.register: invalid target")
        watch = weakref.finalize(target, call, self._cleanup, held)
        watch.atexit = False
        self._watched[id(watch)] = (watch, token)

    def unregister(self, token: Any = None, *_: object) -> bool:
        """Watch no more what was registered with a token; tells whether there was any."""
        found = [key for key, (_, known) in self._watched.items() if known is token]
        for key in found:
            self._watched.pop(key)[0].detach()
        return bool(found)
