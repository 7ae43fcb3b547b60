"""Two tenants: whatever the one asks for, it never sees or changes what is the other's."""

import json
import re
from pathlib import Path

import pytest
from conftest import Caller, make_account
from inference_ui_api.graphql_schema import api_schema
from inference_ui_api.tenancy import TenantData, UnscopedStatement

SECRET = "SECRETOFACME"
API = Path(__file__).parents[2] / "workers" / "api" / "inference_ui_api"
RANGE = 'timeRange: {start: "2020-01-01", end: "2040-01-01"}'

# How beta asks for each field, with acme's ids where it takes one, and what it selects.
QUERIES = {
    "version": "version",
    "health": "health { status }",
    "events": "events { id properties }",
    "event": 'event(id: "%(event)s") { id properties }',
    "userEvents": 'userEvents(userId: "%(user)s") { id properties }',
    "componentEvents": 'componentEvents(componentId: "%(component)s") { id properties }',
    "eventCount": "eventCount",
    "analytics": 'analytics(startDate: 0, endDate: 9000000000000, groupBy: "event") { metrics breakdown }',
    "aiUsage": "aiUsage { model requests }",
    "me": "me { id email }",
    "users": "users { id email }",
    "apiKeys": "apiKeys { id keyPrefix name }",
    "usageMetrics": "usageMetrics { userId eventsThisMonth aiRequestsThisMonth usage { flowsCount } }",
    "tierLimits": "tierLimits { tier }",
    "tenants": "tenants { id name }",
    "flows": "flows { id name steps }",
    "flow": 'flow(id: "%(flow)s") { id name steps }',
    "flowAnalytics": f'flowAnalytics(flowId: "%(flow)s", {RANGE}) {{ totalSessions }}',
    "eventMetrics": f"eventMetrics({RANGE}) {{ totalEvents uniqueUsers eventsByType {{ event }} }}",
    "flowMetrics": f'flowMetrics(flowId: "%(flow)s", {RANGE}) {{ totalSessions dropoffPoints {{ stepName }} }}',
    "sessionMetrics": f"sessionMetrics({RANGE}) {{ totalSessions topFlows {{ flowId }} }}",
    "componentAnalytics": f'componentAnalytics(component: "%(component)s", {RANGE}) {{ totalUsage uniqueUsers }}',
    "trendAnalysis": f"trendAnalysis(metric: EVENTS, {RANGE}) {{ data {{ value }} }}",
    "funnel": 'funnel(id: "%(funnel)s") { name }',
    "userFunnels": "userFunnels { name }",
    "analyzeFunnel": f'analyzeFunnel(funnelId: "%(funnel)s", {RANGE}) {{ funnelName totalEntered }}',
    "funnelInsights": f'funnelInsights(funnelId: "%(funnel)s", {RANGE}) {{ bottleneckStep totalUsers }}',
    "cohort": 'cohort(id: "%(cohort)s") { name }',
    "userCohorts": "userCohorts { name }",
    "cohortSize": 'cohortSize(cohortId: "%(cohort)s") { total }',
    "cohortRetention": 'cohortRetention(cohortId: "%(cohort)s") { cohortName cohortSize }',
    "compareCohorts": 'compareCohorts(cohortIds: ["%(cohort)s"]) { cohorts { name size } }',
    "attributionAnalysis": f"attributionAnalysis({RANGE}) {{ source conversions }}",
    "conversionSummary": f"conversionSummary({RANGE}) {{ totalConversions totalValue }}",
    "topConvertingPaths": f"topConvertingPaths({RANGE}) {{ path }}",
    "attributionModels": "attributionModels { type }",
    "reports": "reports { id name arguments }",
    "report": 'report(id: "%(report)s") { name arguments }',
    "eventSummaries": f"eventSummaries({RANGE}) {{ event totalEvents }}",
    "eventPipeline": "eventPipeline { events pending deadLetters }",
    "deadLetters": "deadLetters { id body reason }",
}
MUTATIONS = {
    "trackEvent": 'trackEvent(input: {id: "%(event)s", event: "x", sessionId: "%(session)s"})',
    "recordEvents": 'recordEvents(events: [{id: "%(event)s", event: "x"}]) { processed }',
    "createFlow": 'createFlow(input: {name: "x", steps: []}) { id }',
    "updateFlow": 'updateFlow(id: "%(flow)s", input: {name: "stolen"}) { name steps }',
    "deleteFlow": 'deleteFlow(id: "%(flow)s") { success }',
    "createApiKey": 'createApiKey(input: {name: "x"}) { keyPrefix }',
    "revokeApiKey": 'revokeApiKey(keyPrefix: "%(key)s") { success }',
    "createUser": 'createUser(input: {email: "x@example.com", password: "0123456789"}) { id }',
    "deleteUser": 'deleteUser(id: "%(owner)s") { success }',
    "createTenant": 'createTenant(input: {name: "x", email: "y@example.com"}) { apiKey }',
    "updateTenant": 'updateTenant(id: "%(tenant)s", input: {tier: FREE}) { name }',
    "createFunnel": 'createFunnel(input: {name: "x", steps: [{name: "a", event: "a", orderIndex: 0}]}) { id }',
    "deleteFunnel": 'deleteFunnel(id: "%(funnel)s")',
    "createCohort": 'createCohort(input: {name: "x", criteria: {type: FIRST_EVENT, event: "a"}}) { id }',
    "deleteCohort": 'deleteCohort(id: "%(cohort)s")',
    "trackConversion": 'trackConversion(input: {event: "x", sessionId: "%(session)s"}) { id }',
    "createReport": 'createReport(input: {type: "flow", arguments: {flowId: "%(flow)s"}}) { name }',
    "deleteReport": 'deleteReport(id: "%(report)s")',
    "retryDeadLetters": 'retryDeadLetters(ids: ["%(letter)s"]) { retried }',
    "deleteDeadLetters": "deleteDeadLetters { deleted }",
}


