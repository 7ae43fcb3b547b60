"""The life of an object: one instance an id, gates, resets, alarms, hibernation, eviction, facets, reload."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from outcomes import outcome, show

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject
from pyworkers.pyodide.suspension import run_sync

UPGRADE = JsObject({"headers": JsObject({"Upgrade": "websocket"})})


def stub(runtime: Any, name: str = "a", binding: str = "DO") -> Any:
    return getattr(runtime.primary.env, binding).getByName(name)


async def turns(count: int = 12) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# ---- one instance, in order


async def test_all_stubs_of_an_id_reach_one_instance(runtime, code, born):
    async def note(target):
        target.seen = getattr(target, "seen", 0) + 1
        return target.seen

    code["note"] = note
    namespace = runtime.primary.env.DO
    by_id = namespace.get(namespace.idFromString(namespace.idFromName("a").toString()))
    assert [await stub(runtime).do("note"), await by_id.do("note"), await stub(runtime).do("note")] == [1, 2, 3]
    assert born == ["a"]


async def test_calls_of_one_stub_arrive_in_the_order_they_were_made(runtime, code):
    order = []

    async def note(_target, number):
        order.append(number)

    code["note"] = note
    one = stub(runtime)
    calls = [one.do("note", number) for number in range(5)]
    for call in reversed(calls):
        await call
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("woken", [False, True])
async def test_a_caller_that_leaves_before_its_call_has_begun_holds_up_no_other(runtime, code, woken):
    order = []

    async def note(_target, number):
        order.append(number)

    async def wait_for(promise):
        await promise

    code["note"] = note
    one = stub(runtime)
    calls = [one.do("note", number) for number in range(4)]
    leaving = [wait_for(calls[number]) for number in (1, 2)]
    for waiting in leaving:
        waiting.send(None)  # it stands in line
    if woken:
        await calls[0]
    for waiting in leaving:
        with pytest.raises(asyncio.CancelledError):
            waiting.throw(asyncio.CancelledError())
    await asyncio.wait_for(wait_for(calls[3]), 10)
    await calls[0]
    await asyncio.wait_for(wait_for(one.do("note", 4)), 10)
    assert order == [0, 3, 4]


async def test_a_class_of_another_worker_stores_there(runtime):
    where = await stub(runtime, binding="OTHER").where()
    assert show(where) == "['other', 1]"


# ---- gates


async def test_sixty_four_clients_lose_no_increment(runtime, code):
    async def increment(target):
        storage = target.ctx.storage
        count, other = await asyncio.gather(storage.get("count"), storage.get("other"))
        await storage.put("count", (count or 0) + 1)
        await asyncio.gather(storage.put("other", (other or 0) + 1), storage.get("count"))
        return (count or 0) + 1

    code["increment"] = increment
    seen = await asyncio.gather(*(client(runtime, "increment") for _ in range(64)))
    assert sorted(seen) == list(range(1, 65))


async def client(runtime: Any, *args: Any) -> Any:
    return await stub(runtime).do(*args)


async def test_transfers_between_accounts_keep_the_sum(runtime, code):
    async def transfer(target, source, destination):
        storage = target.ctx.storage
        balances = await storage.get([source, destination])
        await asyncio.sleep(0)
        await storage.put({source: balances[source] - 1, destination: balances[destination] + 1})

    async def transact(target, source, destination):
        async def move(txn):
            left = await txn.get(source)
            await asyncio.sleep(0)  # no other event comes between
            right = await txn.get(destination)
            txn.put(source, left - 1)
            txn.put(destination, right + 1)

        await target.ctx.storage.transaction(move)

    async def fill(target):
        await target.ctx.storage.put(dict.fromkeys("abcd", 100))

    async def total(target):
        return sum([await target.ctx.storage.get(name) for name in "abcd"])

    code.update(transfer=transfer, transact=transact, fill=fill, total=total)
    await client(runtime, "fill")
    await asyncio.gather(*(client(runtime, "transact", "abcd"[n % 4], "abcd"[(n + 1) % 4]) for n in range(64)))
    assert await client(runtime, "total") == 400


async def test_no_event_begins_while_another_blocks_concurrency(runtime, code):
    order = []

    async def block(target):
        async def work():
            order.append("begins")
            await asyncio.sleep(0.01)
            order.append("ends")
            return "value"

        return await target.ctx.blockConcurrencyWhile(work)

    async def quick(_target):
        order.append("quick")

    code.update(block=block, quick=quick)
    first = asyncio.ensure_future(client(runtime, "block"))
    await turns()
    await client(runtime, "quick")
    assert (await first, order) == ("value", ["begins", "ends", "quick"])


async def test_a_constructor_may_wait_for_storage_and_no_event_comes_before_it_is_done(runtime, code):
    order = []

    def born(target):
        async def first():
            await asyncio.sleep(0)
            order.append("first")
            return await target.ctx.storage.get("count")

        async def second():
            await target.ctx.storage.put("count", target.count + 1)
            order.append("second")

        async def third():
            order.append("third")

        target.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(0))
        run_sync(target.ctx.storage.put("count", 1))
        target.count = run_sync(target.ctx.blockConcurrencyWhile(first))
        target.ctx.blockConcurrencyWhile(second)
        target.ctx.blockConcurrencyWhile(third)
        order.append("born")

    async def note(target, number):
        order.append(number)
        return await target.ctx.storage.get("count")

    code["born"], code["note"] = born, note
    seen = await asyncio.wait_for(asyncio.gather(*(client(runtime, "note", number) for number in range(2))), 10)
    assert seen == [2, 2]
    assert order == ["first", "born", "second", "third", 0, 1]


async def test_events_wait_for_what_the_constructor_blocks_on(runtime, code):
    def born(target):
        async def load():
            await asyncio.sleep(0.01)
            target.ready = True

        target.ctx.blockConcurrencyWhile(load)

    async def is_ready(target):
        return target.ready

    code.update(born=born, is_ready=is_ready)
    assert await asyncio.gather(client(runtime, "is_ready"), client(runtime, "is_ready")) == [True, True]


async def test_an_error_under_blocked_concurrency_resets_the_object(runtime, code, born):
    async def fail(target):
        async def work():
            raise js.RangeError.new("boom")

        await target.ctx.blockConcurrencyWhile(work)

    code["fail"] = fail
    one = stub(runtime)
    assert await outcome(lambda: one.do("fail")) == "rejects RangeError: boom [durableObjectReset]"
    assert await outcome(lambda: one.echo(1)) == "rejects RangeError: boom [durableObjectReset]"
    assert await outcome(lambda: stub(runtime).echo(1)) == "1"
    assert born == ["a", "a"]


async def test_a_constructor_that_fails_is_what_callers_see(runtime):
    said = await outcome(lambda: stub(runtime, binding="BROKEN").hello())
    assert said.startswith("rejects PythonError: Traceback (most recent call last):")
    assert said.endswith("ValueError: born dead\n [durableObjectReset]")


async def test_transactions_run_one_after_another(inside):
    async def run(ctx):
        order = []

        def named(name, delay_s):
            async def work(_txn):
                order.append(f"{name} begins")
                await asyncio.sleep(delay_s)
                order.append(f"{name} ends")

            return work

        await asyncio.gather(ctx.storage.transaction(named("a", 0.01)), ctx.storage.transaction(named("b", 0)))
        return order

    assert await inside(run) == ["a begins", "a ends", "b begins", "b ends"]


async def test_what_a_transaction_may_do_and_may_not(inside):
    async def run(ctx):
        storage = ctx.storage
        kept = []

        async def nested(txn):
            await txn.put("o", 1)

            async def inner(other):
                await other.put("p", 1)

            await storage.transaction(inner)
            return JsArray([await storage.get("o"), await storage.get("p")])

        async def rolls_back(txn):
            storage.sql.exec("CREATE TABLE q (x)")
            await txn.put("g", 1)
            await txn.setAlarm(9e11)
            txn.rollback()
            kept.append(txn)
            await txn.put("a", 1)

        async def keeps(txn):
            kept.append(txn)
            await txn.deleteAll()

        async def fine(txn):
            kept.append(txn)

        return [
            await outcome(lambda: storage.transaction(nested)),
            await outcome(lambda: storage.transaction(rolls_back)),
            await outcome(lambda: storage.transaction(keeps)),
            await outcome(lambda: storage.transaction(fine)),
            await outcome(lambda: kept[-1].get("a")),
            await outcome(kept[-1].rollback),
            show([await storage.get("g"), await storage.getAlarm()]),
            show(storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'q'").toArray()),
        ]

    gone = "on transaction that has already committed: did you move `txn` outside of the closure?"
    assert await inside(run) == [
        "[1, 1]",
        "rejects Error: Cannot put() on rolled back transaction",
        "rejects Error: Cannot call deleteAll() within a transaction",
        "undefined",
        f"rejects Error: Cannot call get() {gone}",
        f"throws Error: Cannot call rollback() {gone}",
        "[undefined, null]",
        "[]",
    ]


async def test_a_synchronous_transaction_takes_back_what_it_wrote(inside):
    async def run(ctx):
        kv = ctx.storage.kv

        def fails():
            kv.put("t", 2)
            raise js.TypeError.new("tx")

        def outer():
            kv.put("n", 1)
            assert_throws(lambda: ctx.storage.transactionSync(fails))
            return kv.get("n")

        kv.put("t", 1)
        return [
            await outcome(lambda: ctx.storage.transactionSync(fails)),
            kv.get("t"),
            ctx.storage.transactionSync(outer),
        ]

    assert await inside(run) == ["throws TypeError: tx", 1, 1]


def assert_throws(function):
    with pytest.raises(JsException):
        function()


# ---- durability and resets


async def test_a_response_leaves_after_its_writes_are_durable(runtime, code):
    async def write(target):
        await target.ctx.storage.put("k", "v")

    code["write"] = write
    await client(runtime, "write")
    engine = runtime.durable_objects.object_class("w", "Obj").engine
    path = engine.path_of(runtime.primary.env.DO.idFromName("a").toString())
    import apsw

    with apsw.Connection(str(path)) as other:
        assert other.execute("SELECT count(*) FROM _cf_KV").get == 1


async def test_an_error_keeps_what_was_written_before_it(runtime, code):
    async def fail(target):
        target.ctx._ctx.storage.put("k", 1)
        raise js.Error.new("after put")

    async def read(target):
        return await target.ctx.storage.get("k")

    code.update(fail=fail, read=read)
    one = stub(runtime)
    assert await outcome(lambda: one.do("fail")) == "rejects Error: after put [remote]"
    assert await one.do("read") == 1


async def test_abort_loses_what_was_not_durable_and_breaks_stubs(runtime, code):
    async def stop(target):
        target.ctx._ctx.storage.put("w", "unflushed")
        target.ctx.abort("gone")

    async def wait(_target):
        await asyncio.Event().wait()

    async def read(target):
        return await target.ctx.storage.get("w")

    code.update(stop=stop, wait=wait, read=read)
    one, other = stub(runtime), stub(runtime)
    waiting = asyncio.ensure_future(outcome(lambda: other.do("wait")))
    await turns()
    assert await outcome(lambda: one.do("stop")) == "rejects Error: gone [durableObjectReset]"
    assert await waiting == "rejects Error: gone [durableObjectReset]"
    assert await outcome(lambda: one.do("read")) == "rejects Error: gone [durableObjectReset]"
    assert await outcome(lambda: stub(runtime).do("read")) == "null"


async def test_a_violated_foreign_key_is_an_error_at_once(runtime, code):
    async def violate(target):
        target.ctx.storage.sql.exec("CREATE TABLE p (id PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id))")
        target.ctx.storage.sql.exec("INSERT INTO c VALUES (1)")

    code["violate"] = violate
    assert await outcome(lambda: stub(runtime).do("violate")) == (
        "rejects Error: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY) "
        "[remote]"
    )


async def test_violated_foreign_keys_that_were_deferred_reset_the_object(runtime, code):
    async def violate(target):
        target.ctx.storage.sql.exec("CREATE TABLE p (id PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id))")
        target.ctx.storage.sql.exec("PRAGMA defer_foreign_keys = ON")
        target.ctx.storage.sql.exec("INSERT INTO c VALUES (1)")

    code["violate"] = violate
    assert await outcome(lambda: stub(runtime).do("violate")) == (
        "rejects Error: Durable Object was reset and rolled back to its last known good state because the application "
        "left the database in a state where constraints were violated: FOREIGN KEY constraint failed: "
        "SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY) [durableObjectReset]"
    )


# ---- alarms


@pytest.fixture
def fired(code, clock):
    """Notes of the alarms: when, and what the handler got."""
    found = []

    async def alarm(target, info):
        found.append((clock.now_ms() - 1_700_000_000_000, info.scheduledTime - 1_700_000_000_000, info.retryCount))
        after = code.get("after_alarm")
        if after is not None:
            await after(target, info)

    code["alarm"] = alarm
    return found


async def test_alarms_fire_in_order_when_the_clock_gets_there(runtime, inside, clock, fired):
    start_ms = clock.now_ms()
    for name, delay_ms in (("a", 9_000), ("b", 3_000), ("c", 6_000)):
        await inside(lambda ctx, at_ms=start_ms + delay_ms: ctx.storage.setAlarm(at_ms), name=name)
    await clock.advance(2)
    assert fired == []
    await clock.advance(10)
    assert [scheduled for _, scheduled, _ in fired] == [3_000, 6_000, 9_000]
    await clock.advance(100)
    assert len(fired) == 3


async def test_an_alarm_that_fails_is_tried_six_times_more_with_growing_delays(runtime, inside, clock, fired, code):
    async def fail(_target, _info):
        raise ValueError("alarm boom")

    code["after_alarm"] = fail
    await inside(lambda ctx: ctx.storage.setAlarm(clock.now_ms() + 1_000))
    for _ in range(400):
        await clock.advance(1)
    assert [(at // 1000, count) for at, _, count in fired] == [
        (1, 0), (3, 1), (7, 2), (15, 3), (31, 4), (63, 5), (127, 6),
    ]  # fmt: skip
    assert {scheduled for _, scheduled, _ in fired} == {1_000}
    assert await inside(lambda ctx: outcome(ctx.storage.getAlarm)) == "null"


async def test_an_alarm_of_an_object_that_cannot_be_made_is_given_up_in_the_end(runtime, inside, clock, code, born):
    await inside(lambda ctx: ctx.storage.setAlarm(clock.now_ms() + 1_000))
    await clock.advance(11)

    def fail(_target):
        raise ValueError("born dead")

    fired = []

    async def alarm(_target, _info):
        fired.append(1)

    code["alarm"] = alarm
    await inside(lambda ctx: ctx.storage.setAlarm(clock.now_ms() + 20_000))
    await clock.advance(11)
    code["born"] = fail
    before = len(born)
    for _ in range(40):
        await clock.advance(10)
    assert (len(born) - before, fired) == (7, [])
    del code["born"]
    assert await inside(lambda ctx: outcome(ctx.storage.getAlarm)) == "null"


async def test_a_handler_sees_no_alarm_and_may_set_the_next(runtime, inside, clock, fired, code):
    seen = []

    async def again(target, _info):
        seen.append(await target.ctx.storage.getAlarm())
        if len(seen) < 3:
            await target.ctx.storage.setAlarm(clock.now_ms() + 1_000)

    code["after_alarm"] = again
    await inside(lambda ctx: ctx.storage.setAlarm(clock.now_ms() + 1_000))
    for _ in range(6):
        await clock.advance(1)
    assert ([at for at, _, _ in fired], seen) == ([1_000, 2_000, 3_000], [None, None, None])


async def test_only_the_last_alarm_that_was_set_fires(runtime, inside, clock, fired):
    await inside(lambda ctx: ctx.storage.setAlarm(clock.now_ms() + 1_000))
    await inside(lambda ctx: ctx.storage.setAlarm(clock.now_ms() + 5_000))
    await clock.advance(2)
    assert fired == []
    await inside(lambda ctx: ctx.storage.deleteAlarm())
    await clock.advance(10)
    assert fired == []


# ---- memory


async def test_an_idle_object_leaves_the_memory_and_comes_back_with_its_storage(runtime, inside, clock, born):
    await inside(lambda ctx: ctx.storage.put("k", "v"))
    assert runtime.durable_objects.live_count == 1
    await clock.advance(11)
    assert runtime.durable_objects.live_count == 0
    assert await inside(lambda ctx: outcome(lambda: ctx.storage.get("k"))) == "'v'"
    assert born == ["a", "a"]


async def test_an_object_that_something_refers_to_stays(runtime, code, clock, born):
    held = []

    async def hold(target):
        held.append(target)

    code["hold"] = hold
    await stub(runtime).do("hold")
    await clock.advance(11)
    await stub(runtime).do("hold")
    assert (born, held[0] is held[1]) == (["a"], True)
    held.clear()
    gc.collect()
    await clock.advance(11)
    await stub(runtime).do("hold")
    assert born == ["a", "a"]


async def test_a_stub_outlives_the_object_in_memory(runtime, clock, born):
    one = stub(runtime)
    await one.echo(1)
    await clock.advance(11)
    assert (await one.echo(2), born) == (2, ["a", "a"])


# ---- hibernatable WebSockets


@pytest.fixture
def chat(code):
    """What the object's WebSocket handlers saw."""
    log = []

    async def fetch(target, _request):
        client, server = js.WebSocketPair.new()
        target.ctx.acceptWebSocket(server, JsArray(["room"]))
        server.serializeAttachment(JsObject({"n": 1}))
        return js.Response.new(None, JsObject({"status": 101, "webSocket": client}))

    async def message(target, socket, text):
        attachment = socket.deserializeAttachment()
        log.append((text, list(target.ctx.getTags(socket)), attachment.n))
        attachment.n += 1
        socket.serializeAttachment(attachment)
        socket.send(f"echo:{text}")

    async def close(target, socket, code, reason, was_clean):
        log.append((code, reason, was_clean, len(target.ctx.getWebSockets())))

    code.update(fetch=fetch, message=message, close=close)
    return log


