"""The events worker: its queue, enrichment, summaries, retention and dead letters."""

import json
import re
import sys

import pytest
from analytics_app import WORKERS, add_events, make_tables
from pyodide.ffi import JsException

sys.path.append(str(WORKERS / "events"))

NOW = 1_700_000_000_000  # 2023-11-14T22:13:20Z, where the tests' clock begins
DAY = 86_400_000
TENANT = "INSERT INTO tenants (id, name, tier, created_at_ms, updated_at_ms) VALUES (?1, ?1, ?2, 0, 0)"


@pytest.fixture
def events(worker):
    return worker.other("inference-ui-events")


async def make_database(env, **tiers):
    await make_tables(env.DB, "api", "analytics", "streaming")
    for name, tier in tiers.items():
        await env.DB.prepare(TENANT).bind(name, tier).run()


async def stored(env, tenant, columns="id, event, intent, sentiment"):
    found = await env.DB.prepare(f"SELECT {columns} FROM events WHERE tenant_id = ?1 ORDER BY id").bind(tenant).all()
    return [dict(row) for row in found.results]


async def delivered(events, clock, seconds=2):
    await clock.advance(seconds)
    await events.settle()


# ---- Rules


def original_label(name):
    """Parts of the name count, wherever they lie in it."""
    name = name.lower()

    def has(*parts):
        return any(part in name for part in parts)

    clicked = (
        "purchase"
        if has("buy", "purchase", "checkout")
        else "help"
        if has("help", "support", "contact")
        else "configure"
        if has("config", "setting")
        else "interact"
    )
    intents = [
        (clicked, has("click", "tap", "press")),
        ("explore", has("view", "open", "navigate")),
        ("error", has("error", "fail", "crash")),
        ("submit", has("submit", "form")),
        ("search", has("search", "query")),
    ]
    intent = next((intent for intent, fits in intents if fits), "unknown")
    if has("error", "fail", "crash", "cancel", "close", "exit"):
        return intent, "negative"
    return intent, "positive" if has(
        "success", "complete", "purchase", "buy", "share", "like", "favorite"
    ) else "neutral"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("button_click", ("interact", "neutral")),
        ("buy_button_clicked", ("purchase", "positive")),
        ("help_tap", ("help", "neutral")),
        ("settings_button_press", ("configure", "neutral")),
        ("page_view", ("explore", "neutral")),
        ("modal_opened", ("explore", "neutral")),
        ("api_error", ("error", "negative")),
        ("form_submit", ("submit", "neutral")),
        ("search_query", ("search", "neutral")),
        ("flow_completed", ("unknown", "positive")),
        ("modal_close", ("unknown", "negative")),
        ("something", ("unknown", "neutral")),
    ],
)
def test_where_the_rules_are_the_original_ones(name, label):
    from inference_ui_events.rules import label_by_rules

    found = label_by_rules(name)
    assert (found.intent, found.sentiment) == label == original_label(name)


@pytest.mark.parametrize(
    ("name", "original", "label"),
    [
        ("performance", ("submit", "neutral"), ("unknown", "neutral")),
        ("compress_done", ("interact", "neutral"), ("unknown", "neutral")),
        ("dislike_click", ("interact", "positive"), ("interact", "negative")),
        ("unlike", ("unknown", "positive"), ("unknown", "negative")),
        ("form_field_focus", ("submit", "neutral"), ("interact", "neutral")),
        ("settings_open", ("explore", "neutral"), ("configure", "neutral")),
        ("settingsOpen", ("explore", "neutral"), ("configure", "neutral")),
        ("HTTPError", ("error", "negative"), ("error", "negative")),
        ("", ("unknown", "neutral"), ("unknown", "neutral")),
    ],
)
def test_where_the_rules_go_by_words(name, original, label):
    from inference_ui_events.rules import label_by_rules

    found = label_by_rules(name)
    assert (original_label(name), (found.intent, found.sentiment)) == (original, label)


# ---- The queue


