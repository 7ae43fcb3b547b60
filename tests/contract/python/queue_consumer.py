"""The consumer of the recorded queues, as the recorder's ``queues.mjs``: a message's ``act`` says what is done."""

from interp_results import encode

from pyworkers.js.dates import Date
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsException, JsObject, get_property
from workers import Response

LOGS = {}


async def fetch(request, env):
    return Response("unused")


async def queue(wrapped, env, ctx):
    batch = wrapped._binding
    record = {"queue": batch.queue, "n": len(batch.messages), "batchType": batch.constructor.name, "messages": []}
    record["msgType"] = batch.messages[0].constructor.name if len(batch.messages) else {"$undef": True}
    LOGS.setdefault(batch.queue, []).append(record)
    throws_at_end = False
    for message in batch.messages:
        entry = {"attempts": message.attempts, "idLength": len(message.id)}
        entry["tsIsDate"] = isinstance(message.timestamp, Date)
        entry["body"] = await encode(message.body)
        record["messages"].append(entry)
        act = get_property(message.body, "act") if isinstance(message.body, JsObject) else None
        if act == "badDelay":
            message.retry(JsObject({"delaySeconds": get_property(message.body, "delay")}))
            entry["retryResult"] = "ok"
        elif act == "throwNow":
            raise JsException("Error", "consumer boom")
        elif act == "rejectWait":
            ctx.waitUntil(JsPromise.rejected(JsException("Error", "wu boom")))
        elif act in ACTS:
            ACTS[act](batch, message)
        throws_at_end = throws_at_end or act == "throwEnd"
    if throws_at_end:
        raise JsException("Error", "end boom")


def retry_all(batch, message):
    options = get_property(message.body, "opts")
    batch.retryAll(options)


ACTS = {
    "ack": lambda batch, message: message.ack(),
    "retry": lambda batch, message: message.retry(),
    "retryDelay": lambda batch, message: message.retry(JsObject({"delaySeconds": message.body.delay})),
    "ackThenRetry": lambda batch, message: (message.ack(), message.retry()),
    "retryThenAck": lambda batch, message: (message.retry(), message.ack()),
    "ackAll": lambda batch, message: batch.ackAll(),
    "retryAll": retry_all,
    "retryOnce": lambda batch, message: message.attempts == 1 and message.retry(),
}
