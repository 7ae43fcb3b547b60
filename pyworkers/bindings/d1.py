"""`env.DB`: a D1 database.

Values travel as JSON on the platform, which shows: every number is bound as REAL, blobs come back as arrays, NaN and
the infinities are null.

Source: workerd src/cloudflare/internal/d1-api.ts; miniflare src/workers/d1; recorded, contracts/d1
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from types import NoneType
from typing import Any, Final

from pyworkers.bindings.arguments import wire_text
from pyworkers.bindings.d1_values import (
    bound_value,
    d1_failure,
    from_engine,
    result_object,
    row_maker,
    shown_duration,
    to_engine,
)
from pyworkers.bindings.failures import tell
from pyworkers.engines.d1 import (
    D1Engine,
    D1Result,
    D1Statement,
    Refusal,
    SqlError,
    StatementRefused,
)
from pyworkers.errors import EngineBusy, EngineCorrupt, EngineError
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import (
    is_nullish,
    jsnull,
    to_boolean,
    to_string,
    typeof,
)
from pyworkers.js.promise import js_async
from pyworkers.js.values import JsException, JsObject, JsProxy, get_property, js_method, type_error

__all__ = ["D1Database", "D1DatabaseSession", "D1PreparedStatement"]

FIRST_PRIMARY: Final = "first-primary"
FIRST_UNCONSTRAINED: Final = "first-unconstrained"

# What the platform strips before it looks whether there is any SQL: comments, but not one at the very start.
_INDENTED_COMMENT: Final = re.compile(r"^\s+--[^\n\r\u2028\u2029]*", re.MULTILINE)
_NO_SQL: Final = "No SQL statements detected."
_REFUSALS: Final = {
    Refusal.NO_STATEMENT: "SQL code did not contain a statement.",
    Refusal.PARAMETER_COUNT: "Wrong number of parameter bindings for SQL query.",
    Refusal.EARLY_PARAMETERS: (
        "When executing multiple SQL statements in a single call, only the last statement can have parameters."
    ),
    Refusal.TRANSACTION: (
        "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs "
        "instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will "
        "automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic "
        "atomic write coalescing."
    ),
}
# The platform prints where its validator gave up.
_NOT_TEXT: Final = "Failed to parse body as JSON, got: ZodError\n    at D1DatabaseObject.fetch (d1:database)"

# A statement as a caller gives it: its SQL, which need not be text, and its values, which need not be an array.
_Query = tuple[object, object]


class D1Fetcher(JsProxy, js_name="Fetcher"):
    """What the platform's sessions send through; here only its name is left."""


class D1Sender:
    """Runs statements for a session.

    Args:
        engine: runs SQL.
    """

    def __init__(self, engine: D1Engine) -> None:
        self._engine = engine

    async def send(self, queries: Sequence[_Query]) -> tuple[list[D1Result], str]:
        """Run statements as one transaction; return their results and the bookmark.

        Raises:
            JsException: Error, whose message is the bare text; `fail` puts the prefix before it.
        """
        statements = []
        for sql, params in queries:
            if not isinstance(sql, str) or not isinstance(params, JsArray | NoneType):
                raise JsException("Error", _NOT_TEXT)
            if _has_sql(sql):
                values = () if params is None else tuple(map(to_engine, params.items_))
                statements.append(D1Statement(wire_text(sql), values))
        if not statements:
            raise JsException("Error", _NO_SQL)
        try:
            answer = await self._engine.run(statements)
        except EngineError as error:
            raise JsException("Error", _text_of(error)) from error
        return answer.results, f"{0:08x}-{answer.bookmark:08x}-{0:08x}-{0:032x}"