async def test_events_are_stored_by_the_queue(events, env, clock):
    await make_database(env)
    body = {"events": [{"id": "1", "event": "page_view"}, {"id": "2", "event": "buy_click"}, {"id": "3"}]}
    assert await events.ingestEvents("t", body) == {
        "accepted": 2,
        "failed": 1,
        "failures": [{"index": 2, "id": "3", "field": "event", "message": "event is required"}],
    }
    assert await stored(env, "t") == []
    await delivered(events, clock)
    assert await stored(env, "t") == [
        {"id": "1", "event": "page_view", "intent": "explore", "sentiment": "neutral"},
        {"id": "2", "event": "buy_click", "intent": "purchase", "sentiment": "positive"},
    ]


async def test_an_id_is_stored_once_for_each_tenant(events, env, clock):
    await make_database(env)
    for tenant, name in (("a", "first"), ("a", "second"), ("b", "third")):
        await events.ingestEvents(tenant, {"events": [{"id": "1", "event": name}]})
        await delivered(events, clock)
    assert [row["event"] for row in await stored(env, "a")] == ["first"]
    assert [row["event"] for row in await stored(env, "b")] == ["third"]
    month = await env.DB.prepare("SELECT tenant_id, events_count FROM usage ORDER BY tenant_id").all()
    assert [tuple(dict(row).values()) for row in month.results] == [("a", 1), ("b", 1)]


async def test_a_thousand_events_travel_in_messages_that_the_queue_takes(events, env, clock):
    await make_database(env)
    text = "é" * 500
    sent = [{"id": f"{place:04d}", "event": "e", "properties": {"text": text}} for place in range(1000)]
    assert (await events.ingestEvents("t", {"events": sent}))["accepted"] == 1000
    await delivered(events, clock, 10)
    assert [row["id"] for row in await stored(env, "t")] == [event["id"] for event in sent]


async def test_what_the_api_announces_is_enriched(worker, events, env, account, clock):
    await make_database(env)
    headers = {"content-type": "application/json", **account.headers}
    body = json.dumps([{"id": "1", "event": "form_submit"}])
    await worker.fetch("/events", method="POST", body=body, headers=headers)
    await events.env.QUEUE.send({"tenantId": account.tenant_id, "ids": ["1", "gone"]})
    await delivered(events, clock)
    expected = [{"id": "1", "event": "form_submit", "intent": "submit", "sentiment": "neutral"}]
    assert await stored(env, account.tenant_id) == expected


async def test_processing_is_at_once(events, env):
    await make_database(env)
    body = {"events": [{"id": "1", "type": "page_view", "data": {"a": 1}}, {"id": "1", "event": "x"}, {"event": 5}]}
    found = await events.processEvents("t", body)
    assert {name: found[name] for name in ("processed", "duplicates", "failed")} == {
        "processed": 2,
        "duplicates": 1,
        "failed": 1,
    }
    assert found["errors"] == [each["message"] for each in found["failures"]]
    assert [row["event"] for row in await stored(env, "t")] == ["page_view"]


async def test_processing_keeps_to_a_limit(events, env):
    await make_database(env)
    with pytest.raises(JsException) as caught:
        await events.processEvents("t", {"events": [{"event": "a"}, {"event": "b"}], "limit": 1})
    message = "events were not stored. The month's limit of 1 events is used up"
    assert (caught.value.name, caught.value.message) == ("TypeError", message)
    assert await stored(env, "t") == []


async def test_sessions_are_kept_with_the_events(events, env):
    await make_database(env)
    said = {"flow": "f", "step": "two"}
    sent = [
        {"event": "flow_step_viewed", "sessionId": "s", "timestamp": NOW, "properties": said},
        {"event": "flow_completed", "sessionId": "s", "timestamp": NOW + 5, "userId": "u"},
    ]
    await events.processEvents("t", {"events": sent})
    row = await env.DB.prepare("SELECT * FROM sessions").first()
    assert dict(row) == {
        "tenant_id": "t",
        "id": "s",
        "user_id": "u",
        "flow_id": "f",
        "started_at_ms": NOW,
        "ended_at_ms": NOW + 5,
        "completed": 1,
        "current_step": "two",
        "step_at_ms": NOW,
    }


# ---- Dead letters


