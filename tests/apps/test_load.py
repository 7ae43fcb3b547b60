"""Many clients of every kind at once: no request fails, and the server's memory stays what it was.

Ten seconds by default, longer where 1,600 requests take longer; `make nightly` takes five minutes. PYWORKERS_LOAD_S
sets the seconds.
"""

import asyncio
import json
import os
import random
import re
import sys
import time
from collections import Counter, deque
from pathlib import Path

import httpx
import pytest

sys.path.append(str(Path(__file__).parents[1] / "clients"))

from application_server import KEY, running_application

DURATION_S = float(os.environ.get("PYWORKERS_LOAD_S", "10"))
CLIENTS = 64
# Requests until caches, pools and pages are as large as they become, and how many there are at least: on a machine that
# has little time for them too. A long run is warm after a third of its time: databases have large caches to fill.
WARM = 800
WARM_S = DURATION_S / 3
LEAST = 1_600
MAX_GROWTH_MB = 32
MOST_FAILURES = 20
JSON = {"content-type": "application/json"}


async def health(client, _chosen):
    answer = await client.get("/health")
    return (answer.status_code, answer.json()["status"]) == (200, "healthy")


async def events(client, chosen):
    batch = [
        {"event": chosen.choice(("screen_view", "button_press", "form_submit")), "sessionId": f"s{chosen.randrange(9)}"}
        for _ in range(10)
    ]
    answer = await client.post("/events", json=batch)
    body = answer.json()
    return (answer.status_code, body["processed"], body["errors"], body["duplicates"]) == (200, 10, 0, 0)


async def graphql(client, _chosen):
    answer = await client.post("/v1/graphql", json={"query": "{ me { tier } eventCount events(limit: 3) { id } }"})
    body = answer.json()
    return answer.status_code == 200 and "errors" not in body and body["data"]["me"]["tier"] == "ENTERPRISE"


async def metrics(client, _chosen):
    query = '{ sessionMetrics(timeRange: {start: "2020-01-01", end: "2040-01-01"}) { totalSessions } }'
    answer = await client.get("/graphql", params={"query": query})
    return answer.status_code == 200 and "errors" not in answer.json()


async def chat(client, chosen):
    messages = [{"role": "user", "content": f"Say {chosen.randrange(50)}"}]
    body = {"messages": messages, "maxTokens": 16, "temperature": chosen.choice((0, 1))}
    answer = await client.post("/stream/chat", json=body)
    return answer.status_code == 200 and answer.text.endswith("data: [DONE]\n\n")


async def chat_that_is_left(client, _chosen):
    body = {"messages": [{"role": "user", "content": "Go on"}], "maxTokens": 200, "cache": False}
    async with client.stream("POST", "/stream/chat", json=body) as answer:
        return answer.status_code == 200 and "message-start" in await anext(answer.aiter_text())


async def live(client, _chosen):
    async with client.stream("GET", "/live") as answer:
        return answer.status_code == 200 and "event: snapshot" in await anext(answer.aiter_text())


async def assets(client, chosen):
    name, content = f"/assets/load-{chosen.randrange(20)}-{id(chosen)}", chosen.randbytes(5_000)
    stored = await client.put(name, content=content)
    found = await client.get(name, headers={"range": "bytes=100-199"})
    return stored.status_code < 300 and (found.status_code, found.content) == (206, content[100:200])


async def mistakes(client, _chosen):
    wrong = await client.post("/events", content=b"{", headers=JSON)
    missing = await client.get("/nothing")
    return (wrong.status_code, missing.status_code) == (400, 404)


MIX = {health: 8, events: 8, graphql: 5, metrics: 2, chat: 3, chat_that_is_left: 1, live: 1, assets: 2, mistakes: 2}


async def one_client(url, number, ends_s, done, failures):
    """Send requests, one after the other, until it is time and there were enough, or many failed."""
    chosen = random.Random(number)
    headers, answers = {"authorization": f"Bearer {KEY}"}, deque(maxlen=1)

    async def note(answer):
        answers.append(answer)

    options = {"timeout": 300, "trust_env": False, "event_hooks": {"response": [note]}}
    async with httpx.AsyncClient(base_url=url, headers=headers, **options) as client:
        while (time.monotonic() < ends_s or done.total() < LEAST) and len(failures) < MOST_FAILURES:
            (request,) = chosen.choices(list(MIX), list(MIX.values()))
            try:
                is_right = await request(client, chosen)
            except (httpx.HTTPError, json.JSONDecodeError, KeyError, StopAsyncIteration) as error:
                failures.append(f"{request.__name__}: {error!r}")
                continue
            done[request.__name__] += 1
            if not is_right:
                failures.append(f"{request.__name__}: {described(answers[-1])}")


def described(answer):
    """The status, and the text where there is one."""
    try:
        return f"{answer.status_code} {answer.text[:500]}"
    except httpx.StreamError:
        return str(answer.status_code)


def memory_mb(pid):
    """The resident memory but for pages of files: those come and go as the machine has room."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


async def load(application):
    """Return what was done, what failed, and the memory when warm and at the end."""
    started_s = time.monotonic()
    done, failures, pid = Counter(), [], application.dev.process.pid
    clients = [
        asyncio.create_task(one_client(application.url, number, started_s + DURATION_S, done, failures))
        for number in range(CLIENTS)
    ]
    pending = set(clients)
    while pending and (done.total() < WARM or time.monotonic() < started_s + WARM_S):
        _, pending = await asyncio.wait(pending, timeout=0.01)
    assert application.dev.process.poll() is None, application.dev.text
    warm_mb = memory_mb(pid)
    await asyncio.gather(*clients)
    assert application.dev.process.poll() is None, application.dev.text
    return done, failures, warm_mb, memory_mb(pid)


@pytest.mark.slow
@pytest.mark.timeout(DURATION_S + 1_200)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the server's memory from /proc")
def test_no_request_of_64_clients_fails_and_memory_stays(tmp_path):
    with running_application(tmp_path / "app") as application:
        done, failures, warm_mb, end_mb = asyncio.run(load(application))
    took = f"{done.total()} requests, {warm_mb:.0f} MB when warm, {end_mb:.0f} MB at the end: {dict(done)}"
    print(took)
    assert failures == []
    assert {*done} == {request.__name__ for request in MIX}
    assert end_mb - warm_mb <= MAX_GROWTH_MB, took
    assert "Traceback" not in application.dev.text
