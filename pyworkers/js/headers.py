"""``Headers``.

A request's headers arrive as raw byte pairs and stay so until they are touched: a worker that reads none pays nothing.

Source: fetch.spec.whatwg.org, section 5.1; recorded, contracts/fetchapi, fetchapi.headers.*
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pyworkers.js.iterators import EntryIterator, KeyIterator, ValueIterator
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsNull, jsnull
from pyworkers.js.values import JsProxy, call, type_error
from pyworkers.js.webidl import (
    MISSING,
    argument_error,
    constructor_error,
    field_error,
    is_object,
    pairs_of,
    record_of,
    scalar_string,
    string_argument,
    utf8,
)

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110 tokens; beyond ASCII the runtime lets everything through, and the empty name too.
_INVALID_NAME: Final = re.compile(r'[\x00-\x20\x7f()<>@,;:\\"/\[\]?={}]')
_INVALID_VALUE: Final = re.compile(r"[\x00\r\n]")
_WHITESPACE: Final = " \t\r\n"
# The runtime takes the bytes of a name for Latin-1 when it makes them lower case, which breaks some of UTF-8.
_LOWER_BYTES: Final = bytes(range(256)).decode("latin-1").lower().encode("latin-1")
_IMMUTABLE: Final = "Can't modify immutable headers."
_PAIR_LENGTH: Final = (
    "To initialize a Headers object from a sequence, each inner sequence must have exactly two elements."
)

# The order in which the runtime writes headers: those it knows first, the others by name.
_WRITE_ORDER: Final = (
    "connection keep-alive te trailer upgrade content-length transfer-encoding sec-websocket-key "
    "sec-websocket-version sec-websocket-accept sec-websocket-extensions host date location content-type "
    "range content-range accept-charset accept-encoding accept-language accept-ranges accept "
    "access-control-allow-origin age allow authorization cache-control content-disposition content-encoding "
    "content-language content-location "
    "cookie etag expect expires from if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified link max-forwards proxy-authenticate proxy-authorization referer "
    "refresh retry-after server set-cookie strict-transport-security user-agent vary via www-authenticate "
    "cf-cache-status pragma cf-cache-namespace cf-kv-metadata cf-r2-error cf-r2-metadata-size cf-r2-request "
    "sec-websocket-protocol cf-ray origin"
)
_KNOWN: Final = {name: rank for rank, name in enumerate(_WRITE_ORDER.split())}


class Headers(JsProxy):
    """A list of headers: names in lower case, values of one name joined by ``", "`` except Set-Cookie's.

    Args:
        raw: byte pairs in wire order, or a callable that gives them when a header is first touched.
        immutable: whether changes are refused, as for the headers of an incoming request.
    """

    def __init__(self, raw: RawHeaders | Callable[[], RawHeaders] | None = None, *, immutable: bool = False) -> None:
        self._raw = raw
        self._map: dict[str, list[str]] | None = {} if raw is None else None
        self._spelled: dict[str, str] | None = None  # names that were not given in lower case, as they were first given
        self._immutable = immutable

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new Headers(headers | pairs | record)``."""
        init = args[0] if args else None
        if init is None:
            return cls()
        headers = cls._from_init(init)
        if headers is None:
            raise constructor_error("Headers", 1, "Headers or Sequence or object")
        return headers

    @classmethod
    def from_option(cls, init: object, dictionary: str) -> Headers:
        """Read the ``headers`` field of an option bag.

        Raises:
            JsException: TypeError, with the name of the ``dictionary`` the field is in.
        """
        headers = cls._from_init(init)
        if headers is None:
            raise field_error(dictionary, "headers", "Headers or Sequence or object")
        return headers

    @classmethod
    def _from_init(cls, init: object) -> Headers | None:
        if isinstance(init, Headers):
            return init.copy()
        if not is_object(init):
            return None
        headers = cls()
        pairs = pairs_of(init, _PAIR_LENGTH)
        for name, value in record_of(init) if pairs is None else pairs:
            headers._append(name, value)
        return headers

    def copy(self, *, immutable: bool = False) -> Headers:
        """Return an independent copy, which can be changed unless ``immutable``."""
        copied = Headers(immutable=immutable)
        values_of = self._values()
        if values_of:
            copied._map = {name: values[:] for name, values in values_of.items()}
            copied._spelled = self._spelled and self._spelled.copy()
        return copied

    def clone(self) -> Headers:
        """Return an independent copy that is as immutable as this one. Not part of JavaScript's interface."""
        return self.copy(immutable=self._immutable)

    # ---- JavaScript's methods

    def get(self, name: Any = MISSING, *_: object) -> str | JsNull:
        """Return the values of a name joined by ``", "``, or null."""
        values = self._values().get(_key(string_argument(name, "Headers", "get", 1)))
        return jsnull if values is None else ", ".join(values)

    def has(self, name: Any = MISSING, *_: object) -> bool:
        """Tell whether there is a header of that name."""
        return _key(string_argument(name, "Headers", "has", 1)) in self._values()

    def set(self, name: Any = MISSING, value: Any = MISSING, *_: object) -> None:
        """Replace every value of a name by one."""
        name, value = _arguments("set", name, value)
        self._check_guard()
        value = normalize_value(value)
        key = self._own_key(name)
        self._values()[key] = [value]

    def append(self, name: Any = MISSING, value: Any = MISSING, *_: object) -> None:
        """Add a value to a name."""
        name, value = _arguments("append", name, value)
        self._check_guard()
        self._append(name, value)

    def delete(self, name: Any = MISSING, *_: object) -> None:
        """Remove every value of a name."""
        name = string_argument(name, "Headers", "delete", 1)
        self._check_guard()
        key = _key(name)
        self._values().pop(key, None)
        if self._spelled:
            self._spelled.pop(key, None)

    def getSetCookie(self, *_: object) -> JsArray:
        """Return the values of Set-Cookie, which are never joined."""
        return JsArray(self._values().get("set-cookie", ()))

    def getAll(self, name: Any = MISSING, *_: object) -> JsArray:
        """Return the values of Set-Cookie; any other name is refused."""
        if string_argument(name, "Headers", "getAll", 1).lower() != "set-cookie":
            raise type_error('getAll() can only be used with the header name "Set-Cookie".')
        return self.getSetCookie()

    def forEach(self, function: Any = MISSING, *_: object) -> None:
        """Call ``function(value, name, headers)`` for every header, sorted by name."""
        if not callable(function):
            raise argument_error("Headers", "forEach", 1, "function")
        for name, value in self.displayed():
            call(function, value, name, self)

    def keys(self, *_: object) -> KeyIterator:
        """Iterate the names, sorted."""
        return KeyIterator(iter([name for name, _value in self.displayed()]))

    def values(self, *_: object) -> ValueIterator:
        """Iterate the values, sorted by name."""
        return ValueIterator(iter([value for _name, value in self.displayed()]))

    def entries(self, *_: object) -> EntryIterator:
        """Iterate ``[name, value]`` arrays, sorted by name."""
        return EntryIterator(iter(self))

    # ---- as Pyodide shows an object with get, set and has

    def __iter__(self) -> Iterator[JsArray]:
        return iter([JsArray(pair) for pair in self.displayed()])

    def __contains__(self, name: object) -> bool:
        return self.has(name)

    def __getitem__(self, name: object) -> str | JsNull:
        return self.get(name)

    def __setitem__(self, name: object, value: object) -> None:
        self.set(name, value)

    def __delitem__(self, name: object) -> None:
        self.delete(name)

    # ---- for the host

    def displayed(self) -> list[tuple[str, str]]:
        """The headers as JavaScript lists them: sorted by name, values joined, Set-Cookie's apart."""
        listed: list[tuple[str, str]] = []
        for name, values in sorted(self._values().items()):
            if name == "set-cookie":
                listed.extend((name, value) for value in values)
            else:
                listed.append((name, ", ".join(values)))
        return listed

    def wire_list(self) -> RawHeaders:
        """The headers in the order the runtime writes them: names in lower case, UTF-8.

        Values of a name that the runtime knows are joined, those of another stay apart, as do Set-Cookie's.
        """
        values_of = self._values()
        names = list(values_of)
        if len(names) > 1:
            spelled = self._spelled
            names.sort(key=_wire_rank if spelled is None else lambda name: _wire_rank(name, spelled.get(name)))
        wire = []
        for name in names:
            values = values_of[name]
            if values == [""] and name in _KNOWN:
                continue  # to the runtime, a header that it knows and that is empty is none
            key = name.encode()
            if len(values) == 1 or (name in _KNOWN and name != "set-cookie"):
                wire.append((key, utf8(", ".join(values))))
            else:
                wire.extend((key, utf8(value)) for value in values)
        return wire

    def spelling(self) -> Mapping[bytes, bytes]:
        """Return how a script spelled names that are neither in lower case nor known to the runtime, by lower case."""
        return {key.encode(): name.encode() for key, name in (self._spelled or {}).items()}

    def find(self, name: str) -> str | None:
        """Return the joined values of a lower-case name, or None."""
        values = (self._map or self._values()).get(name)  # most headers are looked up so: a call less
        return None if values is None else ", ".join(values)

    def put(self, name: str, value: str) -> None:
        """Set a header of a valid lower-case name and value, also where scripts may not."""
        self._values()[name] = [value]

    def discard(self, names: Iterable[str]) -> None:
        """Remove headers by their lower-case names, also where scripts may not."""
        values = self._values()
        for name in names:
            values.pop(name, None)

    def drop_empty(self) -> None:
        """Remove what has no value and a name that the runtime knows: it does not cross to another worker."""
        values = self._values()
        if [""] not in values.values():
            return
        for name in [name for name, items in values.items() if items == [""] and (name in _KNOWN or name == "origin")]:
            del values[name]

    def _append(self, name: str, value: str) -> None:
        value = normalize_value(value)
        key = self._own_key(name)
        self._values().setdefault(key, []).append(value)

    def _own_key(self, name: str) -> str:
        """Return a name's key, and note how a new one is spelled that the runtime does not know."""
        key = _key(name)
        if key != name and key not in _KNOWN and key not in self._values():
            if self._spelled is None:
                self._spelled = {}
            self._spelled[key] = name
        return key

    def _values(self) -> dict[str, list[str]]:
        values = self._map
        if values is None:
            raw = self._raw() if callable(self._raw) else self._raw or ()
            values = self._map = {}
            for name, value in raw:
                values.setdefault(name.decode("utf-8", "replace").lower(), []).append(value.decode("utf-8", "replace"))
            self._raw = None
        return values

    def _check_guard(self) -> None:
        if self._immutable:
            raise type_error(_IMMUTABLE)