@pytest.mark.parametrize(
    ("body", "tenant", "reason"),
    [
        ({"tenantId": "t"}, "t", "the message must have events or ids"),
        ({"tenantId": "t", "ids": [1]}, "t", "ids must be a list of at most 1000 strings"),
        ({"tenantId": "t", "events": [{}]}, "t", "events[0]: event is required"),
        ({"tenantId": "t", "events": 5}, "t", "events Invalid request: events must be an array"),
        ({"tenantId": "t", "events": [{"event": "a"}], "limit": 0}, "t", "The month's limit of 0 events is used up"),
        ({"tenantId": 5, "ids": []}, "-", "tenantId must be a string of 1 to 256 characters"),
        ("text", "-", "the message must be an object"),
    ],
)
async def test_what_no_retry_would_mend_is_a_dead_letter_at_once(events, env, clock, body, tenant, reason):
    await make_database(env)
    await events.env.QUEUE.send(body)
    await delivered(events, clock)
    [letter] = await events.deadLetters(tenant)
    assert {name: letter[name] for name in ("body", "reason", "attempts")} == {
        "body": body,
        "reason": reason,
        "attempts": 1,
    }
    assert letter["sentAt"] == "2023-11-14T22:13:20.000Z"


async def test_what_fails_every_time_is_a_dead_letter_that_can_be_sent_again(events, env, clock):
    message = {"tenantId": "t", "events": [{"id": "1", "event": "a", "timestamp": NOW}]}
    await events.env.QUEUE.send(message)  # there are no tables yet
    await delivered(events, clock, 120)
    await make_database(env)
    await delivered(events, clock, 120)
    [letter] = await events.deadLetters("t")
    assert letter["body"] == message
    assert letter["reason"] == "it failed every time; the worker's log says why"
    assert await events.deadLetters("other") == []
    assert await events.retryDeadLetters("other") == {"retried": 0}
    assert await events.retryDeadLetters("t", {"ids": [letter["id"]]}) == {"retried": 1}
    await delivered(events, clock)
    assert [row["id"] for row in await stored(env, "t")] == ["1"]
    assert await events.deadLetters("t") == []


async def test_dead_letters_are_deleted_by_their_tenant(events, env, clock):
    await make_database(env)
    await events.env.QUEUE.send({"tenantId": "t"})
    await delivered(events, clock)
    assert (await events.pipelineStatus("t"))["deadLetters"] == 1
    assert await events.deleteDeadLetters("other") == {"deleted": 0}
    assert await events.deleteDeadLetters("t") == {"deleted": 1}
    assert await events.deadLetters("t") == []


# ---- Models


async def test_a_model_is_asked_where_the_rules_know_nothing(events, env):
    await make_database(env, rich="enterprise", poor="free")
    for tenant in ("rich", "poor"):
        await events.processEvents(
            tenant, {"events": [{"id": "1", "event": "zork"}, {"id": "2", "event": "page_view"}]}
        )
    await events.processEvents("rich", {"events": [{"id": "3", "event": "zork"}]})
    await events.other("inference-ui-streaming").settle()
    usage = await env.DB.prepare("SELECT tenant_id, endpoint, outcome FROM ai_usage").all()
    assert [dict(row) for row in usage.results] == [{"tenant_id": "rich", "endpoint": "object", "outcome": "done"}]
    labels = await env.DB.prepare("SELECT tenant_id, event, intent, sentiment FROM event_labels").all()
    [label] = [dict(row) for row in labels.results]
    from inference_ui_events.rules import INTENTS, SENTIMENTS

    assert (label["tenant_id"], label["event"]) == ("rich", "zork")
    assert label["intent"] in INTENTS
    assert label["sentiment"] in SENTIMENTS
    said = {"intent": label["intent"], "sentiment": label["sentiment"]}
    by_rules = {"event": "page_view", "intent": "explore", "sentiment": "neutral"}
    assert await stored(env, "rich") == [
        {"id": "1", "event": "zork", **said},
        {"id": "2", **by_rules},
        {"id": "3", "event": "zork", **said},
    ]
    assert await stored(env, "poor") == [
        {"id": "1", "event": "zork", "intent": "unknown", "sentiment": "neutral"},
        {"id": "2", **by_rules},
    ]


@pytest.mark.parametrize(
    "text",
    ["", "no", "[]", '{"intent":"hack","sentiment":"neutral"}', '{"intent":"help"}', '{"intent":[],"sentiment":{}}'],
)
def test_what_is_no_label(text):
    from inference_ui_events.ai_labels import read_label

    with pytest.raises((ValueError, TypeError)):
        read_label(text)


# ---- Cron