async def connect(runtime):
    socket = (await stub(runtime).fetch("http://x/", UPGRADE)).webSocket
    received = []
    socket.addEventListener("message", lambda event: received.append(event.data))
    socket.addEventListener("close", lambda event: received.append((event.code, event.reason, event.wasClean)))
    socket.accept()
    return socket, received


async def test_a_message_wakes_an_object_that_is_not_in_memory(runtime, chat, clock, born):
    socket, received = await connect(runtime)
    socket.send("one")
    await turns()
    await clock.advance(11)
    assert runtime.durable_objects.live_count == 0
    socket.send("two")
    await turns(30)
    assert received == ["echo:one", "echo:two"]
    assert chat == [("one", ["room"], 1), ("two", ["room"], 2)]
    assert born == ["a", "a"]


async def test_an_automatic_response_wakes_nobody(runtime, inside, chat, clock, born):
    socket, received = await connect(runtime)

    async def set_response(ctx):
        ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new("ping", "pong"))

    await inside(set_response)
    await clock.advance(11)
    socket.send("ping")
    await turns()
    assert (received, chat, born) == (["pong"], [], ["a"])

    async def answered(ctx):
        (open_socket,) = ctx.getWebSockets("room")
        return ctx.getWebSocketAutoResponseTimestamp(open_socket).getTime()

    assert await inside(answered) == clock.now_ms()


