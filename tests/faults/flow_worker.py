"""The worker whose workflow is killed: every step leaves a line in a file, so that a second time would show."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

STEPS = 4
LINES = Path("lines.txt")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        _, kind, name = urlsplit(request.url).path.split("/")
        if kind == "create":
            await self.env.WF.create({"id": name, "params": {"steps": STEPS}})
            return Response("created")
        instance = await self.env.WF.get(name)
        if kind == "send":
            await instance.send_event({"type": "go", "payload": name})
            return Response("sent")
        status = await instance.status()
        return Response(json.dumps({"status": status["status"], "done": status["__LOCAL_DEV_STEP_OUTPUTS"]}))


def note(name, number):
    with LINES.open("a") as file:
        file.write(f"{name} {number}\n")


def make_step(step, name, number):
    @step.do(f"step {number}", config={"retries": {"limit": 0, "delay": 1}})
    async def one():
        note(name, number)
        await asyncio.sleep(0.01)
        return number

    return one


class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        done = []
        for number in range(event["payload"]["steps"]):
            done.append(await make_step(step, event["instanceId"], number)())
            await step.sleep(f"sleep {number}", 5)
        answer = await step.wait_for_event("answer", "go")
        return [*done, answer["payload"]]