async def test_an_event_of_no_day_does_not_hold_up_the_others(events, env):
    await make_database(env, t="developer")
    times = {"far": 8_640_000_000_000_000, "near": NOW}
    await add_events(
        env.DB, "t", [{"id": key, "event": "page_view", "session": "s", "t": time} for key, time in times.items()]
    )
    assert await events.enrichEvents("t", {"ids": list(times)}) == {"enriched": 2}
    days = await env.DB.prepare("SELECT date FROM event_summary_days WHERE tenant_id = 't'").all()
    assert [row["date"] for row in days.results] == ["2023-11-14"]


async def test_cron_enriches_what_the_queue_missed_and_summarises(events, env):
    await make_database(env, t="developer")
    await add_events(
        env.DB,
        "t",
        [
            {"event": "api_error", "user": "u", "session": "s1", "t": NOW - 1000},
            {"event": "api_error", "session": "s1", "t": NOW - 900},
            {"event": "page_view", "session": "s2", "t": NOW - DAY},
        ],
    )
    await events.scheduled(cron="7 * * * *")
    error = {
        "date": "2023-11-14",
        "event": "api_error",
        "totalEvents": 2,
        "uniqueSessions": 1,
        "uniqueUsers": 2,
        "sentiments": {"positive": 0, "neutral": 0, "negative": 2},
        "updatedAt": "2023-11-14T22:13:20.000Z",
    }
    view = {
        **error,
        "date": "2023-11-13",
        "event": "page_view",
        "totalEvents": 1,
        "uniqueUsers": 1,
        "sentiments": {"positive": 0, "neutral": 1, "negative": 0},
    }
    span = {"timeRange": {"start": "2023-11-01", "end": "2023-11-14"}}
    assert await events.eventSummaries("t", span) == [view, error]
    assert await events.eventSummaries("t", {**span, "event": "api_error"}) == [error]
    assert await events.eventSummaries("other", span) == []
    status = {"events": 3, "pending": 0, "pendingDays": 0, "deadLetters": 0}
    assert await events.pipelineStatus("t") == status


async def test_summaries_are_the_same_however_often_they_are_made(events, env):
    await make_database(env, t="developer")
    span = {"timeRange": {"start": "2023-11-14", "end": "2023-11-14"}}
    await events.processEvents("t", {"events": [{"id": "1", "event": "a", "timestamp": NOW}]})
    await events.scheduled()
    first = await events.eventSummaries("t", span)
    await events.scheduled()
    assert await events.eventSummaries("t", span) == first
    await events.processEvents("t", {"events": [{"id": "2", "event": "a", "timestamp": NOW}]})
    await events.scheduled()
    assert [row["totalEvents"] for row in await events.eventSummaries("t", span)] == [2]


@pytest.mark.parametrize(
    ("tier", "days"), [("free", 7), ("developer", 90), ("business", 365), ("enterprise", None), (None, 7)]
)
async def test_events_are_kept_for_the_days_of_the_tier(events, env, tier, days):
    await make_database(env, **({"t": tier} if tier else {}))
    await events.processEvents("t", {"events": [{"id": "now", "event": "a", "timestamp": NOW}]})
    midnight = NOW // DAY * DAY
    ages = {"6": 6, "8": 8, "89": 89, "91": 91, "364": 364, "366": 366, "5000": 5000}
    sent = [{"id": name, "event": "a", "session": name, "t": midnight - age * DAY} for name, age in ages.items()]
    await add_events(env.DB, "t", sent)
    await add_events(env.DB, "other-tenant-without-a-tier", [{"id": "1", "event": "a", "t": 5}])
    await events.scheduled()
    kept = {name for name, age in ages.items() if days is None or age <= days} | {"now"}
    assert {row["id"] for row in await stored(env, "t")} == kept
    assert len(await stored(env, "other-tenant-without-a-tier")) == 1  # nothing says that it exists


async def test_summaries_outlive_their_events(events, env, clock):
    await make_database(env, t="free")
    await events.processEvents("t", {"events": [{"id": "1", "event": "a", "timestamp": NOW}]})
    await events.maintain("t")
    await clock.advance(9 * 86_400)
    assert (await events.maintain("t"))["deleted"] in (0, 1)  # cron may have been there
    assert await stored(env, "t") == []
    span = {"timeRange": {"start": "2023-11-14", "end": "2023-11-14"}}
    assert [row["totalEvents"] for row in await events.eventSummaries("t", span)] == [1]
    # What comes late does not make a summary of what is left.
    await events.processEvents("t", {"events": [{"id": "2", "event": "a", "timestamp": NOW}]})
    await events.maintain("t")
    assert [row["totalEvents"] for row in await events.eventSummaries("t", span)] == [1]