async def test_a_message_that_takes_too_long_is_given_up(runtime, inside, chat, code):
    socket, received = await connect(runtime)

    async def forever(_target, _socket, _text):
        await asyncio.Event().wait()

    async def limit(ctx):
        ctx.setHibernatableWebSocketEventTimeout(20)

    answer = code["message"]
    code["message"] = forever
    await inside(limit)
    socket.send("slow")
    await turns()
    code["message"] = answer
    answered = asyncio.Event()
    socket.addEventListener("message", lambda _event: answered.set())
    socket.send("quick")
    async with asyncio.timeout(5):
        await answered.wait()
    assert received == ["echo:quick"]


async def test_a_closed_socket_is_told_and_forgotten(runtime, inside, chat):
    socket, _ = await connect(runtime)
    socket.close(4000, "bye")
    await turns(30)
    assert chat == [(4000, "bye", True, 1)]

    async def count(ctx):
        return ctx.getWebSockets().length

    assert await inside(count) == 0


async def test_a_reset_disconnects_the_sockets(runtime, code, chat):
    _, received = await connect(runtime)

    async def stop(target):
        target.ctx.abort("kill")

    code["stop"] = stop
    assert await outcome(lambda: stub(runtime).do("stop")) == "rejects Error: kill [durableObjectReset]"
    await turns()
    assert received == [(1006, "WebSocket disconnected without sending Close frame.", False)]


