"""The JavaScript object model: what a value on the JavaScript side of the boundary is in Python.

==================  =====================================================================================
JavaScript          here
==================  =====================================================================================
undefined           ``None``
null                ``jsnull``
boolean             ``bool``
number              ``int`` where it is integral, else ``float``
bigint              ``JsBigInt`` (an ``int``)
string              ``str``
function            any Python callable
an instance         an instance of a `JsProxy` subclass, one class for each JavaScript class
a constructor       `JsConstructor`, reached as ``instance.constructor`` and as a name in ``js``
an exception        `JsException`
anything else       a Python object that crossed unconverted: Pyodide's ``PyProxy``, opaque to JavaScript
==================  =====================================================================================

A host class is an ordinary Python class: ``__init__`` is its private, typed constructor, `js_new` is what
JavaScript's ``new`` runs, and ``static_NAME`` functions are the constructor's own members. Its instances print and
type as Pyodide's do: ``type(x)`` is ``<class 'pyodide.ffi.JsProxy'>``, ``repr(x)`` is JavaScript's ``String(x)``.

Source: recorded, contracts/python; pyodide.org/en/stable/usage/type-conversions.html
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, wraps
from typing import Any, ClassVar, Final, Self, TypeVar

from pyworkers.js.error_names import DOM_EXCEPTION_CODES, DOM_EXCEPTION_CONSTANTS, ERROR_NAMES
from pyworkers.js.primitives import to_string, typeof
from pyworkers.js.read_only import constants_of, is_host, is_of_language, refuse_to_set, setter_but_for

R = TypeVar("R")


def _name_as_pyodide(cls: type[JsProxy], js_name: str) -> None:
    cls.js_name = js_name
    cls.__module__ = "pyodide.ffi"
    cls.__qualname__ = "JsProxy"
    cls.__name__ = "pyodide.ffi.JsProxy"  # CPython prints this one in "object is not subscriptable"


def _with_options(function: Callable[..., R]) -> Callable[..., R]:
    def new(*args: Any, **kwargs: Any) -> R:
        if kwargs:
            return function(*args, JsObject(kwargs))
        return function(*args)

    return new


class JsProxy:
    """Base of every JavaScript object."""

    js_name: ClassVar[str] = "Object"
    read_only: ClassVar[frozenset[str]] = frozenset()
    constructor: ClassVar[Any]  # a JsConstructor; Any, because the two classes define each other

    def __init_subclass__(cls, *, js_name: str | None = None, is_function: bool = False, read_only: str = "") -> None:
        """Make a host class.

        Args:
            js_name: JavaScript's name of it.
            read_only: plain attributes that scripts cannot set, besides constants and properties without a setter.
        """
        super().__init_subclass__()
        for name, member in list(vars(cls).items()):
            if isinstance(member, property) and member.fset is None and name[0] != "_":
                setattr(cls, name, member.setter(partial(refuse_to_set, name=name)))
        names = constants_of(cls).union(read_only.split())
        if names:
            cls.read_only = cls.read_only | names
            cls.__setattr__ = setter_but_for(cls.read_only)  # type: ignore[method-assign,assignment]  # only where needed
        _name_as_pyodide(cls, js_name or cls.__name__)
        if not is_function and "constructor" not in cls.__dict__:
            cls.constructor = JsConstructor(cls)

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """Run JavaScript's ``new``; a class that scripts cannot construct keeps this one."""
        raise type_error("Illegal constructor")

    @property
    def js_id(self) -> int:
        """An identity that equal proxies share."""
        return id(self)

    @property
    def typeof(self) -> str:
        """What JavaScript's ``typeof`` says."""
        return "object"

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> Any:
        """Convert to Python's own types, as Pyodide's ``JsProxy.to_py``; class instances come back unchanged."""
        return to_py_hook(self, depth=depth, default_converter=default_converter)

    def own_properties(self) -> dict[str, object]:
        """Return the object's own enumerable properties, in order."""
        return {}

    def object_keys(self) -> JsProxy:
        """``Object.keys(self)``."""
        return _array(self.own_properties())

    def object_values(self) -> JsProxy:
        """``Object.values(self)``."""
        return _array(self.own_properties().values())

    def object_entries(self) -> JsProxy:
        """``Object.entries(self)``."""
        return _array(_array(pair) for pair in self.own_properties().items())

    def as_object_map(self, *, hereditary: bool = False) -> JsProxy:
        """Return a view of the object as a mapping; ``hereditary`` includes the objects inside."""
        from pyworkers.js.object_map import ObjectMap  # that module is written in terms of this one

        return ObjectMap(self, hereditary=hereditary)

    def as_py_json(self) -> JsProxy:
        """Return a view in which objects are mappings and arrays are sequences, all the way down."""
        from pyworkers.js.object_map import ObjectMap

        return ObjectMap(self, hereditary=True, arrays=True)

    def to_weakref(self) -> JsProxy:
        """Return a ``WeakRef`` of the object."""
        from pyworkers.js.weak_reference import WeakRef  # that module is written in terms of this one

        return WeakRef(self)

    def bind_sig(self, _signature: object) -> Self:
        """Return the object itself: Pyodide's types for conversion change nothing that is converted here."""
        return self

    bind_class = bind_sig

    def hasOwnProperty(self, name: object = None, *_: object) -> bool:
        """Tell whether ``name`` is an own property."""
        return to_string(name) in self.own_properties()

    propertyIsEnumerable = hasOwnProperty

    def isPrototypeOf(self, *_: object) -> bool:
        """Tell whether an object inherits from this one: it is an instance, and none does."""
        return False

    def toLocaleString(self, *_: object) -> str:
        """As `toString`, where a class says nothing else."""
        return self.toString()

    def toString(self) -> str:
        """JavaScript's ``String(self)``."""
        return f"[object {self.js_name}]"

    def valueOf(self) -> object:
        """JavaScript's ``self.valueOf()``."""
        return self

    def __repr__(self) -> str:
        return self.toString()

    def __delattr__(self, name: str) -> None:
        # As JavaScript's `delete`: what is no property of the object's own stays, and nothing is said of it.
        if name not in self.read_only:
            self.__dict__.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        # Reached only for what the object lacks. `from_` is how Python spells JavaScript's `from`.
        if name[-1:] == "_" and keyword.iskeyword(name[:-1]):
            return getattr(self, name[:-1])
        raise AttributeError(name)


