"""What every member of the Durable Object API answers, right and wrong arguments alike.

Source: the same calls made in workerd 2026-04-26.
"""

from __future__ import annotations

import pytest
from outcomes import outcome

from pyworkers.js.buffers import ArrayBuffer, Uint8Array, Uint16Array
from pyworkers.js.builtins import Symbol
from pyworkers.js.collections import JsMap
from pyworkers.js.dates import Date
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, jsnull
from pyworkers.js.regexp import RegExp
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject

BIG = "x" * 2_200_001
NO_JURISDICTION = "throws Error: Jurisdiction restrictions are not implemented in workerd."
NOT_DIGITS = "throws TypeError: Invalid Durable Object ID: must be 64 hex digits"
TRANSACTION = (
    "throws Error: To execute a transaction, please use the state.storage.transaction() or "
    "state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript "
    "API is safer because it will automatically roll back on exceptions, and because it interacts correctly with "
    "Durable Objects' automatic atomic write coalescing."
)
DENIED = "throws Error: not authorized: SQLITE_AUTH"
NO_STATEMENT = "throws Error: SQL code did not contain a statement."
WRONG_COUNT = "throws Error: Wrong number of parameter bindings for SQL query."


def options(**values):
    return JsObject(values)


def wrong(method, position, expected, cls="DurableObjectStorage"):
    return f"TypeError: Failed to execute '{method}' on '{cls}': parameter {position} is not of type '{expected}'."


NAMESPACE = [
    (lambda do: do.newUniqueId().name, "undefined"),
    (lambda do: do.newUniqueId(options(jurisdiction="eu")), NO_JURISDICTION),
    (lambda do: len(do.newUniqueId(options(jurisdiction=jsnull)).toString()), "64"),
    (lambda do: do.newUniqueId(5), "throws " + wrong("newUniqueId", 1, "NewUniqueIdOptions", "DurableObjectNamespace")),
    (lambda do: do.jurisdiction("eu"), NO_JURISDICTION),
    (lambda do: do.jurisdiction().idFromName("a").equals(do.idFromName("a")), "true"),
    (lambda do: do.get(), "throws " + wrong("get", 1, "DurableObjectId", "DurableObjectNamespace")),
    (lambda do: do.get("x"), "throws " + wrong("get", 1, "DurableObjectId", "DurableObjectNamespace")),
    (lambda do: do.get(do.idFromName("q"), options(locationHint="nope")).echo(1), "1"),
    (lambda do: do.get(do.idFromName("q"), options(routingMode="x")), "throws RangeError: unknown routingMode: x"),
    (lambda do: do.getByName(), "throws " + wrong("getByName", 1, "string", "DurableObjectNamespace")),
    (lambda do: do.getByName(5).name, "'5'"),
    (lambda do: do.idFromName(jsnull).name, "'null'"),
    (lambda do: do.getByName("n").id.toString() == do.idFromName("n").toString(), "true"),
    (lambda do: do.get(do.newUniqueId()).name, "undefined"),
    (lambda do: do.getByName("n").constructor.name, "'DurableObject'"),
    (lambda do: do.idFromName("a").equals("x"), "throws " + wrong("equals", 1, "DurableObjectId", "DurableObjectId")),
    (lambda do: do.idFromString(do.idFromName("a").toString().upper()).equals(do.idFromName("a")), "true"),
    (lambda do: do.idFromString(" " + do.idFromName("a").toString()), NOT_DIGITS),
    (lambda do: do.idFromString("0" * 64), "throws TypeError: Durable Object ID is not valid for this namespace."),
    (lambda do: js.JSON.stringify(do.idFromName("a")), """'{"name":"a"}'"""),
    (
        lambda do: do.getByName("n").echo(do.getByName("m")),
        'rejects DataCloneError: Could not serialize object of type "DurableObject". This type does not support '
        "serialization.",
    ),
    (
        lambda do: do.getByName("n").dup(),
        "rejects TypeError: 'dup' is a reserved method and cannot be called over RPC. [remote]",
    ),
]


@pytest.mark.parametrize(("call", "expected"), NAMESPACE)
async def test_namespace(runtime, call, expected):
    assert await outcome(lambda: call(runtime.primary.env.DO)) == expected


