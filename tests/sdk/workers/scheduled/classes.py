"""Class style: what each handler gets."""

from workers import Response, WorkerEntrypoint

got = []


def name_of(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"


class Default(WorkerEntrypoint):
    async def fetch(self):
        return Response(repr(got))

    async def scheduled(self, controller, env, ctx):
        got.append(["scheduled", name_of(controller), controller.cron, controller.scheduledTime, env, ctx])
        got.append(controller.noRetry())

    async def queue(self, batch, env, ctx):
        message = batch.messages[0]
        got.append([name_of(batch), batch.queue, name_of(batch.messages), name_of(message), message.body, env, ctx])
        got.append([message.ack(), message.retry({"delaySeconds": 5}), message.retry(delaySeconds=6), batch.ackAll()])
        return "queued"

    async def tail(self, events, env, ctx):
        got.append([name_of(events), events, env, ctx])

    async def trace(self, events, env, ctx):
        got.append(["trace", events, env, ctx])

    def test(self):
        got.append("test")