class JsConstructor(JsProxy, js_name="Function", is_function=True):
    """A JavaScript constructor function, such as ``js.Response``: ``.new(...)`` makes an instance."""

    def __init__(self, cls: type[JsProxy]) -> None:
        self.python_class = cls
        self.name = cls.js_name
        self.length = 0
        self.statics: type = cls
        self.call_without_new: Callable[..., object] | None = None
        self.new = _with_options(cls.js_new)

    @property
    def typeof(self) -> str:
        """What JavaScript's ``typeof`` says."""
        return "function"

    @property
    def prototype(self) -> JsProxy:
        """The instances' prototype: its methods, unbound."""
        from pyworkers.js.prototypes import Prototype  # that module is written in terms of this one

        return Prototype(self.python_class)

    def __setattr__(self, name: str, value: object) -> None:
        if not is_host(2) and (name in ("length", "name") or self._has_constant(name)):
            refuse_to_set(self, value, name=name)
        super().__setattr__(name, value)

    def _has_constant(self, name: str) -> bool:
        found = getattr(self.statics, f"static_{name}", None)
        return found is not None and not callable(found)

    def toString(self) -> str:
        """JavaScript's ``String(self)``."""
        return f"function {self.name}() {{ [native code] }}"

    def __call__(self, *args: object, **_kwargs: object) -> object:
        if self.call_without_new is not None:
            return self.call_without_new(*args)
        if self.python_class.js_new.__func__ is JsProxy.js_new.__func__:  # type: ignore[attr-defined]  # a classmethod
            raise type_error("Illegal constructor")
        if self.name == "Promise":
            raise type_error("Promise constructor cannot be invoked without 'new'")
        if is_of_language(self.name):
            raise type_error(f"Constructor {self.name} requires 'new'")
        raise type_error(
            f"Failed to construct '{self.name}': Please use the 'new' operator, this object constructor "
            "cannot be called as a function."
        )

    def __getattr__(self, name: str) -> Any:
        plain = name[:-1] if name[-1:] == "_" and keyword.iskeyword(name[:-1]) else name
        try:
            found = getattr(self.statics, f"static_{plain}")
        except AttributeError:
            raise AttributeError(name) from None
        if callable(found):
            self.__dict__[name] = found  # the SDK asks for `Object.fromEntries` with every argument
        return found


