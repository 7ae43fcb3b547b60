"""``WeakRef``: a reference that does not keep its object alive.

Source: tc39.es/ecma262, section 26.1
"""

from __future__ import annotations

import weakref
from typing import Any

from pyworkers.js.values import JsProxy, type_error


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
            raise type_error("WeakRef: target must be an object")
        return cls(args[0])

    def deref(self) -> JsProxy | None:
        """Return the object, or undefined once nothing else holds it."""
        return self._reference()
