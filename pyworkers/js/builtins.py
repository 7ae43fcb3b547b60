"""JavaScript's own small objects: ``Number``, ``String``, ``Boolean``, ``BigInt``, ``Symbol``, ``Reflect``,
``performance`` and ``navigator``.

Source: tc39.es/ecma262, sections 19-21 and 28; recorded, contracts/fetchapi, fetchapi.globals.navigator
"""

from __future__ import annotations

import functools
import math
import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

from pyworkers.js.global_functions import parseFloat, parseInt
from pyworkers.js.number_texts import in_base
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import (
    MAX_SAFE_INTEGER,
    WHITESPACE,
    JsBigInt,
    number,
    to_boolean,
    to_integer,
    to_number,
    to_string,
)
from pyworkers.js.read_only import is_read_only
from pyworkers.js.realm import current_realm
from pyworkers.js.values import (
    JsException,
    JsProxy,
    js_method,
    own_properties_of,
    range_error,
    type_error,
)

_SURROGATE_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class _Boxed(JsProxy):
    """Base of ``new Number(1)`` and its like: an object around a primitive."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.constructor.call_without_new = cls.static_call  # type: ignore[attr-defined]  # each has one

    def __init__(self, value: Any) -> None:
        self._value = value

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Number(value)``."""
        return cls(cls.constructor(*args))

    def valueOf(self) -> Any:
        """The primitive."""
        return self._value

    def toString(self, *_: object) -> str:
        """The primitive's text."""
        return to_string(self._value)


