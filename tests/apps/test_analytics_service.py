"""The analytics worker as the rest of the application calls it: GraphQL, the cache, reports, the live stream."""

import csv
import io
import json

import pytest
from analytics_app import add_conversions, add_events, make_tables
from pyodide.ffi import JsException

DAY = 86_400_000
NOW = 1_700_000_000_000  # 2023-11-14T22:13:20Z, where the tests' clock begins
RANGE = {"start": "2023-11-14", "end": "2023-11-14"}
QUERY = """query ($range: TimeRangeInput!) {
  eventMetrics(timeRange: $range) { totalEvents uniqueSessions uniqueUsers
    eventsByType { event count } trend { date count } }
  sessionMetrics(timeRange: $range) { totalSessions averageEventsPerSession topFlows { flowId sessionCount } }
  trendAnalysis(metric: EVENTS, timeRange: $range, groupBy: WEEK) { metric groupBy data { timestamp value } }
}"""


@pytest.fixture
def metrics(worker):
    return worker.other("inference-ui-analytics")


async def ask(worker, tenant, method, arguments):
    return await getattr(worker, method)(tenant, arguments)


async def graphql(worker, account, query, **variables):
    body = json.dumps({"query": query, "variables": variables})
    headers = {"content-type": "application/json", **account.headers}
    response = await worker.fetch("/graphql", method="POST", body=body, headers=headers)
    answer = await response.json()
    assert "errors" not in answer, answer
    return answer["data"]


async def post_events(worker, account, *events):
    headers = {"content-type": "application/json", **account.headers}
    response = await worker.fetch("/events", method="POST", body=json.dumps(list(events)), headers=headers)
    assert response.status == 200, await response.text()
    return await response.json()


async def test_metrics_over_graphql(worker, account):
    flow = {"flow": "signup", "step": "mail"}
    await post_events(
        worker,
        account,
        {"event": "page_view", "userId": "u1", "sessionId": "s1"},
        {"event": "flow_step_viewed", "userId": "u1", "sessionId": "s1", "properties": flow},
        {"event": "page_view", "sessionId": "s2"},
    )
    assert await graphql(worker, account, QUERY, range=RANGE) == {
        "eventMetrics": {
            "totalEvents": 3,
            "uniqueSessions": 2,
            "uniqueUsers": 2,
            "eventsByType": [{"event": "page_view", "count": 2}, {"event": "flow_step_viewed", "count": 1}],
            "trend": [{"date": "2023-11-14", "count": 3}],
        },
        "sessionMetrics": {
            "totalSessions": 2,
            "averageEventsPerSession": 1.5,
            "topFlows": [{"flowId": "signup", "sessionCount": 1}],
        },
        "trendAnalysis": {
            "metric": "EVENTS",
            "groupBy": "WEEK",
            "data": [{"timestamp": "2023-W46", "value": 3}],
        },
    }


async def test_funnels_and_conversions_over_graphql(worker, account):
    await post_events(
        worker,
        account,
        {"event": "view", "userId": "u1", "sessionId": "s1", "timestamp": NOW - 2000, "properties": {"source": "ad"}},
        {"event": "buy", "userId": "u1", "sessionId": "s1", "timestamp": NOW - 1000},
        {"event": "view", "userId": "u2", "sessionId": "s2", "timestamp": NOW - 500},
    )
    create = """mutation ($input: CreateFunnelInput!, $conversion: TrackConversionInput!) {
      createFunnel(input: $input) { id steps { name event orderIndex } }
      trackConversion(input: $conversion) { userId value timestamp metadata }
    }"""
    steps = [{"name": "See", "event": "view", "orderIndex": 0}, {"name": "Buy", "event": "buy", "orderIndex": 1}]
    conversion = {"event": "buy", "value": 0, "userId": "u1", "metadata": {"plan": "pro"}}
    made = await graphql(worker, account, create, input={"name": "Shop", "steps": steps}, conversion=conversion)
    assert made["createFunnel"]["steps"] == [
        {"name": step["name"], "event": step["event"], "orderIndex": step["orderIndex"]} for step in steps
    ]
    assert made["trackConversion"] == {"userId": "u1", "value": 0, "timestamp": NOW, "metadata": {"plan": "pro"}}
    query = """query ($id: ID!, $range: TimeRangeInput!) {
      analyzeFunnel(funnelId: $id, timeRange: $range) { totalEntered totalCompleted steps { averageTimeFromStart } }
      funnelInsights(funnelId: $id, timeRange: $range) { conversionRate bottleneckStep }
      conversionSummary(timeRange: $range) { totalConversions totalValue }
      topConvertingPaths(timeRange: $range) { path conversions }
      userFunnels { name }
    }"""
    assert await graphql(worker, account, query, id=made["createFunnel"]["id"], range=RANGE) == {
        "analyzeFunnel": {
            "totalEntered": 2,
            "totalCompleted": 1,
            "steps": [{"averageTimeFromStart": 0}, {"averageTimeFromStart": 1000}],
        },
        "funnelInsights": {"conversionRate": 50, "bottleneckStep": "Buy"},
        "conversionSummary": {"totalConversions": 1, "totalValue": 0},
        "topConvertingPaths": [{"path": "ad → direct", "conversions": 1}],
        "userFunnels": [{"name": "Shop"}],
    }