async def test_deleted_events_leave_the_analytics(events, env, clock):
    await make_database(env, t="free")
    metrics = events.other("inference-ui-analytics")
    await events.processEvents("t", {"events": [{"id": "1", "event": "a", "timestamp": NOW}]})
    span = {"timeRange": {"start": "2023-11-14", "end": "2023-11-14"}}
    assert (await metrics.eventMetrics("t", span))["totalEvents"] == 1
    await events.processEvents("t", {"events": [{"id": "2", "event": "a", "timestamp": NOW}]})
    assert (await metrics.eventMetrics("t", span))["totalEvents"] == 2


# ---- Two tenants


async def test_every_method_keeps_tenants_apart(events, env, clock):
    await make_database(env, mine="developer")
    await events.processEvents("mine", {"events": [{"id": "secret", "event": "secret_event", "timestamp": NOW}]})
    await events.env.QUEUE.send({"tenantId": "mine", "secret": True})
    await delivered(events, clock)
    await events.maintain("mine")
    span = {"timeRange": {"start": "2023-11-14", "end": "2023-11-14"}}
    calls = {
        "enrichEvents": ({"ids": ["secret"]}, {"enriched": 0}),
        "classifyEvent": ({"event": "page_view"}, {"intent": "explore", "sentiment": "neutral"}),
        "eventSummaries": (span, []),
        "maintain": (None, {"enriched": 0, "days": 0, "deleted": 0}),
        "deadLetters": (None, []),
        "retryDeadLetters": (None, {"retried": 0}),
        "deleteDeadLetters": (None, {"deleted": 0}),
        "pipelineStatus": (None, {"events": 0, "pending": 0, "pendingDays": 0, "deadLetters": 0}),
    }
    writers = {"ingestEvents", "processEvents"}  # shown above: an id of one tenant is free for another
    handlers = {"fetch", "queue", "scheduled"}
    methods = {name for name in vars(events.isolate.handlers.default) if not name.startswith("_")} - handlers
    assert set(calls) | writers == methods
    for name, (arguments, answer) in calls.items():
        assert await getattr(events, name)("yours", arguments) == answer, name
    assert len(await events.deadLetters("mine")) == 1
    assert len(await stored(env, "mine")) == 1


def test_what_the_workers_share_is_the_same_file():
    # Each worker is deployed with the files of its own folder only.
    packages = {name: WORKERS / name / f"inference_ui_{name}" for name in ("api", "analytics", "events")}
    shared = {
        "api": ("web.py", "migrations.py", "d1.py"),
        "analytics": ("tenancy.py", "failures.py", "rpc.py", "arguments.py", "periods.py"),
    }
    for owner, names in shared.items():
        for name in names:
            copies = {folder: (packages[folder] / name).read_bytes() for folder in ("analytics", "events")}
            assert set(copies.values()) == {(packages[owner] / name).read_bytes()}, name
    assert (packages["events"] / "events.py").read_bytes() == (packages["api"] / "events.py").read_bytes()


def test_the_statements_of_store_are_those_of_the_api_worker():
    from inference_ui_api import event_store
    from inference_ui_events import store

    for name in ("_INSERT", "_SESSIONS", "_RESERVE"):
        assert getattr(store, name) == getattr(event_store, name)


def test_every_method_is_described(events, worker):
    text = (WORKERS.parent / "docs" / "application.md").read_text(encoding="utf-8")
    tables = [part.split("\n") for part in text.split("\n\n") if part.startswith("| Method |")]
    cells = [row.split("|")[1] for table in tables for row in table[2:] if row]
    described = {name for cell in cells for name in re.findall(r"\w+", cell)}
    metrics = worker.other("inference-ui-analytics")
    classes = [each.isolate.handlers.default for each in (events, metrics)]
    methods = {name for each in classes for name in vars(each) if not name.startswith("_")}
    assert methods - described == {"fetch", "queue", "scheduled"}
    assert described <= methods
