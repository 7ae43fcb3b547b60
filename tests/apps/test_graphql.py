"""POST and GET /graphql, in the running application."""

import json
from urllib.parse import urlencode

import pytest
from conftest import Caller

from pyworkers.clock import ManualClock

JSON_TYPE = "application/json"
GRAPHQL_TYPE = "application/graphql-response+json"
T0 = 1_760_000_000_000  # 2025-10-09T08:53:20Z


@pytest.fixture
def start_ms():
    return 1_700_000_000_000


@pytest.fixture
def clock(start_ms):
    return ManualClock(start_ms / 1000)


@pytest.fixture
def worker(worker, account):
    return Caller(worker, account)


async def ask(worker, query, variables=None, *, accept=GRAPHQL_TYPE, **fields):
    body = json.dumps({"query": query, "variables": variables, **fields})
    headers = {"content-type": JSON_TYPE, "accept": accept}
    response = await worker.fetch("/graphql", method="POST", body=body, headers=headers)
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    return response.status, await response.json()


async def data(worker, query, variables=None):
    status, body = await ask(worker, query, variables)
    assert (status, body.get("errors")) == (200, None)
    return body["data"]


async def record(worker, *events):
    response = await worker.fetch("/events", method="POST", body=json.dumps(events))
    assert (await response.json())["failures"] == []


EVENTS = [
    {"id": "1", "event": "view", "sessionId": "s1", "userId": "u1", "timestamp": T0, "component": "Page"},
    {"id": "2", "event": "click", "sessionId": "s1", "userId": "u1", "timestamp": T0 + 1, "data": {"x": [1, None]}},
    {"id": "3", "event": "view", "sessionId": "s2", "userId": "u2", "timestamp": T0 + 86_400_000, "component": "Page"},
    {"id": "4", "event": "view", "sessionId": "s3", "timestamp": T0 + 86_400_001},
]


async def test_version_and_health(worker, clock):
    found = await data(worker, "{ version health { status timestamp checks { binding ok error } } }")
    assert found["version"] == "v1"
    assert found["health"]["status"] == "healthy"
    assert found["health"]["timestamp"] == clock.now_ms()
    assert {"binding": "STREAMING", "ok": True, "error": None} in found["health"]["checks"]


async def test_an_event_has_all_it_was_sent_with(worker):
    await record(worker, EVENTS[1])
    fields = "id type event component data properties metadata userId sessionId timestamp"
    assert await data(worker, f'{{ event(id: "2") {{ {fields} }} none: event(id: "9") {{ id }} }}') == {
        "event": {
            "id": "2",
            "type": "click",
            "event": "click",
            "component": None,
            "data": {"x": [1, None]},
            "properties": {"x": [1, None]},
            "metadata": None,
            "userId": "u1",
            "sessionId": "s1",
            "timestamp": T0 + 1,
        },
        "none": None,
    }


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ("", "4321"),
        ("(limit: 2)", "43"),
        ("(limit: 2, offset: 1)", "32"),
        ('(type: "view")', "431"),
        ('(component: "Page", userId: "u1")', "1"),
        ('(sessionId: "s1")', "21"),
        (f"(filter: {{from: {T0 + 1}, to: {T0 + 86_400_000}}})", "32"),
        ('(filter: {type: "click"})', "2"),
        ("(type: \"x' OR '1'='1\")", ""),
    ],
)
async def test_events_are_listed_newest_first_and_narrowed(worker, arguments, ids):
    await record(worker, *EVENTS)
    found = await data(worker, f"{{ events{arguments} {{ id }} }}")
    assert "".join(event["id"] for event in found["events"]) == ids


@pytest.mark.parametrize("start_ms", [T0 + 30 * 86_400_000])
async def test_counts_and_shorthands(worker, clock):
    now = clock.now_ms()
    await record(worker, *EVENTS, {"event": "view", "userId": "u1", "component": "Nav", "timestamp": now})
    query = """{ all: eventCount  views: eventCount(type: "view")  recent: eventCount(period: "24h")
      userEvents(userId: "u1", limit: 1) { component }  componentEvents(componentId: "Page") { id } }"""
    assert await data(worker, query) == {
        "all": 5,
        "views": 4,
        "recent": 1,
        "userEvents": [{"component": "Nav"}],
        "componentEvents": [{"id": "3"}, {"id": "1"}],
    }


# What @inference-ui/js and @inference-ui/node send.
SDK_ANALYTICS = """query QueryAnalytics($userId: ID, $startDate: Int!, $endDate: Int!, $metrics: [String!],
  $groupBy: String) { analytics(userId: $userId, startDate: $startDate, endDate: $endDate, metrics: $metrics,
  groupBy: $groupBy) { metrics breakdown } }"""


