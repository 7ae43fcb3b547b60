"""Conversions between Python's values and JavaScript's: ``to_js``, ``to_py``, proxies of Python objects.

Source: pyodide.org, ``pyodide.ffi``; recorded, contracts/python, python.ffi.*
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from inspect import isawaitable
from typing import Any

from pyworkers.js import values
from pyworkers.js.buffers import JsBuffer, Uint8Array, typed_array_of
from pyworkers.js.collections import JsMap, JsSet, LiteralMap
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import MAX_SAFE_INTEGER, JsBigInt, is_nullish, number, to_string
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsException, JsObject, JsProxy, js_arguments

Converter = Callable[[Any, Callable[[Any], Any], Callable[[Any, Any], None]], Any]
PRIMITIVES = (str, int, float)  # a bool is an int
# What is itself on both sides. Tuples and exact types, because every argument of every binding comes by here.
_SAME = (*PRIMITIVES, JsProxy)
_PLAIN = frozenset({str, bool})
_LEAVES = frozenset({str, bool, int, float})


class ConversionError(Exception):
    """A Python value has no JavaScript form."""


ConversionError.__module__ = "pyodide.ffi"


class JsDoubleProxy(JsProxy, js_name="Object"):
    """What ``create_proxy`` returns: a JavaScript object that stands for a Python one until ``destroy``."""

    def __init__(self, target: Any, *, once: bool = False) -> None:
        self._target = target
        self._once = once
        self._destroyed = ""  # why it cannot be used any more

    def unwrap(self) -> Any:
        """Return the Python object."""
        return self._live()

    def destroy(self) -> None:
        """Release the Python object; later use is an error.

        Raises:
            JsException: a proxy of `create_once_callable` was called or destroyed before.
        """
        if self._once and self._destroyed:
            raise JsException("Error", "OnceProxy has already been destroyed")
        if not self._destroyed:
            kind, shown = type(self._target).__name__, repr(self._target)
            self._destroyed = (
                "OnceProxy can only be called once"
                if self._once
                else (f'Object has already been destroyed\nThe object was of type "{kind}" and had repr "{shown}"')
            )
        self._target = None

    def copy(self) -> JsDoubleProxy:
        """Return another proxy of the same object."""
        return JsDoubleProxy(self._live())

    def getBuffer(self, *_: object) -> PyBufferView:
        """``PyBuffer.getBuffer``: the object's bytes as a typed array."""
        return PyBufferView(self._live())

    @property
    def is_function(self) -> bool:
        """Tell whether the Python object is callable."""
        return callable(self._target)

    def toString(self) -> str:
        """``str()`` of the Python object."""
        return str(self._live())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        target = self._live()
        if self._once:
            self.destroy()
        return target(*js_arguments(args, kwargs))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._live(), name)

    def _live(self) -> Any:
        if self._destroyed:
            raise JsException("Error", self._destroyed)
        return self._target


class AwaitableProxy(JsDoubleProxy, js_name="Object"):
    """A proxy of a coroutine, task or future: JavaScript finds a ``then`` on it, so it can be awaited."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._live().__await__()


class PyBufferView(JsProxy, js_name="Object"):
    """``PyBufferView``: a Python object's memory, ``data`` as a typed array."""

    def __init__(self, target: Any) -> None:
        self.data = typed_array_of(memoryview(target))
        self.released = False

    def release(self) -> None:
        """Give the memory back."""
        self.released = True


def to_js(
    obj: Any,
    /,
    *,
    depth: int = -1,
    pyproxies: JsArray | None = None,
    create_pyproxies: bool = True,
    dict_converter: Callable[[Any], Any] | None = None,
    default_converter: Converter | None = None,
    eager_converter: Converter | None = None,
) -> Any:
    """Convert a Python value to JavaScript's, deeply: list and tuple → Array, dict → Object, set → Set, bytes →
    Uint8Array, other buffers → the typed array of their format; anything else stays a proxy of itself.

    Args:
        depth: levels to convert; -1 is all.
        dict_converter: makes the result of a dict from an array of ``[key, value]`` arrays.
        default_converter: converts what has no conversion, called with ``(value, convert, cache)``.
        eager_converter: asked first, for every value.

    Raises:
        ConversionError: ``create_pyproxies`` is False and a value has no conversion.
    """
    if type(obj) is str:  # a binding's usual argument
        return obj
    return _ToJs(pyproxies, create_pyproxies, dict_converter, default_converter, eager_converter).convert(obj, depth)


def to_py(value: Any, /, *, depth: int = -1, default_converter: Converter | None = None) -> Any:
    """Convert a JavaScript value to Python's, deeply: Array → list, Object and Map → dict, Set → set, buffers →
    memoryview; instances of other classes come back unchanged, or as ``default_converter`` says.
    """
    return _ToPy(default_converter).convert(value, depth) if isinstance(value, JsProxy) else value


def create_proxy(obj: Any, /, *, capture_this: bool = False, roundtrip: bool = True) -> JsDoubleProxy:
    """Return a proxy of a Python object that lives until ``destroy``."""
    del capture_this, roundtrip  # they only matter to JavaScript code
    return AwaitableProxy(obj) if isawaitable(obj) else JsDoubleProxy(obj)


