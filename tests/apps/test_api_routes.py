"""The API worker's own routes, in the running application."""

import json

import pytest

CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": (
        "Content-Type, Content-Length, Content-Range, ETag, Retry-After, RateLimit, RateLimit-Policy, "
        "WWW-Authenticate, X-Request-Id, X-Inference-Cache, X-Inference-Model, X-Vercel-AI-UI-Message-Stream, "
        "X-Vercel-AI-Data-Stream"
    ),
}


def cors(response):
    return {name: response.headers[name] for name in CORS}


async def test_index(worker):
    response = await worker.fetch("/")
    assert (response.status, response.headers["content-type"], cors(response)) == (200, "application/json", CORS)
    assert await response.json() == {
        "name": "Inference UI API",
        "version": "v1",
        "architecture": "service-bindings",
        "endpoints": {
            "graphql": "/graphql",
            "events": "/events",
            "streamChat": "/stream/chat (→ streaming worker)",
            "streamCompletion": "/stream/completion (→ streaming worker)",
            "streamObject": "/stream/object (→ streaming worker)",
            "health": "/health",
        },
    }


async def test_health_uses_every_binding(worker, clock):
    response = await worker.fetch("/health")
    found = await response.json()
    assert {name: check["ok"] for name, check in found["checks"].items()} == dict.fromkeys(
        ("DB", "KV", "STORAGE", "ANALYTICS", "EVENT_QUEUE", "STREAMING", "METRICS", "EVENTS"), True
    )
    assert (response.status, found["status"], found["version"]) == (200, "healthy", "v1")
    assert found["timestamp"] == clock.now_ms()
    assert cors(response) == CORS


async def test_a_look_at_the_health_is_no_stream(worker):
    await worker.fetch("/health")
    events = worker.other("inference-ui-streaming").isolate.metrics.events
    assert {kind: calls.calls for kind, calls in events.items() if calls.calls} == {"rpc": 1}


async def test_health_of_the_streaming_worker(worker):
    response = await worker.other("inference-ui-streaming").fetch("/health")
    found = await response.json()
    assert (response.status, found["status"], found["worker"]) == (200, "healthy", "streaming")
    assert sorted(found["checks"]) == ["AI", "ANALYTICS", "DB", "KV"]


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
async def test_the_index_has_a_version_too(worker, path):
    response = await worker.fetch(path)
    assert (response.status, (await response.json())["name"]) == (200, "Inference UI API")


async def test_head_is_get_without_a_body(worker):
    response = await worker.fetch("/", method="HEAD")
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    assert await response.text() == ""


@pytest.mark.parametrize("path", ["/", "/graphql", "/events", "/stream/chat", "/nothing"])
async def test_preflight_allows_what_is_asked_for(worker, path):
    asked = {"access-control-request-headers": "authorization,x-company-id", "origin": "https://app.example"}
    response = await worker.fetch(path, method="OPTIONS", headers=asked)
    assert (response.status, await response.text(), cors(response)) == (200, "", CORS)
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, DELETE, OPTIONS"
    assert response.headers["x-request-id"]
    assert response.headers["access-control-allow-headers"] == "authorization,x-company-id"


@pytest.mark.parametrize(
    ("method", "path", "status", "error", "allow"),
    [
        ("GET", "/nothing", 404, "Not found: /nothing", None),
        ("POST", "/", 404, "Not found: /", None),
        ("POST", "/health", 404, "Not found: /health", None),
        ("GET", "/events", 405, "Method not allowed. Use POST.", "POST, OPTIONS"),
        ("DELETE", "/graphql", 405, "Method not allowed. Use GET or POST.", "GET, POST, HEAD, OPTIONS"),
        ("GET", "/stream/chat", 405, "Method not allowed. Use POST.", "POST, OPTIONS"),
        (
            "POST",
            "/stream/nothing",
            404,
            "Not found: /nothing. Available endpoints: /chat, /completion, /object",
            None,
        ),
    ],
)
async def test_errors_are_json_that_every_page_can_read(worker, method, path, status, error, allow):
    response = await worker.fetch(path, method=method)
    assert (response.status, await response.json(), response.headers["allow"]) == (status, {"error": error}, allow)
    assert (response.headers["content-type"], cors(response)) == ("application/json", CORS)


async def rows(env, columns="*"):
    found = await env.DB.prepare(f"SELECT {columns} FROM events ORDER BY timestamp_ms, id").all()
    return [dict(row) for row in found.results]


