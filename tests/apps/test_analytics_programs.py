"""Random events against the analytics of `analytics_model`. Each example is a tenant of its own, in one database."""

import itertools
import os

import analytics_model as model
import pytest
from analytics_app import add_conversions, add_events, configs, make_tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyworkers.clock import ManualClock
from pyworkers.testing.plugin import _run
from pyworkers.testing.worker import TestWorker

DAY = 86_400_000
BASE = 1_759_968_000_000  # 2025-10-09T00:00:00Z
NOW = BASE + 90 * DAY
EXAMPLES = int(os.environ.get("PYWORKERS_PROGRAMS", "40"))

# Few values, so that they meet: equal times, a session with the id of a user, one event that fits two steps.
times = st.one_of(
    st.integers(BASE, BASE + 5),
    st.builds(lambda day, ms: BASE + day * DAY + ms, st.integers(0, 80), st.integers(0, 3)),
)
users = st.sampled_from([None, "u1", "u2", "s1"])
session_ids = st.sampled_from(["s1", "s2", "s3"])
names = st.sampled_from(["a", "b", "c", "flow_completed"])
components = st.sampled_from([None, "x", "y"])
properties = st.fixed_dictionaries(
    {},
    optional={
        "flow": st.sampled_from(["f", "g"]),
        "step": st.sampled_from(["1st", "2nd"]),
        "source": st.sampled_from(["google", "email", ""]),
        "utm_source": st.just("news"),
        "plan": st.sampled_from(["pro", 1, True, None, 1.5, '"; DROP TABLE events; --']),
    },
)
events = st.lists(
    st.fixed_dictionaries(
        {
            "user": users,
            "session": session_ids,
            "event": names,
            "component": components,
            "properties": properties,
            "t": times,
        }
    ),
    max_size=25,
)
conversions = st.lists(
    st.fixed_dictionaries(
        {
            "user": users,
            "session": session_ids,
            "value": st.sampled_from([None, 0, 5, 2.5]),
            "t": times,
        }
    ),
    max_size=5,
)
ranges = st.tuples(times, times).map(sorted)
steps = st.lists(
    st.fixed_dictionaries({"event": st.sampled_from([None, "a", "b"]), "component": components}).filter(
        lambda step: step["event"] or step["component"]
    ),
    min_size=1,
    max_size=4,
)
criteria = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["SIGNUP_DATE", "FIRST_EVENT", "CUSTOM"]),
        "event": st.sampled_from([None, "a", "b"]),
        "component": components,
        "properties": st.sampled_from([None, {"plan": "pro"}, {"plan": 1}, {"plan": True}, {"plan": None}]),
    }
)

random_programs = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def worker_config(tmp_path):
    return configs(tmp_path, "analytics")


@pytest.fixture
def clock():
    return ManualClock(NOW / 1000)


@pytest.fixture
def tenants(runtime, event_loop_runner):
    """Runs a function with the worker, and a new tenant who has these events and conversions."""
    worker = TestWorker(runtime, runtime.project.primary.name)
    ids = itertools.count()

    def run(function, events, conversions=()):
        async def with_tenant():
            tenant = f"tenant-{next(ids)}"
            await add_events(worker.env.DB, tenant, events)
            if conversions:
                await add_conversions(worker.env.DB, tenant, conversions)
            return await function(tenant)

        return event_loop_runner.run(_run(with_tenant(), runtime))

    event_loop_runner.run(_run(make_tables(worker.env.DB, "api", "analytics"), runtime))
    run.worker = worker
    return run


def with_ids(rows, letter):
    return [{**row, "id": f"{letter}{place:02d}"} for place, row in enumerate(rows)]


@random_programs
@given(events=events, span=ranges)
def test_metrics(tenants, events, span):
    events = with_ids(events, "e")
    seen = model.within(events, *span)
    worker, time_range = tenants.worker, {"timeRange": {"start": span[0], "end": span[1]}}

    async def check(tenant):
        assert await worker.eventMetrics(tenant, time_range) == model.event_metrics(seen)
        assert await worker.sessionMetrics(tenant, time_range) == model.session_metrics(seen)
        assert await worker.flowMetrics(tenant, {"flowId": "f", **time_range}) == model.flow_metrics(seen, "f")
        found = await worker.componentAnalytics(tenant, {"component": "x", **time_range})
        assert found == model.component_analytics(seen, "x")
        for metric, group_by in itertools.product(["EVENTS", "SESSIONS", "FLOWS"], ["HOUR", "DAY", "WEEK", "MONTH"]):
            arguments = {"metric": metric, "groupBy": group_by, **time_range}
            data = (await worker.trendAnalysis(tenant, arguments))["data"]
            assert data == model.trend(seen, metric, group_by)

    tenants(check, events)