def test_every_field_is_walked():
    schema = api_schema()
    assert set(QUERIES) == set(schema.query_type.fields)
    assert set(MUTATIONS) == set(schema.mutation_type.fields)


async def ask(caller, query):
    body = json.dumps({"query": query})
    headers = {"content-type": "application/json"}
    response = await caller.fetch("/graphql", method="POST", body=body, headers=headers)
    return await response.json()


async def data(caller, query):
    body = await ask(caller, query)
    assert body.get("errors") is None, body
    return body["data"]


async def fill(caller, account):
    """Give acme something of everything; returns its ids."""
    event = {
        "id": f"e-{SECRET}",
        "event": f"view-{SECRET}",
        "component": f"c-{SECRET}",
        "userId": f"u-{SECRET}",
        "sessionId": f"s-{SECRET}",
        "properties": {"x": SECRET, "flow": f"f-{SECRET}", "source": SECRET},
    }
    response = await caller.fetch("/events", method="POST", body=json.dumps(event))
    assert response.status == 200
    chat = {"messages": [{"role": "user", "content": "Hi"}]}
    response = await caller.fetch("/stream/chat", method="POST", body=json.dumps(chat))
    await response.text()
    step = f'{{name: "{SECRET}", event: "view-{SECRET}", orderIndex: 0}}'
    made = await data(
        caller,
        f"""mutation {{
          flow: createFlow(input: {{name: "{SECRET}", steps: [{{id: "{SECRET}"}}]}}) {{ id }}
          key: createApiKey(input: {{name: "{SECRET}"}}) {{ keyPrefix }}
          user: createUser(input: {{email: "{SECRET}@example.com", password: "0123456789"}}) {{ id }}
          funnel: createFunnel(input: {{name: "{SECRET}", steps: [{step}]}}) {{ id }}
          cohort: createCohort(input: {{name: "{SECRET}",
            criteria: {{type: FIRST_EVENT, event: "view-{SECRET}"}}}}) {{ id }}
          conversion: trackConversion(input: {{event: "{SECRET}", value: 77, userId: "u-{SECRET}"}}) {{ id }}
          report: createReport(input: {{type: "events", name: "{SECRET}"}}) {{ id }}
        }}""",
    )
    return {
        "event": event["id"],
        "component": event["component"],
        "user": event["userId"],
        "session": event["sessionId"],
        "flow": made["flow"]["id"],
        "key": made["key"]["keyPrefix"],
        "owner": made["user"]["id"],
        "funnel": made["funnel"]["id"],
        "cohort": made["cohort"]["id"],
        "report": made["report"]["id"],
        "letter": f"l-{SECRET}",
        "tenant": account.tenant_id,
    }


async def everything(env):
    """All rows of acme, of every table that has tenants."""
    tables = await env.DB.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%tenant_id%' ORDER BY 1"
    ).all()
    names = [row["name"] for row in tables.results]
    assert {"events", "flows", "api_keys", "users", "sessions", "usage", "ai_usage", "funnels", "cohorts"} <= set(names)
    found = {}
    for name in names:
        rows = await env.DB.prepare(f"SELECT * FROM {name} WHERE tenant_id = 'tenant-acme'").all()
        found[name] = sorted(json.dumps(dict(row), sort_keys=True) for row in rows.results)
    tenants = await env.DB.prepare("SELECT * FROM tenants WHERE id = 'tenant-acme'").first()
    return {**found, "tenants": dict(tenants)}


