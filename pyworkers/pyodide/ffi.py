"""``pyodide.ffi``: what worker code imports to talk to JavaScript."""

from __future__ import annotations

from pyworkers.js.buffers import JsBuffer, TypedArray
from pyworkers.js.convert import (
    ConversionError,
    JsDoubleProxy,
    create_once_callable,
    create_proxy,
    destroy_proxies,
    to_js,
)
from pyworkers.js.objects import JsArray, JsMap
from pyworkers.js.primitives import JsBigInt, JsNull, jsnull
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsConstructor, JsException, JsProxy
from pyworkers.pyodide.suspension import can_run_sync, run_sync

IN_PYODIDE = True

# Pyodide tells these apart for type checkers only; at run time they are views of the same proxy type.
JsTypedArray = TypedArray
JsMutableMap = JsMap
JsCallable = JsConstructor
JsCallableDoubleProxy = JsDoubleProxy
JsOnceCallable = JsDoubleProxy
JsFetchResponse = JsProxy
JsIterable = JsIterator = JsGenerator = JsProxy
JsAsyncIterable = JsAsyncIterator = JsAsyncGenerator = JsProxy
JsDomElement = JsProxy
JsWeakRef = JsProxy


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
