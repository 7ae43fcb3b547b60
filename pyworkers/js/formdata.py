"""``FormData``.

Source: xhr.spec.whatwg.org, section 4; recorded, contracts/fetchapi, fetchapi.formdata.basic
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyworkers.js.blob import Blob, File
from pyworkers.js.iterators import EntryIterator, KeyIterator, ValueIterator
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsNull, jsnull, to_string
from pyworkers.js.values import JsProxy, call
from pyworkers.js.webidl import MISSING, argument_error, scalar_string, string_argument

FormValue = str | File


class FormData(JsProxy):
    """The fields of a form in order; names may repeat.

    Args:
        fields: names and values.
    """

    def __init__(self, fields: list[tuple[str, FormValue]] | None = None) -> None:
        self._fields = [] if fields is None else fields

    @classmethod
    def js_new(cls, *_: Any) -> JsProxy:
        """``new FormData()``."""
        return cls()

    def append(self, name: Any = MISSING, value: Any = MISSING, filename: Any = None, *_: object) -> None:
        """Add a field at the end."""
        self._fields.append(_field("append", name, value, filename))

    def set(self, name: Any = MISSING, value: Any = MISSING, filename: Any = None, *_: object) -> None:
        """Give a name one value: in the place of its first one, or at the end."""
        field = _field("set", name, value, filename)
        first = next((index for index, (each, _value) in enumerate(self._fields) if each == field[0]), None)
        if first is None:
            self._fields.append(field)
            return
        rest = [pair for pair in self._fields[first + 1 :] if pair[0] != field[0]]
        self._fields[first:] = [field, *rest]

    def delete(self, name: Any = MISSING, *_: object) -> None:
        """Remove the fields of a name."""
        key = _name("delete", name)
        self._fields[:] = [pair for pair in self._fields if pair[0] != key]

    def get(self, name: Any = MISSING, *_: object) -> FormValue | JsNull:
        """Return the first value of a name, or null."""
        key = _name("get", name)
        return next((value for each, value in self._fields if each == key), jsnull)

    def getAll(self, name: Any = MISSING, *_: object) -> JsArray:
        """Return every value of a name."""
        key = _name("getAll", name)
        return JsArray(value for each, value in self._fields if each == key)

    def has(self, name: Any = MISSING, *_: object) -> bool:
        """Tell whether there is a field of that name."""
        key = _name("has", name)
        return any(each == key for each, _value in self._fields)

    def forEach(self, function: Any = MISSING, *_: object) -> None:
        """Call ``function(value, name, form)`` for every field."""
        if not callable(function):
            raise argument_error("FormData", "forEach", 1, "function")
        for name, value in self._live():
            call(function, value, name, self)

    def keys(self, *_: object) -> KeyIterator:
        """Iterate the names."""
        return KeyIterator(name for name, _value in self._live())

    def values(self, *_: object) -> ValueIterator:
        """Iterate the values."""
        return ValueIterator(value for _name, value in self._live())

    def entries(self, *_: object) -> EntryIterator:
        """Iterate ``[name, value]`` arrays."""
        return EntryIterator(iter(self))

    # ---- as Pyodide shows an object with get, set and has

    def __iter__(self) -> Iterator[JsArray]:
        return (JsArray(pair) for pair in self._live())

    def __contains__(self, name: object) -> bool:
        return self.has(name)

    def __getitem__(self, name: object) -> FormValue | JsNull:
        return self.get(name)

    def __setitem__(self, name: object, value: object) -> None:
        self.set(name, value)

    def __delitem__(self, name: object) -> None:
        self.delete(name)

    # ---- for the host

    def fields(self) -> list[tuple[str, FormValue]]:
        """Return the fields."""
        return self._fields[:]

    def _live(self) -> Iterator[tuple[str, FormValue]]:
        index = 0
        while index < len(self._fields):
            yield self._fields[index]
            index += 1


def _name(method: str, name: object) -> str:
    return scalar_string(string_argument(name, "FormData", method, 1))


def _field(method: str, name: object, value: object, filename: object) -> tuple[str, FormValue]:
    key = _name(method, name)
    if value is MISSING:
        raise argument_error("FormData", method, 2, "File or Blob or string")
    if not isinstance(value, Blob):
        return key, scalar_string(to_string(value))
    if isinstance(value, File) and filename is None:
        return key, value
    return key, File(value.data, key if filename is None else scalar_string(to_string(filename)), value.type)