async def test_no_field_shows_or_changes_what_is_another_tenants(worker, env, account):
    acme = Caller(worker, account)
    beta = Caller(worker, await make_account(env, "beta"))
    ids = await fill(acme, account)
    await worker.other("inference-ui-events").maintain(account.tenant_id)
    letter = """INSERT INTO dead_letters (tenant_id, id, body, reason, attempts, sent_at_ms, received_at_ms)
        VALUES (?1, ?2, ?3, 'r', 1, 1, 1)"""
    await env.DB.prepare(letter).bind(account.tenant_id, ids["letter"], json.dumps(SECRET)).run()
    await worker.settle()
    await worker.other("inference-ui-streaming").settle()
    seen = json.dumps([await ask(acme, f"{{ {query % ids} }}") for query in QUERIES.values()])
    assert len(re.findall(SECRET, seen)) > 20  # the questions are such that the owner does see it
    before = await everything(env)
    figures = {}
    for name, query in QUERIES.items():
        answer = await ask(beta, f"{{ {query % ids} }}")
        # An error may repeat what was asked for; data may not hold anything of acme's.
        text = json.dumps(answer.get("data"))
        assert SECRET not in text, name
        assert ids["key"] not in text
        assert account.user_id not in text
        figures[name] = text
    assert json.loads(figures["eventCount"]) == {"eventCount": 0}
    assert json.loads(figures["aiUsage"]) == {"aiUsage": []}
    assert json.loads(figures["eventMetrics"])["eventMetrics"]["totalEvents"] == 0
    assert json.loads(figures["conversionSummary"])["conversionSummary"]["totalValue"] == 0
    assert json.loads(figures["eventPipeline"])["eventPipeline"] == {"events": 0, "pending": 0, "deadLetters": 0}
    response = await beta.fetch(f"/reports/{ids['report']}")
    assert (response.status, await response.json()) == (
        404,
        {"error": f"Report not found: {ids['report']}", "code": "BAD_USER_INPUT"},
    )
    assert json.loads(figures["tenants"] or "null") is None
    for name, mutation in MUTATIONS.items():
        answer = await ask(beta, f"mutation {{ {mutation % ids} }}")
        assert SECRET not in json.dumps(answer.get("data")), name
    assert await everything(env) == before


async def test_a_cached_answer_is_another_tenants_miss(worker, env, account):
    beta = Caller(worker, await make_account(env, "beta"))
    chat = json.dumps({"messages": [{"role": "user", "content": "Hi"}], "temperature": 0})
    seen = []
    for caller in (Caller(worker, account), Caller(worker, account), beta):
        response = await caller.fetch("/stream/chat", method="POST", body=chat)
        await response.text()
        await worker.other("inference-ui-streaming").settle()
        seen.append(response.headers["x-inference-cache"])
    assert seen == ["miss", "hit", "miss"]


async def test_a_client_cannot_say_who_it_is(worker, env, account):
    headers = {"x-inference-ui-tenant": account.tenant_id, "x-inference-ui-max-tokens": "9999"}
    chat = json.dumps({"messages": [{"role": "user", "content": "Hi"}]})
    response = await worker.fetch("/stream/chat", method="POST", body=chat, headers=headers)
    await response.text()
    await worker.other("inference-ui-streaming").settle()
    rows = await env.DB.prepare("SELECT tenant_id FROM ai_usage").all()
    assert [row["tenant_id"] for row in rows.results] == ["anonymous"]
    event = json.dumps({"event": "a", "tenantId": account.tenant_id, "tenant_id": account.tenant_id})
    await worker.fetch("/events", method="POST", body=event, headers=headers)
    rows = await env.DB.prepare("SELECT tenant_id FROM events").all()
    assert [row["tenant_id"] for row in rows.results] == ["anonymous"]


# -- by construction


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM events",
        "SELECT * FROM events WHERE tenant_id = ?2",
        "DELETE FROM flows WHERE id = ?2",
        "INSERT INTO flows (id, tenant_id) VALUES (?2, ?1)",
        "INSERT INTO flows (tenant_id, id) VALUES (?2, ?1)",
    ],
)
async def test_a_statement_that_names_no_tenant_is_never_run(env, sql):
    with pytest.raises(UnscopedStatement):
        await TenantData(env, "acme").rows(sql)


def test_only_these_files_reach_a_database_or_bucket_themselves():
    """Who reads the database without a tenant has a reason: it looks up who the tenant is, or is of all tenants."""
    allowed = {
        "tenancy.py",
        "d1.py",  # runs what it is given
        "migrations.py",
        "identity.py",  # finds the tenant
        "limits.py",  # counts callers, with and without a tenant
        "sessions_http.py",  # finds the tenant
        "operator_accounts.py",  # of all tenants, for their operator
        "account_resolvers.py",  # hands the database to the line above
        "health.py",
        "app.py",  # cron
    }
    pattern = re.compile(r"env\.(DB|KV|STORAGE)\b|\.prepare\(")
    assert {file.name for file in API.glob("*.py") if pattern.search(file.read_text(encoding="utf-8"))} <= allowed