def is_known(name: bytes) -> bool:
    """Tell whether the runtime knows a header, by its lower-case name: without a value, such a one is none."""
    return name.decode("latin-1") in _KNOWN


def in_wire_order(headers: RawHeaders) -> RawHeaders:
    """Return lower-case headers in the order in which the runtime writes them."""
    return sorted(headers, key=lambda pair: _wire_rank(pair[0].decode()))


def normalize_value(value: str) -> str:
    """Trim a header value and check it.

    Raises:
        JsException: TypeError, when it holds NUL, CR or LF.
    """
    value = scalar_string(value.strip(_WHITESPACE))
    if _INVALID_VALUE.search(value):
        raise type_error("Invalid header value.")
    return value


@lru_cache(maxsize=1024)
def _key(name: str) -> str:
    if _INVALID_NAME.search(name):
        raise type_error("Invalid header name.")
    if name.isascii():
        return name.lower()
    return scalar_string(name).encode().translate(_LOWER_BYTES).decode("utf-8", "replace")


def _arguments(method: str, name: object, value: object) -> tuple[str, str]:
    return string_argument(name, "Headers", method, 1), string_argument(value, "Headers", method, 2)


def _wire_rank(name: str, spelled: str | None = None) -> tuple[int, str]:
    return _KNOWN.get(name, len(_KNOWN)), spelled or name