STORAGE = [
    (lambda s: s.put("k" * 3_000_000, 1), "rejects Error: string or blob too big: SQLITE_TOOBIG"),
    (lambda s: s.put("big", "x" * 2_097_152), "undefined"),
    (lambda s: s.put("big", BIG), "rejects Error: string or blob too big: SQLITE_TOOBIG"),
    (lambda s: s.put("f", Symbol.static_call("x")), "rejects DataCloneError: Symbol(x) could not be cloned."),
    (
        lambda s: s.put("f", js.Response.new("x")),
        "rejects DataCloneError: ReadableStream can only be serialized for RPC.",
    ),
    (
        lambda s: s.put("f", js.Blob.new()),
        'rejects DataCloneError: Could not serialize object of type "Blob". This type does not support serialization.',
    ),
    (lambda s: (s.put("e", JsException("RangeError", "rr")), s.get("e"))[1], "<RangeError: rr>"),
    (lambda s: (s.put("e", RegExp("a+", "g")), s.get("e"))[1], "/a+/g"),
    (lambda s: (s.put("e", JsBigInt(5)), s.get("e"))[1], "5"),
    (lambda s: (s.put(options(a=1, b=None)), s.list(options(prefix="a")))[1], "Map{a: 1}"),
    (lambda s: s.put(JsArray([JsArray(["a", 1])])), "rejects TypeError: put() called with undefined value."),
    (lambda s: s.put("k", 1, 5), "rejects " + wrong("put", 3, "PutOptions")),
    (lambda s: s.put(), "rejects " + wrong("put", 1, "string or object")),
    (lambda s: s.put(JsMap([("a", 1)])), "undefined"),
    (lambda s: s.get(JsArray([1, 2])), "Map{}"),
    (lambda s: s.get("k", 5), "rejects " + wrong("get", 2, "GetOptions")),
    (lambda s: s.get("k", jsnull), "undefined"),
    (lambda s: s.get(), "rejects " + wrong("get", 1, "string or Array")),
    (lambda s: s.delete(), "throws " + wrong("delete", 1, "string or Array")),
    (lambda s: (s.put(jsnull, 1), s.get("null"))[1], "1"),
    (lambda s: s.list(options(limit=0)), "rejects TypeError: List limit must be positive."),
    (lambda s: s.list(options(limit="x")), "rejects TypeError: List limit must be positive."),
    (
        lambda s: s.list(options(limit=1e10)),
        "rejects TypeError: Value out of range. Must be between -2147483648 and 2147483647 (inclusive).",
    ),
    (lambda s: s.list(5), "rejects " + wrong("list", 1, "ListOptions")),
    (lambda s: s.list(options(start="z", end="a")), "Map{}"),
    (lambda s: s.getAlarm(5), "rejects " + wrong("getAlarm", 1, "GetAlarmOptions")),
    (lambda s: s.setAlarm(0), "rejects TypeError: setAlarm() cannot be called with an alarm time <= 0"),
    (lambda s: s.setAlarm(jsnull), "rejects " + wrong("setAlarm", 1, "date")),
    (lambda s: s.setAlarm("2030-01-01"), "rejects " + wrong("setAlarm", 1, "date")),
    (lambda s: s.setAlarm(True), "rejects " + wrong("setAlarm", 1, "date")),
    (lambda s: s.setAlarm(JsBigInt(5)), "rejects " + wrong("setAlarm", 1, "date")),
    (
        lambda s: s.setAlarm(float("inf")),
        "rejects TypeError: The value cannot be converted because it is not a valid Date.",
    ),
    (lambda s: s.setAlarm(10**15), "rejects TypeError: This API doesn't support dates after 2189."),
    (lambda s: (s.setAlarm(5e12 + 0.7), s.getAlarm())[1], "5000000000000"),
    (lambda s: (s.setAlarm(1000), s.getAlarm())[1], "1700000000000"),
    (lambda s: (s.setAlarm(Date(1.8e12)), s.deleteAlarm(), s.getAlarm())[2], "null"),
    (lambda s: s.getCurrentBookmark(), "'00000000-00000000-00000000-00000000000000000000000000000000'"),
    (
        lambda s: s.getBookmarkForTime(5),
        "rejects Error: This Durable Object's storage back-end does not implement point-in-time recovery.",
    ),
    (lambda s: s.getBookmarkForTime(), "rejects " + wrong("getBookmarkForTime", 1, "date")),
    (lambda s: s.deleteAll(5), "rejects " + wrong("deleteAll", 1, "PutOptions")),
    (lambda s: s.transaction(), "rejects " + wrong("transaction", 1, "function")),
    (lambda s: s.transactionSync(5), "throws " + wrong("transactionSync", 1, "function")),
    (lambda s: s.sync(), "undefined"),
    (lambda s: JsArray(s.own_properties()), "['kv', 'sql']"),
    # ---- kv
    (lambda s: (s.kv.put("a", None), s.kv.get("a"))[1], "undefined"),
    (lambda s: s.kv.get(), "throws " + wrong("get", 1, "string", "SyncKvStorage")),
    (lambda s: s.kv.put("k"), "throws " + wrong("put", 2, "JsValue", "SyncKvStorage")),
    (lambda s: s.kv.delete(), "throws " + wrong("delete", 1, "string", "SyncKvStorage")),
    (lambda s: (s.kv.put("a", 1), s.kv.put("b", 2), JsArray(s.kv.list()))[2], "[['a', 1], ['b', 2]]"),
    (lambda s: s.kv.list(options(limit=-1)), "throws TypeError: List limit must be positive."),
    (
        lambda s: s.kv.list(options(start="a", startAfter="b")),
        "throws TypeError: list() cannot be called with both start and startAfter values.",
    ),
    (lambda s: s.kv.put("big", BIG), "throws Error: string or blob too big: SQLITE_TOOBIG"),
    (lambda s: (s.kv.put("a", 1), s.kv.delete("a"), s.kv.delete("a"))[1:], "[true, false]"),
]