def create_once_callable(obj: Callable[..., Any], /, *, _may_syncify: bool = False) -> JsDoubleProxy:
    """Return a proxy of a callable that is released by its first call."""
    return JsDoubleProxy(obj, once=True)


def destroy_proxies(pyproxies: Iterable[Any], /) -> None:
    """Destroy every proxy in an array."""
    for proxy in pyproxies:
        if isinstance(proxy, JsDoubleProxy):
            proxy.destroy()


class _ToJs:
    """One ``to_js`` call: its options, and what it has converted so far (for cycles)."""

    def __init__(
        self,
        pyproxies: JsArray | None,
        create_pyproxies: bool,
        dict_converter: Callable[[Any], Any] | None,
        default_converter: Converter | None,
        eager_converter: Converter | None,
    ) -> None:
        self.pyproxies = pyproxies
        self.create_pyproxies = create_pyproxies
        self.dict_converter = dict_converter
        self.default_converter = default_converter
        self.eager_converter = eager_converter
        self.done: dict[int, Any] = {}
        self.kept: list[Any] = []  # keeps the keys of `done` alive

    def convert(self, obj: Any, depth: int) -> Any:
        kind = type(obj)
        if kind in _PLAIN:
            return obj
        if kind is float:
            return number(obj)
        if kind is int:
            return obj if -MAX_SAFE_INTEGER <= obj <= MAX_SAFE_INTEGER else JsBigInt(obj)
        if is_nullish(obj) or isinstance(obj, _SAME):
            return obj
        if id(obj) in self.done:
            return self.done[id(obj)]
        if self.eager_converter is not None:
            return self.eager_converter(obj, lambda item: self.default(item, depth), self.remember)
        return self.default(obj, depth)

    def default(self, obj: Any, depth: int) -> Any:
        if is_nullish(obj) or isinstance(obj, _SAME):
            return obj
        if depth == 0:
            return self.proxy(obj)
        if isinstance(obj, (list, tuple)):
            array = JsArray()
            self.remember(obj, array)
            array.items_ = [self.convert(item, depth - 1) for item in obj]
            return array
        if isinstance(obj, dict):
            return self.dictionary(obj, depth)
        if isinstance(obj, set | frozenset):
            return JsSet([self.convert(item, depth - 1) for item in obj])
        if isinstance(obj, bytes | bytearray):
            return Uint8Array.of_bytes(bytearray(obj))
        if isinstance(obj, memoryview):
            return typed_array_of(obj)
        return self.proxy(obj)

    def dictionary(self, obj: Mapping[Any, Any], depth: int) -> Any:
        if self.dict_converter is not None and self.dict_converter is not FROM_ENTRIES:
            return self.dict_converter(JsArray(JsArray((key, self.convert(v, depth - 1))) for key, v in obj.items()))
        if self.dict_converter is None and current_realm().compat.pyodide_version.startswith("0.2"):
            literal = LiteralMap()
            self.remember(obj, literal)
            literal.entries_ = {key: self.convert(value, depth - 1) for key, value in obj.items()}
            return literal
        plain = JsObject()
        self.remember(obj, plain)
        for key, value in obj.items():
            plain.__dict__[key if type(key) is str else to_string(key)] = self.convert(value, depth - 1)
        return plain

    def proxy(self, obj: Any) -> Any:
        if self.default_converter is not None:
            return self.default_converter(obj, lambda item: self.convert(item, -1), self.remember)
        if not self.create_pyproxies:
            raise ConversionError(f"No conversion known for {obj!r}.")
        if self.pyproxies is not None:
            self.pyproxies.append(obj)
        return obj

    def remember(self, obj: Any, converted: Any) -> None:
        self.done[id(obj)] = converted
        self.kept.append(obj)


class _ToPy:
    """One ``to_py`` call."""

    def __init__(self, default_converter: Converter | None) -> None:
        self.default_converter = default_converter
        self.done: dict[int, Any] = {}

    def convert(self, value: Any, depth: int) -> Any:
        if not isinstance(value, JsProxy) or depth == 0:
            return value
        if id(value) in self.done:
            return self.done[id(value)]
        if type(value) is JsObject:
            return self.fill(value, {}, value.own_properties(), depth)
        if isinstance(value, JsArray):
            items: list[Any] = []
            self.done[id(value)] = items
            items.extend(self.item(item, depth - 1) for item in value.items_)
            return items
        if isinstance(value, JsMap):
            return self.fill(value, {}, value.entries_, depth)
        if isinstance(value, JsSet):
            return {self.item(item, depth - 1) for item in value}
        if isinstance(value, JsBuffer):
            return value.to_memoryview()
        if isinstance(value, JsDoubleProxy):
            return value.unwrap()
        if self.default_converter is not None:
            return self.default_converter(value, lambda item: self.convert(item, -1), self.remember)
        return value

    def item(self, value: Any, depth: int) -> Any:
        return value if type(value) in _LEAVES else self.convert(value, depth)

    def fill(self, value: Any, result: dict[Any, Any], source: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
        self.done[id(value)] = result
        for key, item in source.items():
            result[key] = item if type(item) in _LEAVES else self.convert(item, depth - 1)
        return result

    def remember(self, value: Any, converted: Any) -> None:
        self.done[id(value)] = converted


values.to_py_hook = to_py  # that module is what this one is written in terms of
FROM_ENTRIES = JsObject.constructor.fromEntries  # the usual dict_converter: its result is made without the detour
