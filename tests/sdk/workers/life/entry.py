"""Reads env while it is imported, and keeps events alive in every way there is."""

import asyncio

import js
from pyodide.ffi import can_run_sync, create_proxy, run_sync

import workers
from workers import Response, WorkerEntrypoint, env, import_from_javascript, wait_until

COLOR = env.COLOR
ENV_TYPE = f"{type(env).__module__}.{type(env).__qualname__}"
SETTING = env.SETTINGS.deep.on
CAN_WAIT = can_run_sync()
done = []

pending = asyncio.sleep(0)
try:
    run_sync(pending)
except RuntimeError as error:
    AT_IMPORT = str(error)
    pending.close()

try:
    import_from_javascript("node:fs")
except ImportError as error:
    IMPORT_AT_IMPORT = str(error)


async def note(text, turns=3):
    for _ in range(turns):
        await asyncio.sleep(0)
    done.append(text)


async def fail(text):
    await asyncio.sleep(0)
    raise ValueError(text)


def deep(depth, awaitable):
    return run_sync(awaitable) if depth == 0 else deep(depth - 1, awaitable)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(" ".join([COLOR, self.env.COLOR, workers.env.COLOR]))

    async def imported(self):
        return [COLOR, ENV_TYPE, SETTING, CAN_WAIT, AT_IMPORT, IMPORT_AT_IMPORT, env.COLOR]

    async def done(self):
        return done

    # ---- waitUntil

    async def keep_coroutine(self):
        self.ctx.waitUntil(note("coroutine"))
        return list(done)

    async def keep_task(self):
        self.ctx.waitUntil(asyncio.create_task(note("task")))

    async def keep_promise(self):
        self.ctx.waitUntil(js.Promise.resolve(5).then(lambda value: done.append(f"promise {value}")))

    async def keep_proxy(self):
        wait_until(create_proxy(asyncio.ensure_future(note("proxy"))))

    async def keep_by_module(self):
        wait_until(note("module"))
        workers.waitUntil(note("module camel"))

    async def keep_nothing(self):
        self.ctx.waitUntil(5)
        self.ctx.waitUntil(None)

    async def keep_failing(self):
        self.ctx.waitUntil(fail("in the background"))
        return "answered"

    async def keep_forever(self):
        self.ctx.waitUntil(asyncio.Event().wait())

    async def leave_task(self):
        self.task = asyncio.create_task(note("left"))

    # ---- run_sync

    async def wait(self, depth):
        async def answer():
            await asyncio.sleep(0)
            return "waited"

        return [can_run_sync(), deep(depth, answer())]

    def wait_in_sync_method(self):
        run_sync(asyncio.sleep(0))
        return "sync"

    async def nested(self):
        async def inner():
            return run_sync(middle()) + 1

        async def middle():
            await asyncio.sleep(0)
            return run_sync(js.Promise.resolve(40))

        return run_sync(inner()) + 1

    async def wait_in_task(self):
        async def work():
            return [run_sync(asyncio.sleep(0, "slept")), workers.env.COLOR]

        return await asyncio.create_task(work())

    async def wait_for_env(self):
        async def read():
            await asyncio.sleep(0)
            return [workers.env.COLOR, env.COLOR]

        return run_sync(read())

    async def wait_for_error(self):
        async def broken():
            await asyncio.sleep(0)
            raise KeyError("broken")

        try:
            run_sync(broken())
        except KeyError as error:
            return repr(error)

    async def wait_at_once(self):
        async def one(number):
            run_sync(asyncio.sleep(0))
            return number

        return list(await asyncio.gather(*[one(number) for number in range(5)]))

    # ---- import_from_javascript

    async def modules(self):
        module = import_from_javascript("cloudflare:workers")
        names = [name for name in ("env", "waitUntil", "withEnv", "exports") if hasattr(module, name)]
        return [names, module.env.COLOR, import_from_javascript("cloudflare:sockets").connect is not None]

    async def import_unknown(self, name):
        try:
            import_from_javascript(name)
        except ImportError as error:
            return [str(error), f"{type(error.__cause__).__module__}.{type(error.__cause__).__qualname__}"]

    async def with_env(self):
        module = import_from_javascript("cloudflare:workers")
        replaced = js.Object.fromEntries([["COLOR", "green"]])

        def read():
            return [workers.env.COLOR, module.env.COLOR]

        async def read_later():
            await asyncio.sleep(0)
            return workers.env.COLOR

        return [module.withEnv(replaced, read), await module.withEnv(replaced, read_later), *read()]

    async def patch(self):
        try:
            with workers.patch_env({"COLOR": "red"}):
                raise AssertionError
        except AttributeError as error:
            return str(error)

    async def own_exports(self):
        return await self.ctx.exports.Helper.help()


class Helper(WorkerEntrypoint):
    async def help(self):
        return "helped"