class Number(_Boxed):
    """``Number``."""

    static_MAX_SAFE_INTEGER = MAX_SAFE_INTEGER
    static_MIN_SAFE_INTEGER = -MAX_SAFE_INTEGER
    static_MAX_VALUE = 1.7976931348623157e308
    static_MIN_VALUE = 5e-324
    static_EPSILON = 2.0**-52
    static_POSITIVE_INFINITY = math.inf
    static_NEGATIVE_INFINITY = -math.inf
    static_NaN = math.nan

    @staticmethod
    def static_call(value: object = 0, *_: object) -> int | float:
        """``Number(value)``."""
        return number(float(value)) if isinstance(value, JsBigInt) else number(to_number(value))

    @staticmethod
    def static_isInteger(value: object = None, *_: object) -> bool:
        """Tell whether the value is a whole number."""
        return isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()

    @staticmethod
    def static_isSafeInteger(value: object = None, *_: object) -> bool:
        """Tell whether the value is a whole number that a double holds exactly."""
        return Number.static_isInteger(value) and abs(to_number(value)) <= MAX_SAFE_INTEGER

    @staticmethod
    def static_isFinite(value: object = None, *_: object) -> bool:
        """Tell whether the value is a finite number."""
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    @staticmethod
    def static_isNaN(value: object = None, *_: object) -> bool:
        """Tell whether the value is NaN."""
        return isinstance(value, float) and math.isnan(value)

    @staticmethod
    def static_parseInt(*args: object) -> int | float:
        """As the global ``parseInt``."""
        return parseInt(*args)

    @staticmethod
    def static_parseFloat(*args: object) -> int | float:
        """As the global ``parseFloat``."""
        return parseFloat(*args)

    @js_method
    def toFixed(self, digits: object = None) -> str:
        """The number with so many decimals; halves go away from zero.

        Raises:
            JsException: RangeError, for fewer than 0 or more than 100.
        """
        places = to_integer(digits)
        if not 0 <= places <= 100:
            raise range_error("toFixed() digits argument must be between 0 and 100")
        if not abs(self._value) < 1e21:
            return to_string(self._value)
        with localcontext() as context:
            context.prec = 200
            rounded = Decimal(self._value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        return f"{rounded if self._value else abs(rounded):f}"

    def toString(self, radix: object = None, *_: object) -> str:
        """The number, in any base.

        Raises:
            JsException: RangeError, for a base below 2 or above 36.
        """
        base = 10 if radix is None else to_integer(radix)
        if not 2 <= base <= 36:
            raise range_error("toString() radix argument must be between 2 and 36")
        return to_string(self._value) if base == 10 else in_base(float(self._value), base)


class String(_Boxed):
    """``String``."""

    @staticmethod
    def static_call(*args: object) -> str:
        """``String(value)``, which alone makes a text of a symbol."""
        if args and isinstance(args[0], Symbol):
            return args[0].toString()
        return to_string(args[0]) if args else ""

    @staticmethod
    def static_fromCharCode(*units: object) -> str:
        """The text of UTF-16 units; surrogate pairs are joined."""
        text = "".join(chr(to_integer(unit) & 0xFFFF) for unit in units)
        if not _SURROGATE_PAIR.search(text):
            return text
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    @staticmethod
    def static_fromCodePoint(*points: object) -> str:
        """The text of code points."""
        for point in points:
            if not 0 <= to_number(point) <= 0x10FFFF:
                raise range_error(f"Invalid code point {to_string(point)}")
        return "".join(chr(to_integer(point)) for point in points)

    @property
    def length(self) -> int:
        """The number of UTF-16 units."""
        return len(self._value.encode("utf-16-le", "surrogatepass")) // 2

    def __len__(self) -> int:
        return self.length


class Boolean(_Boxed):
    """``Boolean``."""

    @staticmethod
    def static_call(value: object = None, *_: object) -> bool:
        """``Boolean(value)``."""
        return to_boolean(value)


class BigInt(_Boxed):
    """``BigInt``: only callable."""

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """A bigint is no object."""
        raise type_error("BigInt is not a constructor")

    @staticmethod
    def static_call(value: object = None, *_: object) -> JsBigInt:
        """``BigInt(value)``."""
        if isinstance(value, str):
            try:
                digits = value.strip(WHITESPACE)
                return JsBigInt(int(digits or "0", 0 if digits[:2].lower() in ("0x", "0o", "0b") else 10))
            except ValueError:
                raise JsException("SyntaxError", f"Cannot convert {value} to a BigInt") from None
        if isinstance(value, float) and not value.is_integer():
            raise range_error(f"The number {to_string(value)} cannot be converted to a BigInt because it is not an "
                              "integer")  # fmt: skip
        if not isinstance(value, int | float):
            raise type_error(f"Cannot convert {to_string(value)} to a BigInt")
        return JsBigInt(int(value))

    @staticmethod
    def static_asIntN(bits: object = None, value: int = 0, *_: object) -> JsBigInt:
        """Wrap into so many bits, signed."""
        size = 1 << to_integer(bits)
        wrapped = value % size
        return JsBigInt(wrapped - size if wrapped >= size // 2 else wrapped)

    @staticmethod
    def static_asUintN(bits: object = None, value: int = 0, *_: object) -> JsBigInt:
        """Wrap into so many bits, unsigned."""
        return JsBigInt(value % (1 << to_integer(bits)))


class Symbol(_Boxed):
    """A symbol: a value that equals nothing but itself."""

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """A symbol is no object."""
        raise type_error("Symbol is not a constructor")

    @staticmethod
    def static_call(description: object = None, *_: object) -> Symbol:
        """``Symbol(description)``."""
        return Symbol(None if description is None else to_string(description))

    @staticmethod
    @functools.cache
    def static_for(key: str = "undefined") -> Symbol:
        """``Symbol.for``: the same symbol for the same key."""
        return Symbol(key)

    @property
    def typeof(self) -> str:
        """``symbol``."""
        return "symbol"

    @property
    def description(self) -> str | None:
        """What the symbol was made with."""
        return self._value

    def toString(self, *_: object) -> str:
        """``Symbol(description)``."""
        return f"Symbol({self._value or ''})"

    def valueOf(self) -> Symbol:
        """The symbol itself."""
        return self


for _name in (
    *("iterator", "asyncIterator", "hasInstance", "isConcatSpreadable", "toPrimitive", "toStringTag", "unscopables"),
    *("match", "matchAll", "replace", "search", "split", "species", "dispose", "asyncDispose"),
):
    setattr(Symbol, f"static_{_name}", Symbol(f"Symbol.{_name}"))


class Reflect(JsProxy, js_name="Reflect"):
    """``Reflect``."""

    @js_method
    def ownKeys(self, target: object = None) -> JsArray:
        """The names of the own properties."""
        return JsArray(own_properties_of(target))

    @js_method
    def has(self, target: object = None, name: object = None) -> bool:
        """Tell whether there is such a property."""
        return hasattr(target, to_string(name))

    @js_method
    def get(self, target: object = None, name: object = None) -> Any:
        """Read a property."""
        return getattr(target, to_string(name), None)

    @js_method
    def set(self, target: object = None, name: object = None, value: object = None) -> bool:
        """Write a property; tells whether it can be written."""
        property_name = to_string(name)
        if is_read_only(target, property_name):
            return False
        setattr(target, property_name, value)
        return True

    @js_method
    def deleteProperty(self, target: object = None, name: object = None) -> bool:
        """Delete a property."""
        delattr(target, to_string(name))
        return True

    @js_method
    def apply(self, function: Any = None, _this: object = None, args: Any = ()) -> Any:
        """Call a function."""
        return function(*args)

    @js_method
    def construct(self, constructor: Any = None, args: Any = ()) -> Any:
        """Call a constructor."""
        return constructor.new(*args)


class Performance(JsProxy):
    """``performance``: a clock that stands still, as in the real runtime, is not imitated; it runs."""

    @property
    def timeOrigin(self) -> int:
        """Where `now` counts from: the epoch."""
        return 0

    def now(self, *_: object) -> int:
        """Milliseconds since `timeOrigin`."""
        return current_realm().clock.now_ms()

    def mark(self, *_: object) -> None:
        """Nothing to mark: there is no timeline."""


class Navigator(JsProxy, read_only="hardwareConcurrency language platform userAgent"):
    """``navigator``."""

    userAgent = "Cloudflare-Workers"
    language = "en"
    hardwareConcurrency = 1
    platform = ""

    @property
    def languages(self) -> JsArray:
        """Of which there is one."""
        return JsArray([self.language])