@random_programs
@given(events=events, span=ranges, steps=steps, window=st.sampled_from([None, 1, 3, 10 * DAY]))
def test_funnels(tenants, events, span, steps, window):
    events = with_ids(events, "e")
    worker = tenants.worker

    async def check(tenant):
        named = [{"name": str(place), **step} for place, step in enumerate(steps)]
        funnel = await worker.createFunnel(tenant, {"name": "f", "steps": named})
        arguments = {"funnelId": funnel["id"], "timeRange": {"start": span[0], "end": span[1]}, "windowMs": window}
        found = await worker.analyzeFunnel(tenant, arguments)
        expected = model.funnel(model.within(events, *span), steps, window)
        assert [{name: row[name] for name in expected[0]} for row in found["steps"]] == [
            pytest.approx(row) for row in expected
        ]
        assert (found["totalEntered"], found["totalCompleted"]) == (
            expected[0]["totalUsers"],
            expected[-1]["totalUsers"],
        )
        rates = [row["dropoffRate"] for row in found["steps"]]
        worst = found["steps"][rates.index(max(rates))]["stepId"] if max(rates) > 0 else None
        assert found["bottleneckStepId"] == worst
        assert rates[0] == 0
        assert all(0 <= row["conversionFromStart"] <= 100 for row in found["steps"])

    tenants(check, events)


@random_programs
@given(
    events=events,
    conversions=conversions,
    criteria=criteria,
    span=ranges,
    is_bounded=st.booleans(),
    period=st.sampled_from(["DAY", "WEEK", "MONTH"]),
    count=st.integers(1, 16),
)
def test_cohorts(tenants, events, conversions, criteria, span, is_bounded, period, count):
    events, conversions = with_ids(events, "e"), with_ids(conversions, "c")
    worker = tenants.worker
    bounds = {"startDate": span[0], "endDate": span[1]} if is_bounded else {}
    joined = model.members(events, criteria, *(span if is_bounded else (0, NOW * 2)))

    async def check(tenant):
        cohort = await worker.createCohort(tenant, {"name": "c", "criteria": {**criteria, **bounds}})
        arguments = {"cohortId": cohort["id"], "periodType": period, "maxPeriods": count}
        found = await worker.cohortRetention(tenant, arguments)
        assert found["cohortSize"] == len(joined)
        start = span[0] if is_bounded else min(joined.values(), default=NOW)
        expected = model.retention(events, joined, start, period, count, NOW) if joined else []
        assert [each["retained"] for each in found["periods"]] == expected
        rates = [each / len(joined) * 100 for each in expected]
        assert found["averageRetention"] == pytest.approx(model.mean(rates))
        values = [each["value"] for each in conversions if each["value"] is not None and model.actor(each) in joined]
        assert found["lifetimeValue"] == (pytest.approx(sum(values) / len(joined)) if values else None)
        active = {model.actor(event) for event in events if event["t"] >= NOW - 30 * DAY} & set(joined)
        assert await worker.cohortSize(tenant, {"cohortId": cohort["id"]}) == {
            "total": len(joined),
            "active": len(active),
            "inactive": len(joined) - len(active),
        }

    tenants(check, events, conversions)


@random_programs
@given(events=events, conversions=conversions, span=ranges, group_by=st.sampled_from(["SOURCE", "COMPONENT"]))
def test_attribution(tenants, events, conversions, span, group_by):
    events, conversions = with_ids(events, "e"), with_ids(conversions, "c")
    counted = model.within(conversions, *span)
    worker, time_range = tenants.worker, {"timeRange": {"start": span[0], "end": span[1]}}

    async def check(tenant):
        for name in ("FIRST_TOUCH", "LAST_TOUCH", "LINEAR", "TIME_DECAY", "POSITION_BASED"):
            found = await worker.attributionAnalysis(tenant, {"model": name, "groupBy": group_by, **time_range})
            credited = {row["source"]: (row["conversions"], row["totalValue"]) for row in found}
            expected = model.attribution(events, counted, name, group_by)
            assert credited == {label: (count, pytest.approx(value)) for label, (count, value) in expected.items()}
            worth = sum(1 if each["value"] is None else each["value"] for each in counted)
            assert sum(row["totalValue"] for row in found) == pytest.approx(worth)
        values = [each["value"] for each in counted if each["value"] is not None]
        assert await worker.conversionSummary(tenant, time_range) == {
            "totalConversions": len(counted),
            "uniqueConverters": len({model.actor(each) for each in counted}),
            "totalValue": sum(values),
            "averageValue": pytest.approx(model.mean(values)),
        }
        found = await worker.topConvertingPaths(tenant, {"limit": 100, **time_range})
        assert {row["path"]: (row["conversions"], row["totalValue"]) for row in found} == model.paths(events, counted)

    tenants(check, events, conversions)