# ---- The cache


async def get_events(metrics, account):
    arguments = {"type": "events", "timeRange": RANGE}
    answer = await ask(metrics, account.tenant_id, "getAnalytics", arguments)
    return answer["data"]["totalEvents"], answer["cached"]


async def test_results_are_kept_until_events_come(worker, metrics, account):
    await post_events(worker, account, {"event": "a", "id": "1"})
    assert await get_events(metrics, account) == (1, False)
    assert await get_events(metrics, account) == (1, True)
    await post_events(worker, account, {"event": "b", "id": "2"})
    assert await get_events(metrics, account) == (2, False)
    assert await get_events(metrics, account) == (2, True)


async def test_results_are_kept_for_their_time(worker, metrics, account, clock):
    await post_events(worker, account, {"event": "a"})
    await get_events(metrics, account)
    await clock.advance(299)
    assert (await get_events(metrics, account))[1] is True
    await clock.advance(2)
    assert (await get_events(metrics, account))[1] is False


async def test_a_conversion_and_a_call_invalidate(worker, metrics, account):
    await post_events(worker, account, {"event": "a"})
    await get_events(metrics, account)
    await ask(metrics, account.tenant_id, "trackConversion", {"event": "bought"})
    assert (await get_events(metrics, account))[1] is False
    assert (await get_events(metrics, account))[1] is True
    await metrics.invalidate(account.tenant_id)
    assert (await get_events(metrics, account))[1] is False


async def test_a_conversion_is_stored_once_by_its_id(metrics, env):
    await make_tables(env.DB, "api", "analytics")
    for value in (5, 7):
        found = await ask(metrics, "t", "trackConversion", {"id": "c", "event": "bought", "value": value})
        assert found["value"] == 5
    other = await ask(metrics, "other", "trackConversion", {"id": "c", "event": "bought", "value": 7})
    assert other["value"] == 7


# ---- Reports


async def test_reports_as_csv(worker, metrics, account):
    names = ("\n+1", "=1+1", 'a,"b"', "x", "＝1")
    await post_events(worker, account, *[{"event": name, "id": name, "sessionId": "s"} for name in names])
    given = {"name": "Events", "type": "events", "format": "csv", "arguments": {"timeRange": RANGE}}
    report = await ask(metrics, account.tenant_id, "createReport", given)
    assert {name: value for name, value in report.items() if name not in ("id", "sizeBytes")} == {
        "name": "Events",
        "type": "events",
        "format": "csv",
        "contentType": "text/csv; charset=utf-8",
        "arguments": {"timeRange": RANGE},
        "createdAt": "2023-11-14T22:13:20.000Z",
    }
    response = await ask(metrics, account.tenant_id, "downloadReport", {"id": report["id"]})
    text = await response.text()
    assert len(text.encode()) == report["sizeBytes"]
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"totalEvents": "5", "uniqueSessions": "1", "uniqueUsers": "1", "event": name, "count": "1"}
        for name in ("'\n+1", "'=1+1", *names[2:4], "'＝1")
    ]
    assert response.headers["content-disposition"] == f'attachment; filename="events-{report["id"]}.csv"'


