"""``pyodide.ffi``: what worker code imports to talk to JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pyworkers.js.buffers import JsBuffer, TypedArray
from pyworkers.js.collections import JsMap
from pyworkers.js.convert import (
    ConversionError,
    JsDoubleProxy,
    create_once_callable,
    create_proxy,
    destroy_proxies,
    to_js,
)
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, JsNull, jsnull
from pyworkers.js.promise import JsPromise
from pyworkers.js.response import Response
from pyworkers.js.values import JsException, JsProxy
from pyworkers.js.weak_reference import WeakRef
from pyworkers.pyodide.suspension import can_run_sync, run_sync

IN_PYODIDE = True

JsTypedArray = TypedArray
JsMutableMap = JsMap
JsCallableDoubleProxy = JsDoubleProxy
JsOnceCallable = JsDoubleProxy
JsFetchResponse = Response
JsWeakRef = WeakRef


class _Ability(type):
    """Makes classes that are there for ``isinstance`` only: it holds for the proxies that have the methods."""

    methods: tuple[str, ...]

    def __instancecheck__(cls, value: object) -> bool:
        if not isinstance(value, JsProxy):
            return False
        return all(any(name in base.__dict__ for base in type(value).__mro__) for name in cls.methods)


def _ability(name: str, *methods: str) -> _Ability:
    return _Ability(name, (), {"methods": methods, "__module__": "pyodide.ffi"})


JsCallable = _ability("JsCallable", "__call__")
JsIterable = _ability("JsIterable", "__iter__")
JsIterator = _ability("JsIterator", "__next__")
JsGenerator = _ability("JsGenerator", "__next__", "send", "throw")
JsAsyncIterable = _ability("JsAsyncIterable", "__aiter__")
JsAsyncIterator = _ability("JsAsyncIterator", "__anext__")
JsAsyncGenerator = _ability("JsAsyncGenerator", "__anext__", "asend", "athrow")
JsDomElement = _ability("JsDomElement", "appendChild", "tagName")  # there is no document in a worker


class ToJsConverter(Protocol):
    """The type of a converter that `to_js` takes."""

    def __call__(
        self, value: Any, converter: Callable[[Any], JsProxy], cache: Callable[[Any, JsProxy], None], /
    ) -> JsProxy:
        """Convert a value; ``cache(value, converted)`` is called before what is inside is converted."""
        ...


class InternalError(Exception):
    """A failure inside Pyodide itself; nothing here raises it."""


InternalError.__module__ = "pyodide.ffi"


def register_js_module(name: str, jsproxy: object) -> None:
    """Make a JavaScript object importable as the Python module ``name``."""
    import sys

    sys.modules[name] = jsproxy  # type: ignore[assignment]  # Pyodide's own contract: any object


def unregister_js_module(name: str) -> None:
    """Undo `register_js_module`.

    Raises:
        ValueError: no such module was registered.
    """
    import sys

    if not isinstance(sys.modules.get(name), JsProxy):
        raise ValueError(f"Cannot unregister {name!r}: no Javascript module with that name is registered")
    del sys.modules[name]


__all__ = [
    "IN_PYODIDE",
    "ConversionError",
    "InternalError",
    "JsArray",
    "JsAsyncGenerator",
    "JsAsyncIterable",
    "JsAsyncIterator",
    "JsBigInt",
    "JsBuffer",
    "JsCallable",
    "JsCallableDoubleProxy",
    "JsDomElement",
    "JsDoubleProxy",
    "JsException",
    "JsFetchResponse",
    "JsGenerator",
    "JsIterable",
    "JsIterator",
    "JsMap",
    "JsMutableMap",
    "JsNull",
    "JsOnceCallable",
    "JsPromise",
    "JsProxy",
    "JsTypedArray",
    "JsWeakRef",
    "ToJsConverter",
    "can_run_sync",
    "create_once_callable",
    "create_proxy",
    "destroy_proxies",
    "jsnull",
    "register_js_module",
    "run_sync",
    "to_js",
    "unregister_js_module",
]
