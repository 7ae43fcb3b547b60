"""The workflow of the recordings, in Python: what ``record/worker/flow.mjs`` is in JavaScript."""

import asyncio
from collections import Counter

import js
from js import Object
from pyodide.ffi import JsException, create_proxy, jsnull, to_js

from workers import WorkflowEntrypoint

ATTEMPTS = Counter()


def plain(value):
    return to_js(value, dict_converter=Object.fromEntries)


NO_RETRY = {"retries": {"limit": 0, "delay": 1}}
VALUES = {
    "map": lambda: js.Map.new([["a", 1]]),
    "set": lambda: js.Set.new([1]),
    "bytes": lambda: js.Uint8Array.new([1, 2]),
    "buffer": lambda: js.Uint8Array.new([1, 2]).buffer,
    "date": lambda: js.Date.new(0),
    "nan": lambda: float("nan"),
    "nothing": lambda: None,
    "null": lambda: jsnull,
    "nested": lambda: js.Object.fromEntries([["a", js.Array.of(1, js.Object.fromEntries([["b", js.Date.new(0)]]))]]),
    "error": lambda: js.TypeError.new("as a value"),
    "regexp": lambda: js.RegExp.new("a", "g"),
    "text": lambda: "t",
}
ERRORS = {
    "type": lambda: js.TypeError.new("t"),
    "named": lambda: named("MyError", "m"),
    "empty": lambda: js.Error.new(),
    "nonretryable": lambda: named("NonRetryableError", "stop now"),
    "nonretryable_named": lambda: named("Other", "stop now"),
    "nonretryable_empty": lambda: named("NonRetryableError", ""),
    # What is thrown is an exception here: as the other side gets such a value.
    "string": lambda: js.Error.new("just a text"),
    "object": lambda: js.Error.new("#<Object>"),
    "null": lambda: js.Error.new("null"),
    "number": lambda: js.Error.new("5"),
}


def named(name, message):
    return JsException(name, message)


def with_nulls(value):
    """Return JSON as JavaScript has it: the SDK has made None of null."""
    if isinstance(value, dict):
        return {key: with_nulls(item) for key, item in value.items()}
    return jsnull if value is None else value


async def caught(awaitable):
    try:
        value = await awaitable
    except JsException as error:
        return {"name": error.name, "message": error.message, "type": "object"}
    return {} if value is None else {"ok": value}


async def raises(error):
    raise ERRORS[error]()


def class_of(value):
    names = {str: "String", int: "Number", float: "Number"}
    return names.get(type(value)) or getattr(getattr(value, "constructor", None), "name", None)


class Kinds:
    """One method for each ``params.kind``; steps are JavaScript's own, without the SDK between."""

    def __init__(self, step, params, instance_id):
        self.step = step
        self.params = params
        self.instance_id = instance_id
        self.config = plain(with_nulls(params.get("config")))

    def do(self, name, config, function):
        return self.step.do(name, plain(config), function)

    async def retry(self):
        async def attempt(_):
            ATTEMPTS[self.instance_id] += 1
            count = ATTEMPTS[self.instance_id]
            if count < self.params.get("succeedAt", 3):
                raise js.Error.new(f"try {count}")
            return f"ok after {count}"

        retries = {"limit": 2, "delay": 10, **self.params.get("retries", {})}
        return await self.do("r", {"retries": retries}, attempt)

    async def fail(self):
        return await self.do("f", NO_RETRY, lambda _: raises(self.params["error"]))

    async def failCaught(self):
        return await caught(self.fail())

    async def runThrows(self):
        await raises(self.params["error"])

    async def runReturns(self):
        return VALUES[self.params["value"]]()

    async def value(self):
        async def make(_):
            return VALUES[self.params["value"]]()

        value = await self.step.do("v", make)
        if value is None:
            return {"type": "undefined"}
        if value is jsnull:
            return js.Object.fromEntries([["type", "object"], ["value", jsnull]])
        kind = {str: "string", int: "number", float: "number"}.get(type(value), "object")
        return js.Object.fromEntries([["type", kind], ["class", class_of(value)], ["value", value]])

    async def large(self):
        async def make(_):
            return "x" * self.params["size"]

        async def length():
            return len(await self.do("large", NO_RETRY, make))

        return await caught(length())

    async def stream(self):
        async def make(_):
            return js.Response.new(self.params["text"]).body

        stream = await self.do("s", NO_RETRY, make)
        return {"class": class_of(stream), "text": await js.Response.new(stream).text()}

    async def ran(self, _):
        return "ran"

    async def config_(self):
        return await caught(self.step.do("c", self.config, self.ran))

    async def noCallback(self):
        return await caught(self.step.do("c", plain({})))

    async def name(self):
        name = self.params["name"]
        return await caught(self.step.do(jsnull if name is None else name, self.ran))

    async def nameOf(self):
        return await caught(self.step.do("x" * self.params["length"], self.ran))

    async def context(self):
        async def told(ctx):
            return ctx

        config = self.config if "config" in self.params else plain({})
        return js.Array.of(await self.step.do("same", told), await self.step.do("same", config, told))

    async def sleep(self):
        duration = self.params["duration"]
        return await caught(self.step.sleep("nap", jsnull if duration is None else duration))

    async def sleepUntil(self):
        when = self.params["when"]
        when = js.Date.now() + 50 if when == "future" else jsnull if when is None else when
        return await caught(self.step.sleepUntil("until", when))

    async def sleepUntilDate(self):
        return await caught(self.step.sleepUntil("until", js.Date.new(self.params["when"])))

    async def wait(self):
        options = plain(self.params.get("options") or {"type": "go", "timeout": "10 seconds"})
        found = await caught(self.step.waitForEvent("w", options))
        event = found.get("ok")
        if event is None:
            return found
        fields = {"payload": event.payload, "type": event.type, "timestamp": class_of(event.timestamp)}
        return plain({**fields, "keys": sorted(js.Object.keys(event))})

    async def waitFails(self):
        await self.step.waitForEvent("w", plain(self.params["options"]))

    async def waitTwice(self):
        return [(await self.step.waitForEvent("w", plain({"type": "go"}))).payload for _ in range(2)]

    async def sleepThenWait(self):
        await self.step.sleep("first", 300)
        return (await self.step.waitForEvent("w", plain({"type": "go"}))).payload

    async def pause(self, result):
        await asyncio.sleep(self.params["ms"] / 1000)
        return result

    async def slow(self):
        return await self.step.do("slow", lambda _: self.pause("slept"))

    async def slowTwice(self):
        one = await self.step.do("one", lambda _: self.pause(1))
        return [one, await self.step.do("two", lambda _: self.pause(2))]

    async def timeout(self):
        self.params.setdefault("ms", 1000)
        config = {**NO_RETRY, "timeout": self.params.get("timeout", 50)}
        return await caught(self.do("t", config, lambda _: self.pause("late")))

    async def nested(self):
        async def inner(_):
            return 1

        async def outer(_):
            return await self.step.do("inner", inner) + 1

        return await self.step.do("outer", outer)

    async def race(self):
        async def quick(_):
            return "q"

        return await js.Promise.race([self.step.do("quick", quick), self.step.sleep("long", "1 hour")])

    async def parallel(self):
        async def give(value):
            return value

        return await js.Promise.all([self.step.do("p1", lambda _: give(1)), self.step.do("p2", lambda _: give(2))])

    async def count(self):
        async def one(_):
            return 1

        return sum([await self.step.do("one", one) for _ in range(self.params["steps"])])