async def test_reports_as_json_are_listed_and_deleted(worker, metrics, account, env):
    await post_events(worker, account, {"event": "a"})
    given = {"type": "TREND", "arguments": {"metric": "EVENTS", "timeRange": RANGE}}
    report = await ask(metrics, account.tenant_id, "createReport", given)
    assert (report["name"], report["format"]) == ("trend 2023-11-14T22:13:20.000Z", "json")
    response = await ask(metrics, account.tenant_id, "downloadReport", {"id": report["id"]})
    found = await response.json()
    assert (found["type"], found["data"]["data"]) == ("trend", [{"timestamp": "2023-11-14", "value": 1}])
    assert await ask(metrics, account.tenant_id, "reports", {}) == [report]
    assert await ask(metrics, account.tenant_id, "report", {"id": report["id"]}) == report
    listed = await env.STORAGE.list(prefix=f"tenants/{account.tenant_id}/reports/")
    assert [each.key for each in listed.objects] == [f"tenants/{account.tenant_id}/reports/{report['id']}.json"]
    assert await ask(metrics, account.tenant_id, "deleteReport", {"id": report["id"]}) is True
    assert await ask(metrics, account.tenant_id, "deleteReport", {"id": report["id"]}) is False
    assert list((await env.STORAGE.list()).objects) == []


async def test_a_report_without_a_time_range_is_of_the_last_week(worker, metrics, account):
    await post_events(worker, account, {"event": "a", "timestamp": NOW - 8 * 86_400_000}, {"event": "a"})
    report = await ask(metrics, account.tenant_id, "createReport", {"type": "events"})
    assert report["arguments"] == {
        "timeRange": {"start": "2023-11-07T22:13:20.000Z", "end": "2023-11-14T22:13:20.000Z"}
    }
    response = await ask(metrics, account.tenant_id, "downloadReport", {"id": report["id"]})
    assert (await response.json())["data"]["totalEvents"] == 1


async def test_a_funnel_of_a_flow_that_is_another_tenants_is_refused(worker, metrics, account, env):
    insert = """INSERT INTO flows (tenant_id, id, user_id, name, steps, created_at_ms, updated_at_ms)
        VALUES (?1, ?2, 'u', 'n', '[]', 1, 1)"""
    await make_tables(env.DB, "api", "analytics")
    await env.DB.prepare(insert).bind("other", "theirs").run()
    await env.DB.prepare(insert).bind(account.tenant_id, "ours").run()
    funnel = {"name": "f", "steps": [{"name": "a", "event": "a"}]}
    theirs = ask(metrics, account.tenant_id, "createFunnel", {**funnel, "flowId": "theirs"})
    assert await failure(theirs) == ("RangeError", "Flow not found: theirs")
    made = await ask(metrics, account.tenant_id, "createFunnel", {**funnel, "flowId": "ours"})
    assert made["flowId"] == "ours"


# ---- Live


async def test_the_live_stream(worker, metrics, account):
    await post_events(worker, account, {"event": "a", "id": "1", "sessionId": "s"})
    headers = {"x-inference-ui-tenant": account.tenant_id}
    response = await metrics.fetch("/live?intervalMs=100", headers=headers)
    assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
    reader = response.body.getReader()
    first = (await reader.read()).value.to_bytes().decode()
    retry, number, name, data = first.removesuffix("\n\n").split("\n")
    assert (retry, number, name) == ("retry: 2000", f"id: {NOW}", "event: snapshot")
    assert json.loads(data.removeprefix("data: ")) == {
        "timestamp": NOW,
        "windowMinutes": 5,
        "events": 1,
        "activeSessions": 1,
        "activeUsers": 1,
        "eventsLastMinute": 1,
        "errors": 0,
        "conversions": 0,
        "conversionValue": 0,
        "topEvents": [{"event": "a", "count": 1}],
        "recentEvents": [
            {"id": "1", "event": "a", "component": None, "userId": None, "sessionId": "s", "timestamp": NOW}
        ],
    }
    await post_events(worker, account, {"event": "b", "id": "2"})
    events = []
    while 2 not in events:
        frame = (await reader.read()).value.to_bytes().decode()
        events.append(json.loads(frame.split("data: ")[1])["events"])
    await reader.cancel()


@pytest.mark.parametrize(
    ("path", "headers", "status", "error"),
    [
        ("/live", {}, 401, {"error": "No tenant: this worker is called by the API worker"}),
        (
            "/live?windowMinutes=0",
            {"x-inference-ui-tenant": "t"},
            400,
            {
                "error": "Invalid request: windowMinutes must be a whole number from 1 to 1440",
                "field": "windowMinutes",
            },
        ),
        ("/x", {}, 404, {"error": "Not found: /x. Available endpoints: /live, /health"}),
    ],
)
async def test_what_the_live_stream_refuses(metrics, env, path, headers, status, error):
    await make_tables(env.DB, "api", "analytics")
    response = await metrics.fetch(path, headers=headers)
    assert (response.status, await response.json()) == (status, error)