class JsObject(JsProxy, js_name="Object"):
    """A plain object. Its properties are its Python attributes; ``obj["x"]`` is a TypeError, as in Pyodide."""

    def __init__(self, properties: Mapping[str, object] | Iterable[tuple[str, object]] = ()) -> None:
        self.__dict__.update(properties)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Object(value)``."""
        return args[0] if args and isinstance(args[0], JsProxy) else cls()

    def own_properties(self) -> dict[str, object]:
        """Return the properties themselves: a write to the dict is a write to the object.

        Integer names come first, in ascending order, as in JavaScript.
        """
        properties = self.__dict__
        if properties and min(properties) < ":":  # the character after "9": usually there is none to look at
            _put_indices_first(properties)
        return properties


class JsException(JsProxy, Exception):
    """A JavaScript error, thrown or held as a value.

    Args:
        name: such as ``TypeError``; for a DOMException its name, such as ``AbortError``.
        message: the exact message.
        kind: the constructor's name where it is not ``name``: ``DOMException``, ``PythonError``.
    """

    def __init__(self, name: str = "Error", message: str = "", *, kind: str | None = None, stack: str = "") -> None:
        Exception.__init__(self, f"{name}: {message}" if message else name)
        self.name = name
        self.message = message
        self.cause: object = None
        self.kind = kind or (name if name in ERROR_NAMES else "Error")
        self.stack = stack or f"{name}: {message}\n    at <python>"
        if kind == "DOMException":
            self.code = DOM_EXCEPTION_CODES.get(name, 0)

    def __getattr__(self, name: str) -> Any:
        if name in DOM_EXCEPTION_CONSTANTS and self.kind == "DOMException":
            return DOM_EXCEPTION_CONSTANTS[name]
        return super().__getattr__(name)

    @classmethod
    def new(cls, *args: object) -> JsException:
        """Make an Error, as Pyodide's ``JsException.new(message, options)``."""
        return _new_error("Error", *args)

    @property
    def constructor(self) -> JsConstructor:
        """The error's class, as far as its name tells."""
        return ERRORS[self.kind]

    def toString(self) -> str:
        """``name: message``."""
        return f"{self.name}: {self.message}" if self.message else self.name

    def __str__(self) -> str:
        return self.toString()

    def __repr__(self) -> str:
        return self.toString()


_OF_DOM_EXCEPTIONS: Final = frozenset({"name", "message", "code", *DOM_EXCEPTION_CONSTANTS})


def _set_property_of_error(target: JsException, name: str, value: object) -> None:
    if name in _OF_DOM_EXCEPTIONS and target.__dict__.get("kind") == "DOMException" and not is_host(2):
        # JavaScript shows the error itself in this place, that is what has been read of it so far: nothing.
        raise type_error(f"Cannot assign to read only property '{name}' of object ''")
    object.__setattr__(target, name, value)


JsException.__setattr__ = _set_property_of_error  # type: ignore[method-assign,assignment]  # in the class it hides typos
JsException.__qualname__ = "JsException"
JsException.__name__ = "JsException"


def _new_error(name: str, message: object = None, options: object = None, *_: object, **kwargs: object) -> JsException:
    text = "" if message is None else to_string(message)
    if name == "DOMException":
        return JsException("Error" if options is None else to_string(options), text, kind=name)
    error = JsException(name, text)
    cause = kwargs.get("cause", get_property(options, "cause"))
    if cause is not None:
        error.cause = cause
    return error


def _error_constructor(name: str) -> JsConstructor:
    constructor = JsConstructor(JsException)
    constructor.name = name
    constructor.new = new = partial(_new_error, name)
    if name == "DOMException":
        constructor.statics = _DomExceptionConstants
    else:
        constructor.call_without_new = new
    return constructor


class _DomExceptionConstants:
    """Members of the ``DOMException`` constructor."""


for _name, _code in DOM_EXCEPTION_CONSTANTS.items():
    setattr(_DomExceptionConstants, f"static_{_name}", _code)

ERRORS: Final = {name: _error_constructor(name) for name in sorted(ERROR_NAMES)}


def type_error(message: str) -> JsException:
    """Make a TypeError."""
    return JsException("TypeError", message)


def range_error(message: str) -> JsException:
    """Make a RangeError."""
    return JsException("RangeError", message)


def stack_overflow() -> JsException:
    """Make the RangeError of values that are nested too deeply."""
    return range_error("Maximum call stack size exceeded")


def dom_exception(name: str, message: str) -> JsException:
    """Make a DOMException of the given name, such as ``AbortError``."""
    return JsException(name, message, kind="DOMException")