async def post(worker, body, path="/events"):
    text = body if isinstance(body, str) else json.dumps(body)
    response = await worker.fetch(path, method="POST", body=text, headers={"content-type": "application/json"})
    assert cors(response) == CORS
    return response.status, await response.json()


async def test_events_are_stored(worker, env, clock):
    event = {
        "id": "1-a",
        "event": "button_press",
        "properties": {"component": "Button", "label": "Größe 🚋"},
        "userId": "u",
        "sessionId": "s",
        "timestamp": 1_759_999_999_999,
    }
    assert await post(worker, {"events": [event], "timestamp": 1}) == (
        200,
        {
            "success": True,
            "processed": 1,
            "errors": 0,
            "duplicates": 0,
            "count": 1,
            "failed": 0,
            "failures": [],
            "timestamp": clock.now_ms(),
        },
    )
    assert await rows(env) == [
        {
            "tenant_id": "anonymous",
            "id": "1-a",
            "event": "button_press",
            "component": "Button",
            "properties": '{"component":"Button","label":"Größe 🚋"}',
            "metadata": None,
            "user_id": "u",
            "session_id": "s",
            "timestamp_ms": 1_759_999_999_999,
            "created_at_ms": clock.now_ms(),
            "intent": None,
            "sentiment": None,
            "enriched_at_ms": None,
        }
    ]


@pytest.mark.parametrize("path", ["/events", "/api/events", "/events/ingest"])
async def test_the_paths_of_events(worker, env, path):
    assert (await post(worker, {"event": "a"}, path))[0] == 200
    assert [row["event"] for row in await rows(env)] == ["a"]


async def test_an_event_that_comes_again_is_stored_once(worker, env):
    first = {"id": "1", "event": "a", "sessionId": "s", "timestamp": 1}
    second = {"id": "2", "event": "b", "sessionId": "s", "timestamp": 2}
    assert (await post(worker, [first]))[1]["duplicates"] == 0
    status, answer = await post(worker, [{**first, "event": "changed"}, second, second])
    assert (status, answer["processed"], answer["duplicates"], answer["errors"]) == (200, 3, 2, 0)
    assert await rows(env, "id, event") == [{"id": "1", "event": "a"}, {"id": "2", "event": "b"}]


async def test_a_wrong_event_is_named_and_the_others_are_stored(worker, env):
    status, answer = await post(worker, [{"event": "a", "id": "1"}, {"id": "2"}, {"event": "b", "timestamp": "x"}])
    assert (status, answer["processed"], answer["errors"], answer["success"]) == (200, 1, 2, False)
    assert answer["failures"] == [
        {"index": 1, "id": "2", "field": "event", "message": "event is required"},
        {
            "index": 2,
            "id": None,
            "field": "timestamp",
            "message": "timestamp must be milliseconds since the epoch or an ISO 8601 time",
        },
    ]
    assert await rows(env, "id") == [{"id": "1"}]


async def test_a_thousand_events_in_one_request(worker, env):
    events = [{"id": str(number), "event": "a", "data": {"text": "x" * 3000}} for number in range(1000)]
    status, answer = await post(worker, events)
    assert (status, answer["processed"], answer["duplicates"]) == (200, 1000, 0)
    assert (await env.DB.prepare("SELECT count(*) AS n FROM events").first())["n"] == 1000
    assert (await post(worker, [*events, {"event": "a"}]))[0] == 413


@pytest.mark.parametrize(
    ("body", "status", "error", "field"),
    [
        ("", 400, "Invalid request: body must be JSON, it is empty", "body"),
        ("null", 400, "Invalid request: body must be an event or an array of events", "body"),
        ('{"events":1}', 400, "Invalid request: events must be an array", "events"),
    ],
)
async def test_a_body_that_holds_no_events(worker, body, status, error, field):
    assert await post(worker, body) == (status, {"error": error, "field": field})


async def test_two_first_requests_at_once_both_find_the_tables(worker, env):
    import asyncio

    answers = await asyncio.gather(*(post(worker, {"event": "a", "id": str(number)}) for number in range(5)))
    assert [status for status, _ in answers] == [200] * 5
    assert len(await rows(env, "id")) == 5


async def test_migrations_are_noted_as_wrangler_notes_them(worker, env):
    await post(worker, {"event": "a"})
    found = await env.DB.prepare("SELECT id, name FROM d1_migrations").all()
    assert [dict(row) for row in found.results] == [
        {"id": 1, "name": "0001_events_and_flows.sql"},
        {"id": 2, "name": "0002_accounts.sql"},
        {"id": 3, "name": "0003_sessions_and_enrichment.sql"},
        {"id": 4, "name": "0004_indexes.sql"},
    ]