async def test_analytics_as_the_published_clients_ask(worker):
    await record(worker, *EVENTS)
    span = {"startDate": T0, "endDate": T0 + 86_400_000}
    assert (await data(worker, SDK_ANALYTICS, span))["analytics"] == {
        "metrics": {"events": 3, "users": 2, "sessions": 2, "eventsPerSession": 1.5},
        "breakdown": None,
    }
    asked = {**span, "userId": "u1", "metrics": ["events"], "groupBy": "event"}
    assert (await data(worker, SDK_ANALYTICS, asked))["analytics"] == {
        "metrics": {"events": 2},
        "breakdown": [{"key": "click", "value": 1}, {"key": "view", "value": 1}],
    }
    days = {"startDate": 0, "endDate": 2 * T0, "metrics": [], "groupBy": "day"}
    assert (await data(worker, SDK_ANALYTICS, days))["analytics"] == {
        "metrics": {},
        "breakdown": [{"key": "2025-10-09", "value": 2}, {"key": "2025-10-10", "value": 2}],
    }
    nothing = {"startDate": 1, "endDate": 2}
    assert (await data(worker, SDK_ANALYTICS, nothing))["analytics"]["metrics"] == {
        "events": 0,
        "users": 0,
        "sessions": 0,
        "eventsPerSession": 0,
    }


@pytest.mark.parametrize(
    ("period", "keys"),
    [
        ("hour", ["2025-10-09T08:00:00Z", "2025-10-12T08:00:00Z", "2025-10-13T08:00:00Z"]),
        ("day", ["2025-10-09", "2025-10-12", "2025-10-13"]),
        ("week", ["2025-10-06", "2025-10-13"]),
        ("month", ["2025-10"]),
    ],
)
async def test_analytics_by_period(worker, period, keys):
    days = 86_400_000
    times = (T0, T0 + 3 * days, T0 + 4 * days)  # a Thursday, the Sunday and the Monday after it
    await record(worker, *({"event": "a", "timestamp": time} for time in times))
    asked = {"startDate": 0, "endDate": 2 * T0, "metrics": [], "groupBy": period}
    found = (await data(worker, SDK_ANALYTICS, asked))["analytics"]["breakdown"]
    assert [group["key"] for group in found] == keys
    assert sum(group["value"] for group in found) == 3


async def test_flows_as_the_published_clients_use_them(worker, clock):
    create = """mutation CreateFlow($name: String!, $steps: JSON!) {
      createFlow(input: {name: $name, steps: $steps}) { id userId name steps createdAt updatedAt } }"""
    steps = [{"id": "a", "component": "Form", "next": None}]
    created = (await data(worker, create, {"name": "Sign-up", "steps": steps}))["createFlow"]
    when = created["createdAt"]
    assert created == {
        "id": created["id"],
        "userId": "user-acme",
        "name": "Sign-up",
        "steps": steps,
        "createdAt": when,
        "updatedAt": when,
    }
    assert when.endswith("Z")
    query = "query Flow($id: ID!) { flow(id: $id) { name } flows { id } }"
    found = await data(worker, query, {"id": created["id"]})
    assert found == {"flow": {"name": "Sign-up"}, "flows": [{"id": created["id"]}]}
    delete = "mutation DeleteFlow($id: ID!) { deleteFlow(id: $id) { success } }"
    assert await data(worker, delete, {"id": created["id"]}) == {"deleteFlow": {"success": True}}
    assert await data(worker, delete, {"id": created["id"]}) == {"deleteFlow": {"success": False}}
    assert await data(worker, query, {"id": created["id"]}) == {"flow": None, "flows": []}


async def test_events_are_recorded_by_mutation(worker, env):
    mutation = """mutation($events: [EventInput!]!) { recordEvents(events: $events) {
      processed errors duplicates failures { index id field message } } trackEvent(input: {event: "c"}) }"""
    events = [{"id": "1", "event": "a", "timestamp": T0}, {"id": "1", "event": "a"}, {"event": ""}]
    assert await data(worker, mutation, {"events": events}) == {
        "recordEvents": {
            "processed": 2,
            "errors": 1,
            "duplicates": 1,
            "failures": [{"index": 2, "id": None, "field": "event", "message": "event is required"}],
        },
        "trackEvent": True,
    }
    assert (await env.DB.prepare("SELECT count(*) AS n FROM events").first())["n"] == 2


async def test_ai_usage_is_empty_before_the_first_generation(worker):
    assert await data(worker, "{ aiUsage { model } }") == {"aiUsage": []}


