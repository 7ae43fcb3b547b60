"""``ctx.storage.sql``.

Source: recorded, contracts/do, do.sql.*; developers.cloudflare.com/durable-objects/api/sqlite-storage-api
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pyworkers.bindings.durable.failures import storage_errors
from pyworkers.bindings.durable.host import ObjectHost
from pyworkers.engines.durable.protocol import SqlCursor, SqlValue
from pyworkers.js.buffers import ArrayBuffer, JsBuffer
from pyworkers.js.iterators import JsIterator
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import MAX_SAFE_INTEGER, is_nullish, jsnull, number, to_string, typeof
from pyworkers.js.values import JsException, JsObject, JsProxy, js_arguments, type_error
from pyworkers.js.webidl import argument_error


class SqlStorage(JsProxy):
    """``ctx.storage.sql``."""

    def __init__(self, host: ObjectHost) -> None:
        self._host = host

    def exec(self, *args: Any, **kwargs: Any) -> Cursor:
        """``exec(sql, ...values)``: run statements at once; the cursor has the rows of the last."""
        args = js_arguments(args, kwargs)
        if not args:
            raise argument_error(self.js_name, "exec", 1, "JsString")
        sql = _text(to_string(args[0]))
        values = [_to_engine(value) for value in args[1:]]
        self._host.touch_storage()
        with storage_errors():
            return Cursor(self._host.store.execute(sql, values))

    @property
    def databaseSize(self) -> int:
        """The bytes in use."""
        self._host.touch_storage()
        with storage_errors():
            return self._host.store.database_size()

    @property
    def Cursor(self) -> Any:
        """The cursors' class."""
        return Cursor.constructor

    @property
    def Statement(self) -> Any:
        """The prepared statements' class, of which nothing makes one."""
        return Statement.constructor

    def own_properties(self) -> dict[str, object]:
        """Nothing: all are accessors of the class."""
        return {}


class Statement(JsProxy):
    """A prepared statement."""


class Cursor(JsProxy):
    """The rows of a statement, read as they are asked for."""

    def __init__(self, rows: SqlCursor) -> None:
        self._rows = rows

    @property
    def columnNames(self) -> JsArray:
        """The columns' names."""
        return JsArray(self._rows.columns)

    @property
    def rowsRead(self) -> int:
        """An estimate: the rows given so far."""
        return self._rows.rows_read

    @property
    def rowsWritten(self) -> int:
        """Rows and index entries written."""
        return self._rows.rows_written

    def next(self, *_: object) -> JsObject:
        """Return ``{done, value}``, the value an object."""
        row = self._fetch()
        return JsObject({"done": row is None, "value": None if row is None else self._object(row)})

    def toArray(self, *_: object) -> JsArray:
        """Return the rows that are left as objects."""
        return JsArray(self)

    def one(self, *_: object) -> JsObject:
        """Return the only row.

        Raises:
            JsException: Error, when there is none, or more than one.
        """
        row = self._fetch()
        if row is None:
            raise JsException("Error", "Expected exactly one result from SQL query, but got no results.")
        if self._fetch() is not None:
            raise JsException("Error", "Expected exactly one result from SQL query, but got multiple results.")
        return self._object(row)

    def raw(self, *_: object) -> RawIterator:
        """Return an iterator of the rows that are left, as arrays."""
        return RawIterator(self._arrays())

    def own_properties(self) -> dict[str, object]:
        """Nothing: all are accessors of the class."""
        return {}

    def __iter__(self) -> Iterator[JsObject]:
        while (row := self._fetch()) is not None:
            yield self._object(row)

    def _arrays(self) -> Iterator[JsArray]:
        while (row := self._fetch()) is not None:
            yield JsArray(map(_from_engine, row))

    def _fetch(self) -> tuple[SqlValue, ...] | None:
        with storage_errors():
            return self._rows.fetch()

    def _object(self, row: tuple[SqlValue, ...]) -> JsObject:
        return JsObject(zip(self._rows.columns, map(_from_engine, row), strict=True))


class RawIterator(JsIterator):
    """What `Cursor.raw` gives."""

    def toArray(self, *_: object) -> JsArray:
        """Return the rows that are left."""
        return JsArray(self)


def _to_engine(value: Any) -> SqlValue:
    """Return a value as it is bound: every number is REAL, what is no buffer becomes text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_nullish(value):
        return None
    kind = typeof(value)
    if kind == "number":
        return None if math.isnan(value) else float(value)
    if kind == "bigint":
        raise type_error("Cannot convert a BigInt value to a number")
    if kind == "symbol":
        raise type_error("Cannot convert a Symbol value to a string")
    if isinstance(value, JsBuffer):
        return value.to_bytes()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return _text(to_string(value))


def _text(value: str) -> str:
    """Return text as SQLite holds it: each byte of a lone surrogate is wrong by itself."""
    if value.isascii():
        return value
    return (
        value.encode("utf-16-le", "surrogatepass")
        .decode("utf-16-le", "surrogatepass")
        .encode("utf-8", "surrogatepass")
        .decode("utf-8", "replace")
    )


def _from_engine(value: SqlValue) -> Any:
    if value is None:
        return jsnull
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else float(value)
    if isinstance(value, bytes):
        return ArrayBuffer(value)
    return value