class D1DatabaseSession(JsProxy, js_name="D1DatabaseSession"):
    """A session: what it reads is never older than what it has seen.

    Args:
        constraint: ``first-primary``, ``first-unconstrained`` or a bookmark.
    """

    def __init__(self, sender: D1Sender, fetcher: D1Fetcher, constraint: str) -> None:
        self._sender = sender
        self.fetcher = fetcher
        self.bookmarkOrConstraint = constraint

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        return {"fetcher": self.fetcher, "bookmarkOrConstraint": self.bookmarkOrConstraint}

    @js_method
    def prepare(self, statement: Any = None) -> D1PreparedStatement:
        """Return a statement without values; nothing is sent, and nothing checked."""
        return D1PreparedStatement(self, statement, [])

    @js_async
    async def batch(self, statements: Any = None) -> JsArray:
        """Run statements, all or nothing; return an array of results."""
        if is_nullish(statements):
            raise type_error(f"Cannot read properties of {to_string(statements)} (reading 'map')")
        if not isinstance(statements, JsArray):
            raise type_error("statements.map is not a function")
        queries = [(_member(item, "statement"), _member(item, "params")) for item in statements.items_]
        return JsArray([result_object(result) for result in await self.query(queries)])

    @js_method
    def getBookmark(self) -> Any:
        """Return the latest bookmark seen; null before the first query."""
        if self.bookmarkOrConstraint in (FIRST_PRIMARY, FIRST_UNCONSTRAINED):
            return jsnull
        return self.bookmarkOrConstraint

    # ---- for this module

    async def query(self, queries: Sequence[_Query]) -> list[D1Result]:
        """Run statements and take the bookmark along.

        Raises:
            JsException: ``D1_ERROR: …``.
        """
        try:
            results, bookmark = await self._sender.send(queries)
        except JsException as error:
            raise d1_failure("D1_ERROR", error.message) from error
        self._note(bookmark)
        return results

    def _note(self, bookmark: str, /) -> None:
        if self.getBookmark() is jsnull or self.bookmarkOrConstraint < bookmark:
            self.bookmarkOrConstraint = bookmark


class D1DatabaseSessionAlwaysPrimary(D1DatabaseSession, js_name="D1DatabaseSessionAlwaysPrimary"):
    """The session of the database object itself, which keeps no bookmark."""

    def __init__(self, sender: D1Sender, fetcher: D1Fetcher) -> None:
        super().__init__(sender, fetcher, FIRST_PRIMARY)

    def _note(self, _bookmark: str, /) -> None:
        return

    async def exec(self, query: str) -> JsObject:
        """Run every line of the text as statements of its own, all or nothing.

        Raises:
            JsException: ``D1_EXEC_ERROR: …``.
        """
        lines = query.strip().split("\n")
        try:
            results, _ = await self._sender.send([(line, None) for line in lines])
        except JsException as error:
            raise d1_failure("D1_EXEC_ERROR", f"Error in line 1: {lines[0]}: {error.message}") from error
        return JsObject(
            {"count": len(results), "duration": shown_duration(sum(result.meta.duration_ms for result in results))}
        )


class D1Database(JsProxy, js_name="D1Database"):
    """A D1 database.

    Args:
        engine: runs SQL.
    """

    def __init__(self, engine: D1Engine) -> None:
        self._sender = D1Sender(engine)
        self.fetcher = D1Fetcher()
        self.alwaysPrimarySession = D1DatabaseSessionAlwaysPrimary(self._sender, self.fetcher)

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        return {"alwaysPrimarySession": self.alwaysPrimarySession, "fetcher": self.fetcher}

    @js_method
    def prepare(self, statement: Any = None) -> D1PreparedStatement:
        """Return a statement without values; nothing is sent, and nothing checked."""
        return D1PreparedStatement(self.alwaysPrimarySession, statement, [])

    @js_method
    def batch(self, statements: Any = None) -> Any:
        """Run statements, all or nothing; return the promise of an array of results."""
        return self.alwaysPrimarySession.batch(statements)

    @js_async
    async def exec(self, query: Any = None) -> JsObject:
        """Run every line of the text as statements of its own: ``{count, duration}``."""
        if is_nullish(query):
            raise type_error(f"Cannot read properties of {to_string(query)} (reading 'trim')")
        if not isinstance(query, str):
            raise type_error("query.trim is not a function")
        return await self.alwaysPrimarySession.exec(query)

    @js_method
    def withSession(self, constraint: Any = None) -> D1DatabaseSession:
        """Return a session that begins at a bookmark, or with ``first-primary`` or ``first-unconstrained``."""
        if not is_nullish(constraint) and not isinstance(constraint, str):
            raise type_error("constraintOrBookmark?.trim is not a function")
        wanted = "" if is_nullish(constraint) else constraint.strip()
        return D1DatabaseSession(self._sender, self.fetcher, wanted or FIRST_UNCONSTRAINED)

    @js_async
    async def dump(self) -> None:
        """Refuse, as the platform does for every database of today."""
        error = JsException("Error", "D1_DUMP_ERROR: Status + 404")
        error.cause = JsException("Error", "Status 404")
        raise error