# -- GraphQL over HTTP


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_query_by_get_is_one_by_post(worker, method):
    query = "query A { version } query B($x: String) { eventCount(type: $x) }"
    fields = {"query": query, "operationName": "B", "variables": {"x": "none"}}
    if method == "GET":
        url = "/graphql?" + urlencode({**fields, "variables": json.dumps(fields["variables"])})
        response = await worker.fetch(url)
    else:
        headers = {"content-type": "application/json; charset=utf-8"}
        response = await worker.fetch("/api/graphql", method="POST", body=json.dumps(fields), headers=headers)
    assert (response.status, response.headers["content-type"]) == (200, f"{JSON_TYPE}; charset=utf-8")
    assert await response.json() == {"data": {"eventCount": 0}}


async def test_a_mutation_by_get_is_refused(worker):
    url = "/graphql?" + urlencode({"query": 'mutation { trackEvent(input: {event: "a"}) }'})
    response = await worker.fetch(url)
    assert (response.status, response.headers["allow"]) == (405, "POST")
    assert await response.json() == {"errors": [{"message": "Mutations are sent by POST"}]}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("{}", 400, "Missing query parameter"),
        ("", 400, "Invalid request: body must be JSON, it is empty"),
        ('{"extensions": {}}', 400, "Missing query parameter"),
        ("[]", 400, "Batched requests are not supported; send one operation a request"),
        ("1", 400, "The body must be a JSON object"),
        ('{"query": 1}', 400, '"query" must be a string'),
        ('{"query": "{ version }", "variables": []}', 400, '"variables" must be an object'),
        ('{"query": "{ version }", "operationName": 1}', 400, '"operationName" must be a string'),
        ('{"query": "{ version }", "extensions": 1}', 400, '"extensions" must be an object'),
    ],
)
@pytest.mark.parametrize("accept", [JSON_TYPE, GRAPHQL_TYPE])
async def test_what_is_no_graphql_request(worker, accept, body, status, message):
    headers = {"content-type": JSON_TYPE, "accept": accept}
    response = await worker.fetch("/graphql", method="POST", body=body, headers=headers)
    assert (response.status, await response.json()) == (status, {"errors": [{"message": message}]})


@pytest.mark.parametrize("media_type", ["application/xml", "text/plain", None])
async def test_another_content_type_is_refused(worker, media_type):
    headers = {} if media_type is None else {"content-type": media_type}
    response = await worker.fetch("/graphql", method="POST", body=b"{}", headers=headers)
    message = f"Unsupported content type: {media_type or 'none'}; send application/json"
    assert (response.status, await response.json()) == (415, {"errors": [{"message": message}]})


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("{", None, "Syntax Error: Expected Name, found <EOF>."),
        ("{ nope }", None, "Cannot query field 'nope' on type 'Query'."),
        ("{ " + "a " * 5001 + "}", None, "Syntax Error: Document contains more than 5000 tokens. Parsing aborted."),
        (SDK_ANALYTICS, {"startDate": "x", "endDate": 1}, None),
    ],
)
async def test_what_cannot_be_executed_is_400_for_new_clients_and_200_for_old(worker, query, variables, message):
    status, body = await ask(worker, query, variables)
    assert (status, "data" in body) == (400, False)
    assert message is None or body["errors"][0]["message"] == message
    assert (await ask(worker, query, variables, accept=JSON_TYPE)) == (200, body)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ events(limit: 1001) { id } }", "limit must be from 0 to 1000"),
        ("{ events(offset: -1) { id } }", "offset must not be negative"),
        (
            '{ eventCount(period: "1y") }',
            'period must be a number of hours, days or weeks, such as "24h" or "7d", not "1y"',
        ),
        (
            '{ analytics(startDate: 1, endDate: 2, groupBy: "x; --") { metrics } }',
            'Cannot group by "x; --"; known are event, component, user, session, hour, day, week, month',
        ),
        ("{ analytics(startDate: 2, endDate: 1) { metrics } }", "endDate must not be before startDate"),
        ('mutation { createFlow(input: {name: " ", steps: []}) { id } }', "name must have 1 to 256 characters"),
        ('mutation { createFlow(input: {name: "a", steps: 1}) { id } }', "steps must be a list"),
        ('mutation { trackEvent(input: {event: ""}) }', "event is required"),
    ],
)
async def test_a_wrong_argument_is_explained(worker, query, message):
    status, body = await ask(worker, query)
    error = body["errors"][0]
    assert (status, error["message"], error["extensions"]) == (200, message, {"code": "BAD_USER_INPUT"})