async def test_health(metrics):
    response = await metrics.fetch("/health")
    found = await response.json()
    assert (response.status, found["status"], sorted(found["checks"])) == (200, "healthy", ["DB", "KV", "STORAGE"])


# ---- Generations


async def test_streaming_metrics(metrics, env):
    await make_tables(env.DB, "api", "analytics", "streaming")
    sql = """INSERT INTO ai_usage (id, tenant_id, endpoint, model, outcome, prompt_tokens, completion_tokens,
      first_token_ms, duration_ms, created_at_ms) VALUES (?1, ?2, 'chat', 'm', ?3, 10, 5, ?4, ?5, ?6)"""
    for place in range(1, 101):
        outcome = "error" if place % 10 == 0 else "done"
        await env.DB.prepare(sql).bind(f"g{place}", "t", outcome, place, place * 10, NOW).run()
    await env.DB.prepare(sql).bind("other", "other", "done", 9999, 9999, NOW).run()
    assert await ask(metrics, "t", "streamingMetrics", {"timeRange": RANGE}) == {
        "requests": 100,
        "errors": 10,
        "cancelled": 0,
        "promptTokens": 1000,
        "completionTokens": 500,
        "errorRate": 0.1,
        "firstTokenMs": {"p50": 50, "p95": 95, "p99": 99},
        "durationMs": {"p50": 500, "p95": 950, "p99": 990},
    }


async def test_streaming_metrics_before_the_first_generation(metrics, env):
    await make_tables(env.DB, "api", "analytics")
    found = await ask(metrics, "t", "streamingMetrics", {"timeRange": RANGE})
    assert (found["requests"], found["firstTokenMs"]) == (0, {"p50": None, "p95": None, "p99": None})


# ---- What is wrong


async def failure(call):
    with pytest.raises(JsException) as caught:
        await call
    return caught.value.name, caught.value.message


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("eventMetrics", {}, "timeRange must be an object"),
        ("eventMetrics", None, "timeRange must be an object"),
        ("eventMetrics", [], "arguments must be an object"),
        (
            "eventMetrics",
            {"timeRange": {"start": "yesterday", "end": "2023-11-14"}},
            "timeRange.start must be an ISO 8601 date or time, or milliseconds since the epoch",
        ),
        (
            "eventMetrics",
            {"timeRange": {"start": "2023-11-15", "end": "2023-11-14"}},
            "timeRange.start must not be after end",
        ),
        ("flowMetrics", {"timeRange": RANGE}, "flowId must be a string, not empty"),
        ("trendAnalysis", {"timeRange": RANGE}, "metric must be one of EVENTS, SESSIONS, FLOWS"),
        (
            "createFunnel",
            {"name": "f", "steps": []},
            "steps must be a list of 1 to 20",
        ),
        (
            "createFunnel",
            {"name": "f", "steps": [{"name": "x"}]},
            "steps[0] must have an event or a component",
        ),
        (
            "createCohort",
            {"name": "c", "criteria": {"type": "CUSTOM", "properties": {"a": []}}},
            "criteria.properties.a must be a string, a number, a boolean or null",
        ),
        ("compareCohorts", {"cohortIds": []}, "cohortIds must be a list of 1 to 20"),
        ("trackConversion", {"event": "x", "value": "1"}, "value must be a number"),
        (
            "createReport",
            {"type": "events", "arguments": {"timeRange": "today"}},
            "arguments.timeRange must be an object",
        ),
        (
            "trackConversion",
            {"event": "x", "value": 1e300},
            "value must be a number from -1000000000000000 to 1000000000000000",
        ),
    ],
)
async def test_a_wrong_argument_is_named(metrics, env, method, arguments, message):
    await make_tables(env.DB, "api", "analytics")
    assert await failure(ask(metrics, "t", method, arguments)) == ("TypeError", message)


@pytest.mark.parametrize("tenant", [None, "", 5, "x" * 257])
async def test_a_call_without_a_tenant(metrics, tenant):
    message = "tenantId must be a string of 1 to 256 characters"
    assert await failure(ask(metrics, tenant, "eventMetrics", {"timeRange": RANGE})) == ("TypeError", message)


async def test_a_definition_that_is_not_there(metrics, env):
    await make_tables(env.DB, "api", "analytics")
    found = await failure(ask(metrics, "t", "analyzeFunnel", {"funnelId": "x", "timeRange": RANGE}))
    assert found == ("RangeError", "Funnel not found: x")
    assert await ask(metrics, "t", "funnel", {"id": "x"}) is None


