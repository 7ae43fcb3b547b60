"""The worker behind the recorded HTTP requests, as the recorder's ``http.mjs``: ``/p/N`` runs a case's program."""

import asyncio
import re

from interp import Interpreter, build_scope
from interp_results import encode
from interp_values import plain
from js import Headers, Response
from pyodide.ffi import jsnull

from pyworkers.js.objects import JsArray
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsException, JsObject

PROGRAM = []
state = JsObject({"log": JsArray(), "cron": JsArray(), "mail": JsArray()})


async def fetch(request, env, ctx):
    request = request.js_object
    if not re.match(r"https?://[^/]*/p/\d+(/|$|\?)", request.url):
        return Response.new("no program", status=404)
    scope = build_scope({}, request=request, ctx=ctx, state=state, H=HELPERS)
    return await Interpreter().run_program(PROGRAM, scope)


async def scheduled(controller, env, ctx):
    state.cron.push(
        JsObject(
            {
                "cron": controller.cron,
                "type": getattr(controller, "type", jsnull),
                "timeType": "number" if isinstance(controller.scheduledTime, int | float) else "other",
                "time": controller.scheduledTime,
                "ctor": controller.constructor.name,
            }
        )
    )
    if controller.cron == "throw":
        raise JsException("Error", "cron boom")
    if controller.cron == "noretry":
        controller.noRetry()
    if controller.cron == "waituntil-reject":
        ctx.waitUntil(JsPromise.rejected(JsException("Error", "wu boom")))
    if controller.cron == "slow":
        await asyncio.sleep(0.3)


async def info(request):
    text = await request.text() if request.body is not jsnull else jsnull
    return JsObject(
        {
            "method": request.method,
            "url": request.url,
            "headers": JsArray([JsArray(pair) for pair in request.headers]),
            "hasBody": request.body is not jsnull,
            "redirect": request.redirect,
            "body": text,
        }
    )


async def body_bytes(request):
    return (await request.arrayBuffer()).byteLength


def unhandled():
    JsPromise.rejected(JsException("Error", "unhandled boom"))


async def later(delay_ms, message):
    await asyncio.sleep(delay_ms / 1000)
    raise JsException("Error", message)


async def resolve_later(delay_ms, name, value):
    await asyncio.sleep(delay_ms / 1000)
    setattr(state, name, value)


async def encoded(value):
    return plain(await encode(value))


HELPERS = JsObject(
    {
        "info": lambda request: JsPromise.run(info(request)),
        "bodyBytes": lambda request: JsPromise.run(body_bytes(request)),
        "unhandled": unhandled,
        "later": lambda *args: JsPromise.run(later(*args)),
        "resolveLater": lambda *args: JsPromise.run(resolve_later(*args)),
        "enc": lambda value=None: JsPromise.run(encoded(value)),
    }
)


async def email(message, env, ctx):
    state.mail.push(
        JsObject(
            {
                "from": getattr(message, "from"),  # a keyword
                "to": message.to,
                "rawSize": message.rawSize,
                "headers": JsArray([JsArray(pair) for pair in message.headers]),
                "raw": await Response.new(message.raw).text(),
                "ctor": message.constructor.name,
            }
        )
    )
    if "reject" in message.to:
        message.setReject("not wanted")
    if "forward" in message.to:
        await message.forward("other@example.com", Headers.new({"X-Fwd": "1"}.items()))
    if "throw" in message.to:
        raise JsException("Error", "mail boom")