# ---- facets, exports, reload


async def test_a_facet_has_a_storage_of_its_own(inside, code):
    async def remember(target, value):
        before = await target.ctx.storage.get("k")
        await target.ctx.storage.put("k", value)
        return before

    code["remember"] = remember

    async def run(ctx):
        def start():
            return JsObject({"class": ctx.exports.Obj})

        await ctx.storage.put("k", "parent")
        results = [await ctx.facets.get("f", start).do("remember", value) for value in ("one", "two")]
        ctx.facets.delete("f")
        results.append(await ctx.facets.get("f", start).do("remember", "three"))
        return show([*results, await ctx.storage.get("k")])

    assert await inside(run) == "[null, 'one', null, 'parent']"


async def test_an_aborted_facet_fails_its_callers_and_starts_anew(inside, code):
    async def wait(_target):
        await asyncio.Event().wait()

    code["wait"] = wait

    async def run(ctx):
        def start():
            return JsObject({"class": ctx.exports.Obj})

        waiting = asyncio.ensure_future(outcome(lambda: ctx.facets.get("f", start).do("wait")))
        await turns()
        ctx.facets.abort("f", js.Error.new("enough"))
        return [await waiting, await outcome(lambda: ctx.facets.get("f", start).echo(1))]

    assert await inside(run) == ["rejects Error: enough [durableObjectReset]", "1"]


async def test_a_reload_gives_the_object_its_new_code(runtime, inside):
    await inside(lambda ctx: ctx.storage.put("k", "kept"))
    old = stub(runtime)
    await old.echo(1)
    entry = runtime.primary.config.main
    entry.write_text(entry.read_text().replace("return value", "return ['new', value]"))
    runtime.load("w")
    assert show(await stub(runtime).echo(1)) == "['new', 1]"
    assert show(await old.echo(2)) == "['new', 2]"


async def test_a_request_reaches_the_object_and_its_answer_the_caller(runtime, code):
    async def fetch(target, request):
        return js.Response.new(f"{request.method.value} {request.url} {target.ctx.id.name}")

    code["fetch"] = fetch
    response = await stub(runtime).fetch("http://x/p", JsObject({"method": "DELETE"}))
    assert await response.text() == "DELETE http://x/p a"
    assert response.url == "http://x/p"
    assert await outcome(lambda: stub(runtime, binding="BARE").fetch("http://x/")) == (
        "rejects Error: Handler does not export a fetch() function. [remote]"
    )
    assert jsnull is not None