@pytest.mark.parametrize(("call", "expected"), STORAGE)
async def test_storage(inside, call, expected):
    assert await inside(lambda ctx: outcome(lambda: call(ctx.storage))) == expected


def rows(sql, *values):
    return lambda exec_: exec_(sql, *values).toArray()


SQL = [
    (lambda e: e(), "throws " + wrong("exec", 1, "JsString", "SqlStorage")),
    (lambda e: e(""), NO_STATEMENT),
    (lambda e: e("-- hi"), NO_STATEMENT),
    (lambda e: e(5), 'throws Error: near "5": syntax error at offset 0: SQLITE_ERROR'),
    (rows("SELECT 1 AS a; SELECT 2 AS b;  "), "[{b: 2}]"),
    (rows("SELECT 1 AS a; -- c"), NO_STATEMENT),
    (rows("SELECT 1; SELECT id FROM t WHERE id = ?", 2), "[{id: 2}]"),
    (
        rows("INSERT INTO t VALUES (?, 'd'); SELECT 1", 4),
        "throws Error: When executing multiple SQL statements in a single call, only the last statement can have "
        "parameters.",
    ),
    (lambda e: e("SELECT ?, ?", 1), WRONG_COUNT),
    (lambda e: e("SELECT ?", 1, 2), WRONG_COUNT),
    (rows("SELECT ?2 AS x, ?1 AS y", 1, 2), "[{x: 2, y: 1}]"),
    (lambda e: e("SELECT FROM"), 'throws Error: near "FROM": syntax error at offset 7: SQLITE_ERROR'),
    (lambda e: e("SELECT * FROM nope"), "throws Error: no such table: nope: SQLITE_ERROR"),
    (lambda e: e("SELECT zzz FROM t"), "throws Error: no such column: zzz at offset 7: SQLITE_ERROR"),
    (lambda e: e("BEGIN"), TRANSACTION),
    (lambda e: e("ROLLBACK"), TRANSACTION),
    (lambda e: e("SAVEPOINT x"), TRANSACTION),
    (lambda e: e("ATTACH 'x' AS y"), DENIED),
    (lambda e: e("VACUUM"), "throws Error: cannot VACUUM from within a transaction: SQLITE_ERROR"),
    (lambda e: e("CREATE TEMP TABLE x(y)"), DENIED),
    (lambda e: e("PRAGMA user_version"), DENIED),
    (rows("PRAGMA foreign_keys"), "[{foreign_keys: 1}]"),
    (rows("PRAGMA quick_check"), "[{quick_check: 'ok'}]"),
    (lambda e: e("CREATE VIRTUAL TABLE g USING rtree(a, b, c)"), DENIED),
    (
        lambda e: e("SELECT sqlite_version()"),
        "throws Error: not authorized to use function: sqlite_version at offset 7: SQLITE_ERROR",
    ),
    (lambda e: e("SELECT 1 AS a").one(), "{a: 1}"),
    (
        lambda e: e("SELECT 1 WHERE 0").one(),
        "throws Error: Expected exactly one result from SQL query, but got no results.",
    ),
    (
        lambda e: e("SELECT id FROM t").one(),
        "throws Error: Expected exactly one result from SQL query, but got multiple results.",
    ),
    (rows("SELECT 1 AS a, 2 AS a"), "[{a: 2}]"),
    (lambda e: e("SELECT 1 AS a, 2 AS a").raw().toArray(), "[[1, 2]]"),
    (lambda e: e("SELECT 1 AS a, 2 AS a").columnNames, "['a', 'a']"),
    (lambda e: e("CREATE TABLE z (a)").columnNames, "[]"),
    (lambda e: e("CREATE TABLE z (a, b)").rowsWritten, "2"),
    (lambda e: e("UPDATE t SET v = 'q'").rowsWritten, "3"),
    (rows("SELECT ? AS a", Uint16Array.js_new(JsArray([1, 2]))), "[{a: bytes b'\\x01\\x00\\x02\\x00'}]"),
    (rows("SELECT ? AS a", Uint8Array(ArrayBuffer(b"z"))), "[{a: bytes b'z'}]"),
    (rows("SELECT ? AS a", False), "[{a: 'false'}]"),
    (rows("SELECT ? AS a, typeof(?1) AS t", 5), "[{a: 5, t: 'real'}]"),
    (rows("SELECT ? AS a", "\ud800"), "[{a: '\ufffd\ufffd\ufffd'}]"),
    (lambda e: e("SELECT ?", Symbol.static_call("x")), "throws TypeError: Cannot convert a Symbol value to a string"),
    (rows('SELECT 1 AS b, 2 AS "1", 3 AS "0"'), "[{0: 3, 1: 2, b: 1}]"),
    (rows("SELECT 'a' LIKE ? AS r", "a" * 51), "throws Error: LIKE or GLOB pattern too complex: SQLITE_ERROR"),
    (lambda e: e("SELECT '" + "x" * 100_001 + "'"), "throws Error: statement too long: SQLITE_TOOBIG"),
    (rows("SELECT zeroblob(2200001)"), "throws Error: string or blob too big: SQLITE_TOOBIG"),
    (rows("SELECT length(?) AS l", BIG), "throws Error: string or blob too big: SQLITE_TOOBIG"),
    (
        rows(" UNION ".join(["SELECT 1"] * 6)),
        "throws Error: too many terms in compound SELECT: SQLITE_ERROR",
    ),
    (
        lambda e: (e("CREATE TABLE ck (a CHECK (a>0))"), e("INSERT INTO ck VALUES (-1)")),
        "throws Error: CHECK constraint failed: a>0: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_CHECK)",
    ),
    (
        lambda e: (rows_left := e("SELECT * FROM t"), rows_left.next(), e("DROP TABLE t")),
        "throws Error: database table is locked: SQLITE_LOCKED",
    ),
    (lambda e: (a := e("SELECT id FROM t"), a.next(), e("DELETE FROM t"), a.toArray())[3], "[{id: 2}]"),
    (lambda e: e("SELECT 1 AS a").next(), "{done: false, value: {a: 1}}"),
    (lambda e: e("SELECT 1 WHERE 0").next(), "{done: true, value: undefined}"),
]


