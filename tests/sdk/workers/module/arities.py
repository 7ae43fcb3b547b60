"""Module style: handlers are functions of the module."""

from workers import Response


def name_of(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"


async def fetch(request, env, ctx):
    return Response(" ".join([name_of(request), name_of(env), name_of(ctx), env.COLOR]))


async def scheduled(controller, env, ctx):
    print(name_of(controller), controller.cron, controller.scheduledTime, name_of(env), name_of(ctx))


async def queue(batch, env):
    return [name_of(batch), batch.queue, [message.body for message in batch.messages], name_of(env)]


def tail(events):
    return [name_of(events), events]


def test(controller):
    return controller
