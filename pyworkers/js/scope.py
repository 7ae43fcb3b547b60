"""``import js``: JavaScript's global object as a Python module.

Every global is loaded when it is first read. What a worker assigns (``js.foo = 1``) lives in its realm, before the
globals of that name, so that workers in one process do not see each other's.

Source: developers.cloudflare.com/workers/runtime-apis; tests/data/js_symbols.json holds what Python code uses
"""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from types import ModuleType
from typing import Any, Final

from pyworkers.js.objects import JsArray
from pyworkers.js.realm import current_realm
from pyworkers.js.values import ERRORS, JsObject, JsProxy, type_error

# module of pyworkers.js: the classes whose constructors are globals of the same name
_CLASSES: Final = {
    "abort": "AbortController AbortSignal",
    "blob": "Blob File",
    "body": "Body",
    "buffers": "ArrayBuffer Uint8Array Int8Array Uint8ClampedArray Uint16Array Int16Array Uint32Array "
    "Int32Array Float32Array Float64Array BigInt64Array BigUint64Array",
    "builtins": "Number String Boolean BigInt Symbol Navigator Performance",
    "crypto.crypto": "Crypto",
    "crypto.keys": "CryptoKey",
    "crypto.subtle": "SubtleCrypto",
    "data_view": "DataView",
    "dates": "Date",
    "encoding": "TextEncoder TextDecoder",
    "events": "Event CustomEvent MessageEvent CloseEvent ErrorEvent EventTarget",
    "formdata": "FormData",
    "headers": "Headers",
    "html_rewriter": "HTMLRewriter",
    "message_channel": "MessageChannel MessagePort",
    "regexp": "RegExp",
    "request": "Request",
    "response": "Response",
    "scope_events": "ExtendableEvent FetchEvent ScheduledEvent TailEvent PromiseRejectionEvent WorkerGlobalScope "
    "ServiceWorkerGlobalScope",
    "search_params": "URLSearchParams",
    "streams.compression": "CompressionStream DecompressionStream",
    "streams.controllers": "ReadableStreamDefaultController ReadableByteStreamController ReadableStreamBYOBRequest",
    "streams.readable": "ReadableStream",
    "streams.readers": "ReadableStreamDefaultReader ReadableStreamBYOBReader",
    "streams.strategies": "CountQueuingStrategy ByteLengthQueuingStrategy",
    "streams.text": "TextEncoderStream TextDecoderStream",
    "streams.transform": "TransformStream IdentityTransformStream FixedLengthStream TransformStreamDefaultController",
    "streams.writable": "WritableStream WritableStreamDefaultWriter WritableStreamDefaultController",
    "url": "URL",
    "url_pattern": "URLPattern",
    "event_source": "EventSource",
    "weak_reference": "WeakRef WeakMap WeakSet FinalizationRegistry",
    "websocket": "WebSocket WebSocketPair WebSocketRequestResponsePair",
}
# module: the functions that are globals of the same name
_FUNCTIONS: Final = {
    "clone": "structuredClone",
    "encoding": "atob btoa",
    "scope_events": "reportError addEventListener removeEventListener dispatchEvent",
    "fetch": "fetch",
    "global_functions": "parseInt parseFloat isNaN isFinite encodeURIComponent encodeURI decodeURIComponent decodeURI "
    "eval escape unescape",
    "timers": "setTimeout setInterval clearTimeout clearInterval queueMicrotask setImmediate clearImmediate",
}
# global: the class of which it is the one instance
_OBJECTS: Final = {
    "Cloudflare": ("cloudflare", "Cloudflare"),
    "JSON": ("json", "JSON"),
    "Math": ("math_object", "Math"),
    "Reflect": ("builtins", "Reflect"),
    "console": ("console", "Console"),
    "crypto": ("crypto", "Crypto"),
    "navigator": ("builtins", "Navigator"),
    "performance": ("builtins", "Performance"),
    "scheduler": ("timers", "Scheduler"),
}
# global: module and class, where the two names differ
_RENAMED: Final = {
    "Object": ("values", "JsObject"),
    "Array": ("objects", "JsArray"),
    "Map": ("collections", "JsMap"),
    "Set": ("collections", "JsSet"),
    "Promise": ("promise", "JsPromise"),
    "Function": ("values", "JsConstructor"),
    "TraceEvent": ("scope_events", "TailEvent"),
}
# global: the flag without which it is missing
_WITH_FLAG: Final = {
    **dict.fromkeys(("clearImmediate", "global", "process", "setImmediate"), "nodejs_compat"),
    "Performance": "enable_global_performance_classes",
}
_CONSTANTS: Final = {"origin": "null", "undefined": None, "NaN": float("nan"), "Infinity": float("inf")}
_FIXED: Final = ("undefined", "NaN", "Infinity")
_HIDDEN_ERRORS: Final = ("PythonError", "NonRetryableError")  # values of these exist, globals of the names do not
_SELVES: Final = ("globalThis", "self")