def call(function: Callable[..., object], *args: object) -> Any:
    """Call a function as JavaScript does: a Python one gets no more arguments than it takes."""
    limit = _accepted_arguments(function)
    return function(*args[:limit])


def _accepted_arguments(function: Callable[..., object]) -> int | None:
    inner = getattr(function, "__func__", function)
    code = getattr(inner, "__code__", None)
    if code is None or code.co_flags & 0x04:
        return None
    return int(code.co_argcount) - (inner is not function)


def _put_indices_first(properties: dict[str, object]) -> None:
    indices = [name for name in properties if name.isascii() and name.isdigit() and (name[0] != "0" or name == "0")]
    if indices:
        indices.sort(key=int)
        rest = {name: value for name, value in properties.items() if name not in indices}
        ordered = {name: properties[name] for name in indices} | rest
        properties.clear()
        properties.update(ordered)


def _array(items: Iterable[object]) -> JsProxy:
    from pyworkers.js.objects import JsArray  # that module is written in terms of this one

    return JsArray(items)


def _all_visible(_name: str) -> bool:
    return True


def _to_py(value: object, **options: Any) -> Any:
    from pyworkers.js.convert import to_py  # that module is written in terms of this one, and takes the hook

    return to_py(value, **options)


to_py_hook: Callable[..., Any] = _to_py
# Tells whether JavaScript sees a dict's key; of a Pyodide so old that it does not the realm module tells the console.
dict_key_hook: Callable[[str], bool] = _all_visible


def own_properties_of(value: object) -> dict[str, object]:
    """Return the own enumerable properties of any value.

    A ``dict`` that was passed unconverted has its items; primitives and other Python objects have none.
    """
    if isinstance(value, JsProxy):
        return value.own_properties()
    if isinstance(value, dict) and value:
        return {to_string(key): item for key, item in value.items()} if dict_key_hook("") else {}
    return {}


def get_property(value: object, name: str) -> Any:
    """Read ``value.name`` as the platform reads a member of an option bag: ``None`` where it is absent.

    Of a ``dict`` that was passed unconverted JavaScript sees the items as properties, of another Python object nothing.

    Source: observed, Pyodide 0.28.2 and 314.0.7; 0.26 showed none
    """
    if isinstance(value, JsProxy):
        found = getattr(value, name, None)
        return None if found is None else found
    if isinstance(value, dict) and name in value:
        return value[name] if dict_key_hook(name) else None
    return None


def js_arguments(args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[object, ...]:
    """Apply Pyodide's calling rule: keyword arguments become one trailing options object."""
    return (*args, JsObject(kwargs)) if kwargs else args


def js_method(function: Callable[..., R]) -> Callable[..., R]:
    """Make a Python method callable as JavaScript's: extra arguments are dropped, keywords become an options object."""
    code = function.__code__
    limit = None if code.co_flags & 0x04 else code.co_argcount - 1

    @wraps(function)
    def call(self: Any, *args: Any, **kwargs: Any) -> R:
        if kwargs:
            args = (*args, JsObject(kwargs))
        return function(self, *args[:limit])

    return call


def js_function(function: Callable[..., R]) -> Callable[..., R]:
    """As `js_method`, for a global or static function."""
    code = function.__code__
    limit = None if code.co_flags & 0x04 else code.co_argcount

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> R:
        if kwargs:
            args = (*args, JsObject(kwargs))
        return function(*args[:limit])

    return call


def is_callable(value: object) -> bool:
    """Tell whether JavaScript sees a function."""
    return callable(value) and not isinstance(value, JsConstructor)


_ITERATED_BY_ENTRIES: Final = frozenset({"FormData", "Headers", "LiteralMap", "Map", "URLSearchParams"})


def iterate(value: object) -> Iterator[object]:
    """Iterate a value as JavaScript's ``for … of`` does.

    Raises:
        JsException: TypeError, when the value is not iterable.
    """
    if isinstance(value, str):
        return iter(value)
    if isinstance(value, JsProxy) and value.js_name in _ITERATED_BY_ENTRIES:
        return iter(value.entries())  # Python iterates their keys
    try:
        return iter(value)  # type: ignore[call-overload]  # the TypeError below is the check
    except TypeError:
        raise type_error(f"{typeof(value)} is not iterable") from None


JsProxy.__module__ = "pyodide.ffi"
JsProxy.__name__ = "pyodide.ffi.JsProxy"
JsProxy.__qualname__ = "JsProxy"
JsProxy.constructor = JsObject.constructor
JsConstructor.constructor = JsConstructor(JsConstructor)
