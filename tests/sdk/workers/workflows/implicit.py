"""Workflows whose steps name what they depend on as parameters (from 2026-02-25)."""

import asyncio
import datetime

from workers.workflows import NonRetryableError

from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

ran = []


class Default(WorkerEntrypoint):
    async def fetch(self):
        return Response("workflows")


class Graph(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("first")
        async def one():
            ran.append("one")
            return {"n": event.payload.start}

        @step.do()
        async def second(first):
            ran.append("second")
            return first["n"] + 1

        @step.do(name="third", concurrent=True)
        def whatever(second, ctx, first):
            ran.append("third")
            return [second, first["n"], ctx]

        return await whatever()


class Shared(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do()
        async def base():
            ran.append("base")
            await asyncio.sleep(0)
            return 1

        @step.do()
        async def left(base):
            return base + 1

        @step.do()
        async def right(base):
            return base + 2

        @step.do(concurrent=True)
        async def both(left, right):
            return left + right

        return [await both(), await base()]


class Unknown(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do()
        async def needs(missing):
            pass

        return await needs()


class Configured(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("careful", config={"retries": {"limit": 2, "delay": "1 second"}, "timeout": "5 minutes"})
        async def careful(ctx):
            return ctx.attempt

        return await careful()


class Sleeping(WorkflowEntrypoint):
    async def run(self, event, step):
        await step.sleep("nap", "10 seconds")
        await step.sleep_until("date", datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC))
        await step.sleep_until("text", "2030-01-01")
        first = await step.wait_for_event("approval", "approve")
        second = await step.wait_for_event("other", "deny", timeout="1 hour")
        return [first, type(first).__name__, second.payload]


class Failing(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do()
        async def fails():
            raise {"value": ValueError, "type": TypeError, "key": KeyError, "stop": NonRetryableError}[event.payload](
                "the reason: x"
            )

        try:
            await fails()
        except Exception as error:
            return [f"{type(error).__module__}.{type(error).__qualname__}", str(error).splitlines()[-1]]


class Depends(WorkflowEntrypoint):
    async def run(self, event, step):
        step.do("named", depends=[])


class Nothing(WorkflowEntrypoint):
    def run(self, event, step):
        ran.append([type(event).__name__, event.instanceId, event.workflowName])
