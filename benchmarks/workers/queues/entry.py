"""Sends to a queue and consumes it; times its own sends."""

import time

from workers import Response, WorkerEntrypoint

seen = 0


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("unused")

    async def send(self, count):
        queue = self.env.JOBS
        started_s = time.thread_time()
        for number in range(count):
            await queue.send({"number": number})
        return (time.thread_time() - started_s) / count

    async def fill(self, count):
        messages = [{"body": {"number": number}} for number in range(100)]
        for _ in range(count // 100):
            await self.env.JOBS.sendBatch(messages)

    async def seen(self):
        return seen

    async def queue(self, batch, env, ctx):
        global seen
        for message in batch.messages:
            seen += message.body["number"] >= 0