async def test_an_argument_of_null_is_one_that_is_left_out(worker):
    await record(worker, *EVENTS)
    fields = """events(limit: null, offset: null) { id } userEvents(userId: "u1", limit: null) { id }
      componentEvents(componentId: "Page", limit: null) { id } flows(limit: null, offset: null) { id }
      analytics(startDate: 0, endDate: 9000000000000, metrics: [], groupBy: null) { metrics breakdown }"""
    assert await data(worker, f"{{ {fields} }}") == {
        "events": [{"id": "4"}, {"id": "3"}, {"id": "2"}, {"id": "1"}],
        "userEvents": [{"id": "2"}, {"id": "1"}],
        "componentEvents": [{"id": "3"}, {"id": "1"}],
        "flows": [],
        "analytics": {"metrics": {}, "breakdown": None},
    }
    config = "{enabled: true, models: null, features: null}"
    made = f'createFlow(input: {{name: "f", steps: [], aiConfig: {config}}}) {{ aiConfig {{ models features }} }}'
    assert await data(worker, f"mutation {{ {made} }}") == {"createFlow": {"aiConfig": {"models": [], "features": []}}}


@pytest.mark.parametrize("query", ["query ($n: Int = 1000) { %s }", "query ($n: Int) { %s }"])
async def test_what_a_variable_is_when_it_is_left_out_counts_for_the_cost(worker, query):
    fields = " ".join(f"a{place}: events(limit: $n) {{ id event sessionId }}" for place in range(80))
    status, body = await ask(worker, query % fields)
    costs = {"query ($n: Int = 1000) { %s }": 280_000, "query ($n: Int) { %s }": 52_000}
    assert (status, body["errors"][0]["message"]) == (
        400,
        f"The operation would cost {costs[query]}; at most 50000. Ask for less at a time.",
    )


async def test_reports_are_made_listed_downloaded_and_deleted(worker):
    await record(worker, {"event": "a"})
    create = 'createReport(input: {type: "events", format: CSV, name: "n"}) { id name type format sizeBytes }'
    made = (await data(worker, f"mutation {{ {create} }}"))["createReport"]
    assert made == {"id": made["id"], "name": "n", "type": "events", "format": "csv", "sizeBytes": 63}
    assert await data(worker, f'{{ reports {{ id }} report(id: "{made["id"]}") {{ name }} }}') == {
        "reports": [{"id": made["id"]}],
        "report": {"name": "n"},
    }
    response = await worker.fetch(f"/v1/reports/{made['id']}")
    assert (response.status, response.headers["content-type"], await response.text()) == (
        200,
        "text/csv; charset=utf-8",
        "totalEvents,uniqueSessions,uniqueUsers,event,count\r\n1,1,1,a,1\r\n",
    )
    assert response.headers["content-disposition"] == f'attachment; filename="events-{made["id"]}.csv"'
    assert await data(worker, f'mutation {{ deleteReport(id: "{made["id"]}") }}') == {"deleteReport": True}
    assert (await worker.fetch(f"/reports/{made['id']}")).status == 404


async def test_dead_letters_and_summaries_are_seen(worker):
    await worker.other("inference-ui-events").ingestEvents("x")  # its tables
    await record(worker, {"event": "page_view", "id": "1"})
    await worker.other("inference-ui-events").maintain(worker.account.tenant_id)
    fields = """eventSummaries(timeRange: {start: "2023-11-14", end: "2023-11-14"}) { date event totalEvents
        sentiments { neutral } } eventPipeline { events pending pendingDays deadLetters } deadLetters { id }"""
    assert await data(worker, f"{{ {fields} }}") == {
        "eventSummaries": [
            {"date": "2023-11-14", "event": "page_view", "totalEvents": 1, "sentiments": {"neutral": 1}}
        ],
        "eventPipeline": {"events": 1, "pending": 0, "pendingDays": 0, "deadLetters": 0},
        "deadLetters": [],
    }
    both = "retryDeadLetters { retried } deleteDeadLetters(ids: null) { deleted }"
    assert await data(worker, f"mutation {{ {both} }}") == {
        "retryDeadLetters": {"retried": 0},
        "deleteDeadLetters": {"deleted": 0},
    }


async def test_an_error_of_the_server_keeps_its_text_to_itself(worker, env, capfd):
    await data(worker, "{ eventCount }")
    await env.DB.prepare("DROP TABLE events").run()
    status, body = await ask(worker, "{ version eventCount }")
    assert (status, body["data"]) == (200, None)
    assert body["errors"] == [
        {
            "message": "Internal server error",
            "locations": [{"line": 1, "column": 11}],
            "path": ["eventCount"],
            "extensions": {"code": "INTERNAL_SERVER_ERROR"},
        }
    ]


async def test_introspection_names_the_int_that_takes_milliseconds(worker):
    found = await data(worker, '{ __type(name: "Int") { kind name } __schema { queryType { name } } }')
    assert found == {"__type": {"kind": "SCALAR", "name": "Int"}, "__schema": {"queryType": {"name": "Query"}}}