async def test_a_database_without_the_events(metrics):
    found = await failure(ask(metrics, "t", "eventMetrics", {"timeRange": RANGE}))
    assert found == ("Error", "The database is not ready, apply the migrations of every worker")


async def test_text_of_tenants_is_never_sql(metrics, env):
    await make_tables(env.DB, "api", "analytics")
    evil = "nope' OR '1'='1"
    await add_events(env.DB, "t", [{"event": "a", "user": "u", "t": NOW}])
    steps = [{"name": evil, "event": evil, "component": evil}]
    funnel = await ask(metrics, "t", "createFunnel", {"name": evil, "steps": steps})
    found = await ask(metrics, "t", "analyzeFunnel", {"funnelId": funnel["id"], "timeRange": RANGE})
    assert (found["totalEntered"], found["steps"][0]["stepName"]) == (0, evil)
    found = await ask(metrics, "t", "componentAnalytics", {"component": evil, "timeRange": RANGE})
    assert found["totalUsage"] == 0


# ---- Two tenants

READERS = (
    "eventMetrics",
    "sessionMetrics",
    "flowMetrics",
    "componentAnalytics",
    "trendAnalysis",
    "streamingMetrics",
    "liveMetrics",
    "getAnalytics",
    "attributionAnalysis",
    "conversionSummary",
    "topConvertingPaths",
    "funnels",
    "cohorts",
    "reports",
)
WRITERS = {"attributionModels", "createFunnel", "createCohort", "createReport", "trackConversion", "invalidate"}


async def test_every_method_keeps_tenants_apart(metrics, env):
    await make_tables(env.DB, "api", "analytics", "streaming")
    said = {"flow": "f", "source": "s"}
    mine = [{"event": "secret_event", "user": "u", "component": "Secret", "t": NOW, "properties": said}]
    await add_events(env.DB, "mine", mine)
    await add_conversions(env.DB, "mine", [{"id": "secret", "user": "u", "t": NOW, "value": 777}])
    steps = [{"name": "secret_step", "event": "secret_event"}]
    funnel = (await ask(metrics, "mine", "createFunnel", {"name": "secret_funnel", "steps": steps}))["id"]
    criteria = {"type": "CUSTOM", "event": "secret_event"}
    cohort = (await ask(metrics, "mine", "createCohort", {"name": "secret_cohort", "criteria": criteria}))["id"]
    given = {"name": "secret_report", "type": "events", "arguments": {"timeRange": RANGE}}
    report = (await ask(metrics, "mine", "createReport", given))["id"]
    own = {"funnel": funnel, "cohort": cohort, "report": report}
    everything = {"timeRange": RANGE, "flowId": "f", "component": "Secret", "metric": "EVENTS", "type": "events"}
    calls = [(name, everything) for name in READERS]
    calls += [(name, {"id": own[name.lower().removeprefix("download").removeprefix("delete")]}) for name in (
        "funnel", "cohort", "report", "downloadReport", "deleteFunnel", "deleteCohort", "deleteReport"
    )]  # fmt: skip
    calls += [(name, {"funnelId": funnel, "timeRange": RANGE}) for name in ("analyzeFunnel", "funnelInsights")]
    calls += [(name, {"cohortId": cohort}) for name in ("cohortSize", "cohortRetention")]
    calls += [("compareCohorts", {"cohortIds": [cohort]})]
    methods = {name for name in vars(metrics.isolate.handlers.default) if not name.startswith("_")} - {"fetch"}
    assert {name for name, _ in calls} | WRITERS == methods
    refused = {}
    for name, arguments in calls:
        try:
            text = json.dumps(await ask(metrics, "yours", name, arguments))
        except JsException as error:
            refused[name] = (error.name, error.message)
            continue
        assert "ecret" not in text.replace('"component": "Secret"', ""), (name, text)
        assert "777" not in text, (name, text)
    no_cohort, no_funnel = ("RangeError", f"Cohort not found: {cohort}"), ("RangeError", f"Funnel not found: {funnel}")
    no_report = ("RangeError", f"Report not found: {report}")
    assert refused == {
        **dict.fromkeys(("analyzeFunnel", "funnelInsights"), no_funnel),
        **dict.fromkeys(("cohortSize", "cohortRetention", "compareCohorts"), no_cohort),
        **dict.fromkeys(("report", "downloadReport"), no_report),
    }
    for name in ("funnels", "cohorts", "reports"):
        assert len(await ask(metrics, "mine", name, {})) == 1
    assert await ask(metrics, "mine", "downloadReport", {"id": report})