class D1PreparedStatement(JsProxy, js_name="D1PreparedStatement"):
    """A statement and its values.

    Args:
        statement: the SQL, as it was given.
        params: what `bind` made of the values.
    """

    def __init__(self, session: D1DatabaseSession, statement: object, params: Sequence[object]) -> None:
        self.dbSession = session
        self.statement = statement
        self.params = JsArray(params)

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        return {"dbSession": self.dbSession, "statement": self.statement, "params": self.params}

    def bind(self, *values: Any) -> D1PreparedStatement:
        """Return this statement with values for its parameters.

        Raises:
            JsException: ``D1_TYPE_ERROR: …`` for undefined, an object, a bigint and their like.
        """
        return D1PreparedStatement(self.dbSession, self.statement, [bound_value(value) for value in values])

    @js_async
    async def first(self, column: Any = None) -> Any:
        """Return the first row as an object, or its value in one column; null where there is no row."""
        result = await self._run()
        if not result.rows:
            return jsnull
        row = row_maker(result.columns)(result.rows[0])
        if column is None:
            return row
        name = to_string(column)
        if name not in row.own_properties():
            error = JsException("Error", f"D1_COLUMN_NOTFOUND: Column not found ({name})")
            error.cause = JsException("Error", "Column not found")
            raise error
        return row.own_properties()[name]

    @js_async
    async def all(self) -> JsObject:
        """Return ``{success, meta, results}``, each row an object."""
        return result_object(await self._run())

    run = all

    @js_async
    async def raw(self, options: Any = None) -> JsArray:
        """Return the rows as arrays; with ``columnNames`` the names come first."""
        result = await self._run()
        rows = [JsArray(map(from_engine, row)) for row in result.rows]
        if to_boolean(get_property(options, "columnNames")):
            rows.insert(0, JsArray(result.columns))
        return JsArray(rows)

    async def _run(self) -> D1Result:
        if typeof(self.statement) == "bigint":
            raise type_error("Cannot convert a BigInt value to a number")
        if isinstance(self.statement, JsArray):  # several, each with the values of its place
            values = [*self.params.items_, *[None] * len(self.statement)]
            queries: list[_Query] = list(zip(self.statement.items_, values, strict=False))
        else:
            queries = [(self.statement, self.params)]
        return (await self.dbSession.query(queries))[0]


@lru_cache(maxsize=1024)
def _has_sql(sql: str) -> bool:
    return bool(_INDENTED_COMMENT.sub("", sql).strip())


def _member(item: Any, name: str) -> Any:
    if is_nullish(item):
        raise type_error(f"Cannot read properties of {to_string(item)} (reading '{name}')")
    return get_property(item, name)


# ---- errors


def _text_of(error: EngineError) -> str:
    """Return the platform's text, without its prefix; what is no matter of SQL is told at the terminal too."""
    if isinstance(error, SqlError):
        where = "" if error.offset is None else f" at offset {error.offset}"
        more = "" if error.extended_code is None else f" (extended: {error.extended_code})"
        return f"{error.message}{where}: {error.sqlite_code}{more}"
    if isinstance(error, StatementRefused):
        return _REFUSALS[error.refusal]
    tell(error)
    if isinstance(error, EngineBusy):
        return "database is locked: SQLITE_BUSY"
    if isinstance(error, EngineCorrupt):
        return "database disk image is malformed: SQLITE_CORRUPT"
    return "Internal error in D1 storage"