def _sources() -> dict[str, tuple[str, str, str]]:
    """Return where each global comes from: kind, module, name there."""
    table = {name: ("class", *place) for name, place in _RENAMED.items()}
    table.update({name: ("object", *place) for name, place in _OBJECTS.items()})
    for kind, group in (("class", _CLASSES), ("function", _FUNCTIONS)):
        table.update({name: (kind, module, name) for module, names in group.items() for name in names.split()})
    return table


_SOURCES: Final = _sources()


class GlobalScope(ModuleType):
    """The module ``js``: its attributes are the globals."""

    def __init__(self) -> None:
        super().__init__("js", "JavaScript's global object, as a worker sees it.")
        loaded: dict[str, Any] = {**_CONSTANTS, **dict.fromkeys(_SELVES, self)}
        loaded.update(
            {name: error for name, error in ERRORS.items() if name not in ("PythonError", "NonRetryableError")}
        )
        self.__dict__["_loaded"] = loaded
        self.__dict__["_assigned"] = set()  # names that some worker has assigned: read through `__getattr__` for ever

    def __getattr__(self, name: str) -> Any:
        realm = current_realm()
        if name in realm.globals:
            return realm.globals[name]
        if name in realm.hosted:
            return realm.hosted[name]()
        loaded = self.__dict__["_loaded"]
        if name in _WITH_FLAG:
            return self._with_flag(name)
        if name in loaded:
            return self._kept(name, loaded[name])
        if name in _SOURCES:
            return self._kept(name, loaded.setdefault(name, _load(*_SOURCES[name])))
        if name[-1:] == "_" and iskeyword(name[:-1]):
            return getattr(self, name[:-1])  # `global_` is how Python spells `global`
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED:
            raise type_error(f"Cannot assign to read only property '{name}' of object '#<ServiceWorkerGlobalScope>'")
        if name.startswith("__"):
            super().__setattr__(name, value)  # the import system's own
        else:
            self.__dict__["_assigned"].add(name)
            self.__dict__.pop(name, None)
            current_realm().globals[name] = value

    def __delattr__(self, name: str) -> None:
        if name in _FIXED:
            raise type_error(f"Cannot delete property '{name}' of #<ServiceWorkerGlobalScope>")
        current_realm().globals.pop(name, None)  # as JavaScript's `delete`: what is not there is no error

    def _with_flag(self, name: str) -> Any:
        """Return a global that not every worker has, so that none is kept."""
        if not current_realm().compat.enabled(_WITH_FLAG[name]):
            raise AttributeError(name)
        if name == "global":
            return self
        return _process() if name == "process" else _load(*_SOURCES[name])

    def _kept(self, name: str, value: Any) -> Any:
        """Make the next read a plain attribute, unless a worker has a value of its own."""
        if name not in self.__dict__["_assigned"]:
            self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        realm = current_realm()
        missing = {name for name, flag in _WITH_FLAG.items() if not realm.compat.enabled(flag)}
        everything = {*self.__dict__["_loaded"], *_SOURCES, *_WITH_FLAG, *realm.hosted}
        return sorted((everything - missing).union(realm.globals))

    def __repr__(self) -> str:
        return "[object ServiceWorkerGlobalScope]"

    def object_keys(self) -> JsArray:
        """``Object.keys(globalThis)``: what the worker has assigned."""
        return JsArray(current_realm().globals)


def _load(kind: str, module: str, name: str) -> Any:
    value = getattr(import_module(f"pyworkers.js.{module}"), name)
    if kind == "class":
        return value.constructor
    return value() if kind == "object" else value


def _process() -> JsProxy:
    """``process`` of ``nodejs_compat``, as far as Python code looks at it."""
    return JsObject(
        {
            "env": JsObject(),
            "platform": "linux",
            "version": "v22.19.0",
            "versions": JsObject({"node": "22.19.0"}),
        }
    )


JsArray.constructor.call_without_new = JsArray.js_new
JsObject.constructor.call_without_new = JsObject.js_new
module: Final = GlobalScope()