@pytest.mark.parametrize(("call", "expected"), SQL)
async def test_sql(inside, call, expected):
    async def run(ctx):
        ctx.storage.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        ctx.storage.sql.exec("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        return await outcome(lambda: call(ctx.storage.sql.exec))

    assert await inside(run) == expected


KEPT = []


def pair():
    return js.WebSocketPair.new().sockets


def accepted(ctx, *tags):
    ends = pair()
    ctx.acceptWebSocket(ends[0], JsArray(tags))
    KEPT.append(ends)  # the other end must live
    return ends[0]


STATE = [
    (lambda c: c.props, "{}"),
    (lambda c: c.container, "undefined"),
    (lambda c: c.waitUntil(), "throws " + wrong("waitUntil", 1, "Promise", "DurableObjectState")),
    (lambda c: c.waitUntil(5), "undefined"),
    (
        lambda c: c.blockConcurrencyWhile(),
        "rejects " + wrong("blockConcurrencyWhile", 1, "function", "DurableObjectState"),
    ),
    (lambda c: c.blockConcurrencyWhile(lambda: 5), "5"),
    (lambda c: c.blockConcurrencyWhile(lambda: c.blockConcurrencyWhile(lambda: 7)), "7"),
    (lambda c: c.acceptWebSocket(5), "throws " + wrong("acceptWebSocket", 1, "WebSocket", "DurableObjectState")),
    (
        lambda c: c.acceptWebSocket(pair()[0], JsArray(map(str, range(11)))),
        "throws Error: a Hibernatable WebSocket cannot have more than 10 tags",
    ),
    (
        lambda c: c.acceptWebSocket(pair()[0], JsArray(["t" * 257])),
        f'throws Error: "{"t" * 257}" is longer than the max tag length (256 characters).',
    ),
    (
        lambda c: c.acceptWebSocket(pair()[0], "a"),
        "throws " + wrong("acceptWebSocket", 2, "Array", "DurableObjectState"),
    ),
    (lambda c: c.getTags(accepted(c, "a", "a", 5)), "['a', '5']"),
    (
        lambda c: (
            [accepted(c, tag).serializeAttachment(n) for n, tag in enumerate("aab")],
            *([socket.deserializeAttachment() for socket in c.getWebSockets(*tag)] for tag in ((), ("a",))),
        )[1:],
        "[[2, 1, 0], [0, 1]]",
    ),
    (lambda c: (accepted(c, "a"), c.getWebSockets("a").length, c.getWebSockets("b").length)[1:], "[1, 0]"),
    (
        lambda c: c.acceptWebSocket(accepted(c)),
        "throws Error: Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`",
    ),
    (lambda c: accepted(c).accept(), "throws TypeError: Can't accept() WebSocket after enabling hibernation."),
    (
        lambda c: (ends := pair(), c.acceptWebSocket(ends[0]), c.acceptWebSocket(ends[1])),
        "throws Error: Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or "
        "used in a Response.",
    ),
    (
        lambda c: c.getTags(pair()[0]),
        "throws Error: you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket.",
    ),
    (lambda c: c.getWebSocketAutoResponse(), "null"),
    (
        lambda c: c.setWebSocketAutoResponse(5),
        "throws " + wrong("setWebSocketAutoResponse", 1, "WebSocketRequestResponsePair", "DurableObjectState"),
    ),
    (
        lambda c: c.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new("x" * 2049, "a")),
        "throws RangeError: Request cannot be larger than 2048 bytes. A request of size 2049 was provided.",
    ),
    (
        lambda c: c.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new("a", "x" * 2049)),
        "throws RangeError: Response cannot be larger than 2048 bytes. A response of size 2049 was provided.",
    ),
    (
        lambda c: js.WebSocketRequestResponsePair.new(),
        "throws TypeError: Failed to construct 'WebSocketRequestResponsePair': constructor parameter 1 is not of type "
        "'string'.",
    ),
    (lambda c: c.getWebSocketAutoResponseTimestamp(accepted(c)), "null"),
    (lambda c: c.getHibernatableWebSocketEventTimeout(), "null"),
    (
        lambda c: (c.setHibernatableWebSocketEventTimeout(5000), c.getHibernatableWebSocketEventTimeout())[1],
        "5000",
    ),
    (
        lambda c: c.setHibernatableWebSocketEventTimeout(604_800_001),
        "throws Error: Event timeout should not exceed 604800000 ms.",
    ),
    (
        lambda c: c.setHibernatableWebSocketEventTimeout(-1),
        "throws TypeError: The value cannot be converted because it is negative and this API expects a positive "
        "number.",
    ),
    (
        lambda c: accepted(c).serializeAttachment("x" * 16_400),
        "throws Error: A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was 16406 bytes.",
    ),
    (lambda c: accepted(c).deserializeAttachment(), "null"),
    (lambda c: c.facets.get(), "throws " + wrong("get", 1, "string", "DurableObjectFacets")),
    (
        lambda c: c.facets.get("f", lambda: JsObject()).echo(1),
        "rejects TypeError: Incorrect type for the 'class' field on 'StartupOptions': the provided value is not of "
        "type 'DurableObjectClass or LoopbackDurableObjectNamespace or LoopbackColoLocalActorNamespace'. [remote]",
    ),
    (lambda c: c.exports.Obj.getByName("via").echo("hi"), "'hi'"),
    (lambda c: c.exports.default.hi(), "'hi'"),
]


@pytest.mark.parametrize(("call", "expected"), STATE)
async def test_state(inside, call, expected):
    assert await inside(lambda ctx: outcome(lambda: call(ctx))) == expected


async def test_an_alarm_needs_a_handler(inside):
    assert await inside(lambda ctx: outcome(lambda: ctx.storage.setAlarm(10**12)), binding="BARE") == (
        "rejects TypeError: Your Durable Object class must have an alarm() handler in order to call setAlarm()"
    )