def params_of(event):
    payload = event.payload
    return payload.to_py() if class_of(payload) == "Object" else {}


class Flow(WorkflowEntrypoint):
    pass


async def run(self, event, step):
    params = params_of(event)
    kind = params.get("kind")
    name = "config_" if kind == "config" else kind
    if name and hasattr(Kinds, name):
        return plain(await getattr(Kinds(step, params, event.instanceId), name)())
    shown = {"id": "string" if isinstance(event.instanceId, str) else "other", "timestamp": is_date(event.timestamp)}
    return plain({"payload": event.payload, **shown, "keys": sorted(js.Object.keys(event))})


# Given afterwards, so that the SDK does not convert what it gets and returns.
Flow.run = run


def is_date(value):
    return class_of(value) == "Date"


class MiscFlow(WorkflowEntrypoint):
    """The workflow of contracts/misc."""

    async def throw(self, step, params):
        raise js.TypeError.new("flow boom")

    async def nonretry(self, step, params):
        async def stop(_):
            raise named("MyStop", "stop now")

        return await step.do("nr", stop)

    async def exhaust(self, step, params):
        return await step.do("x", plain({"retries": {"limit": 1, "delay": 10}}), lambda _: raises("type"))

    async def sleep(self, step, params):
        await step.sleep("nap", params.get("dur", 100))
        return "slept"

    async def sleepUntil(self, step, params):
        await step.sleepUntil("until", js.Date.new(js.Date.now() + 200))
        return "slept until"

    async def steps(self, step, params):
        async def one(_):
            return 1

        async def two(_):
            return js.Object.fromEntries([["b", 2], ["d", js.Date.new(0)]])

        async def three(_):
            return "dup name"

        named_steps = (("a", "first", one), ("b", "second", two), ("c", "first", three))
        return js.Object.fromEntries([[key, await step.do(name, function)] for key, name, function in named_steps])

    async def undefined(self, step, params):
        return None

    async def fn(self, step, params):
        async def make(_):
            return create_proxy(lambda: 1)

        return await step.do("f", make)

    async def timeout(self, step, params):
        async def late(_):
            await asyncio.sleep(3)

        return await step.do("t", plain({"timeout": 50, "retries": {"limit": 0, "delay": 1}}), late)

    async def catch(self, step, params):
        async def fails(_):
            raise js.RangeError.new("caught me")

        try:
            await step.do("c", plain(NO_RETRY), fails)
        except JsException as error:
            return {"name": error.name, "message": error.message}

    async def parallel(self, step, params):
        return await Kinds(step, params, "").parallel()


async def run_misc(self, event, step):
    params = params_of(event)
    kind = params.get("kind")
    if kind is not None:
        return plain(await getattr(self, kind)(step, params))
    shown = {"idType": "string" if isinstance(event.instanceId, str) else "other", "ts": is_date(event.timestamp)}
    return plain({"payload": event.payload, **shown, "keys": sorted(js.Object.keys(event))})


MiscFlow.run = run_misc
