"""Funnels, cohorts and attribution against worked examples, beside what the first implementation answered.

`original_*` are the first implementation's algorithms in a few lines of Python, with their mistakes: that they give
its figures, and the worker others, shows that each difference is meant.
"""

import math
from itertools import pairwise

import pytest
from analytics_app import add_conversions, add_events, configs, make_tables

DAY = 86_400_000
BASE = 1_759_968_000_000  # 2025-10-09T00:00:00Z
ALL = {"start": "2025-10-01", "end": "2025-12-31"}

FUNNEL_EVENTS = [
    {"user": user, "session": session, "event": event, "t": BASE + t}
    for user, session, event, t in [
        ("u1", "s1", "page_view", 1000),
        ("u1", "s1", "form_view", 61_000),
        ("u1", "s1", "signup_complete", 121_000),
        ("u2", "s2", "page_view", 2000),
        ("u2", "s2", "form_view", 32_000),
        ("u3", "s3", "page_view", 5000),
        ("u4", "s4", "form_view", 10_000),
        ("u5", "s5", "signup_complete", 1000),
        ("u5", "s5", "page_view", 50_000),
        (None, "s8", "page_view", 7000),
        (None, "s9", "page_view", 8000),
        (None, "s9", "form_view", 9000),
    ]
]
STEPS = ["page_view", "form_view", "signup_complete"]

TOUCHES = [
    {"user": user, "event": "visit", "t": BASE + day * DAY, "component": component, "properties": properties}
    for user, day, component, properties in [
        ("v1", 0, "Hero", {"source": "google"}),
        ("v1", 7, "Mail", {"source": "email"}),
        ("v1", 14, "Cta", {}),
        ("v2", 0, None, {"source": "google"}),
        ("u4", 0, None, {}),
    ]
]
CONVERSIONS = [
    {"id": "c1", "user": "v1", "t": BASE + 14 * DAY, "value": 100},
    {"id": "c2", "user": "v2", "t": BASE + DAY, "value": None},
    {"id": "c3", "user": "u4", "t": BASE + 20 * DAY, "value": 0},
]


@pytest.fixture
def worker_config(tmp_path):
    return configs(tmp_path, "analytics")


@pytest.fixture
def clock():
    from pyworkers.clock import ManualClock

    return ManualClock(1_780_000_000.0)  # 2026-05-28


# ---- Funnels


def original_funnel(events, steps):
    """Each step on its own: who has an event of it, the unknown as one user; order does not matter."""
    firsts = []
    for step in steps:
        first = {}
        for event in sorted(events, key=lambda event: event["t"]):
            if event["event"] == step:
                first.setdefault(event["user"], event["t"])
        firsts.append(first)
    counts = [len(first) for first in firsts]
    gaps = [[now[user] - before[user] for user in now if user in before] for before, now in pairwise(firsts)]
    whole = [firsts[-1][user] - firsts[0][user] for user in firsts[-1] if user in firsts[0]]
    return {
        "steps": counts,
        "fromPrevious": [
            100.0, *(now / before * 100 for before, now in pairwise(counts))
        ],
        "fromStart": [count / counts[0] * 100 for count in counts],
        "time": [0, *(sum(gap) / len(gap) for gap in gaps)],
        "completed": len([user for user in firsts[-1] if user is not None]),
        "completion": sum(whole) / len(whole),
    }  # fmt: skip


def test_the_original_funnel():
    found = original_funnel(FUNNEL_EVENTS, STEPS)
    assert found["steps"] == [5, 4, 2]
    assert found["fromPrevious"] == [100, 80, 50]
    assert found["fromStart"] == [100, 80, 40]
    assert found["time"] == pytest.approx([0, 30_666.67, 60_000], abs=0.01)
    assert (found["completed"], found["completion"]) == (2, 35_500)


async def test_the_funnel_is_ordered_and_of_actors(worker, env):
    await make_tables(env.DB, "api", "analytics")
    await add_events(env.DB, "t", FUNNEL_EVENTS)
    steps = [{"id": f"step-{index}", "name": name.title(), "event": name} for index, name in enumerate(STEPS)]
    funnel = await worker.createFunnel("t", {"name": "Sign up", "steps": steps})
    found = await worker.analyzeFunnel("t", {"funnelId": funnel["id"], "timeRange": ALL})
    assert [step["totalUsers"] for step in found["steps"]] == [6, 3, 1]
    assert [step["conversionFromPrevious"] for step in found["steps"]] == pytest.approx([100, 50, 33.33], abs=0.01)
    assert [step["conversionFromStart"] for step in found["steps"]] == pytest.approx([100, 50, 16.67], abs=0.01)
    times = [step["averageTimeFromPrevious"] for step in found["steps"]]
    assert times == pytest.approx([0, 30_333.33, 60_000], abs=0.01)
    assert [step["averageTimeFromStart"] for step in found["steps"]] == pytest.approx([0, 30_333.33, 120_000], abs=0.01)
    assert [step["dropoffCount"] for step in found["steps"]] == [0, 3, 2]
    assert [step["dropoffRate"] for step in found["steps"]] == pytest.approx([0, 50, 66.67], abs=0.01)
    assert found["overallConversion"] == pytest.approx(16.67, abs=0.01)
    rest = {name: value for name, value in found.items() if name not in ("steps", "overallConversion")}
    assert rest == {
        "funnelId": funnel["id"],
        "funnelName": "Sign up",
        "timeRange": {"start": "2025-10-01T00:00:00.000Z", "end": "2025-12-31T23:59:59.999Z"},
        "totalEntered": 6,
        "totalCompleted": 1,
        "averageCompletionTime": 120_000,
        "bottleneckStepId": "step-2",
    }
    insights = await worker.funnelInsights("t", {"funnelId": funnel["id"], "timeRange": ALL})
    assert insights == {
        "conversionRate": pytest.approx(16.67, abs=0.01),
        "dropoffRate": pytest.approx(83.33, abs=0.01),
        "bottleneckStep": "Signup_Complete",
        "averageTime": 120_000,
        "totalUsers": 6,
    }


@pytest.mark.parametrize("window", [{}, {"windowMs": 19}])
async def test_a_funnel_may_have_twenty_steps(worker, env, window):
    # Each step lies in the statement of the one before it, and D1 allows 100 levels.
    await make_tables(env.DB, "api", "analytics")
    way = [{"event": f"e{step}", "component": f"c{step}", "session": "s", "t": 1000 + step} for step in range(20)]
    await add_events(env.DB, "t", [*way, *({**event, "session": "early"} for event in way[:15])])
    steps = [{"name": event["event"], "event": event["event"], "component": event["component"]} for event in way]
    funnel = await worker.createFunnel("t", {"name": "Long", "steps": steps})
    found = await worker.analyzeFunnel(
        "t", {"funnelId": funnel["id"], "timeRange": {"start": 0, "end": 2000}, **window}
    )
    assert [step["totalUsers"] for step in found["steps"]] == [2] * 15 + [1] * 5
    assert (found["totalCompleted"], found["averageCompletionTime"]) == (1, 19)
    assert found["bottleneckStepId"] == found["steps"][15]["stepId"]


# ---- Cohorts


def original_cohort(events, event, start, weeks):
    """Whoever has the event, the unknown as one member, which no later event of theirs matches; weeks to come count."""
    members = {each["user"] for each in events if each["event"] == event}
    rates = []
    for week in range(weeks):
        begin = start + week * 7 * DAY
        seen = {each["user"] for each in events if begin <= each["t"] < begin + 7 * DAY} - {None}
        rates.append(len(seen & members) / len(members) * 100)
    return len(members), rates, sum(rates) / weeks


def test_the_original_cohort():
    size, rates, average = original_cohort(FUNNEL_EVENTS, "page_view", BASE, 3)
    assert (size, rates, average) == (5, [80, 0, 0], pytest.approx(26.67, abs=0.01))


async def test_the_cohort_is_of_actors(worker, env):
    await make_tables(env.DB, "api", "analytics")
    await add_events(env.DB, "t", FUNNEL_EVENTS)
    criteria = {"type": "FIRST_EVENT", "event": "page_view", "startDate": "2025-10-09"}
    cohort = await worker.createCohort("t", {"name": "Viewers", "criteria": criteria})
    found = await worker.cohortRetention("t", {"cohortId": cohort["id"], "periodType": "WEEK", "maxPeriods": 3})
    assert found == {
        "cohortId": cohort["id"],
        "cohortName": "Viewers",
        "cohortSize": 6,
        "periodType": "WEEK",
        "startDate": "2025-10-09T00:00:00.000Z",
        "periods": [
            {
                "periodIndex": index,
                "periodLabel": f"Week {index}",
                "retained": retained,
                "retentionRate": retained / 6 * 100,
                "churnedCount": 6 - retained,
                "churnRate": 100 - retained / 6 * 100,
            }
            for index, retained in enumerate([6, 0, 0])
        ],
        "averageRetention": pytest.approx(33.33, abs=0.01),
        "lifetimeValue": None,
    }


async def test_the_time_of_a_cohort_without_a_start_is_its_first_event(worker, env):
    # The original took milliseconds for seconds: the year 57742.
    await make_tables(env.DB, "api", "analytics")
    await add_events(env.DB, "t", FUNNEL_EVENTS)
    cohort = await worker.createCohort("t", {"name": "A", "criteria": {"type": "first_event", "event": "page_view"}})
    found = await worker.cohortRetention("t", {"cohortId": cohort["id"], "maxPeriods": 1})
    assert found["startDate"] == "2025-10-09T00:00:01.000Z"


async def test_a_cohort_at_the_end_of_the_calendar(worker, env):
    await make_tables(env.DB, "api", "analytics")
    await add_events(env.DB, "t", [{"event": "a", "user": "u", "t": 253_402_300_799_999}])
    cohort = await worker.createCohort("t", {"name": "Last", "criteria": {"type": "FIRST_EVENT"}})
    for period in ("DAY", "WEEK", "MONTH"):
        found = await worker.cohortRetention("t", {"cohortId": cohort["id"], "periodType": period})
        assert [each["retained"] for each in found["periods"]] == [1]


# ---- Attribution


def original_attribution(touches, conversions):
    """Conversions and their value go to the first touch, whatever the model; no value and 0 are worth 1."""
    found = {}
    for conversion in conversions:
        worth = conversion["value"] or 1
        path = [
            touch for touch in touches if touch["user"] == conversion["user"] and touch["t"] <= conversion["t"]
        ]  # fmt: skip
        sources = [touch["properties"].get("source", "direct") for touch in path]
        weights = [math.exp(-math.log(2) * (conversion["t"] - touch["t"]) / (7 * DAY)) for touch in path]
        for place, source in enumerate(sources):
            row = found.setdefault(source, [0, 0, 0, 0, 0, 0])
            if place == 0:
                row[0] += 1
                row[1] += worth
                row[2] += worth
            row[3] += worth if place == len(path) - 1 else 0
            row[4] += worth / len(path)
            row[5] += worth * weights[place] / sum(weights)
    return found


def test_the_original_attribution():
    found = original_attribution(TOUCHES, CONVERSIONS)
    assert found == {
        "google": pytest.approx([2, 101, 101, 1, 34.33, 15.29], abs=0.01),
        "direct": pytest.approx([1, 1, 1, 101, 34.33, 58.14], abs=0.01),
        "email": pytest.approx([0, 0, 0, 0, 33.33, 28.57], abs=0.01),
    }


# By source: credits in the order of MODELS. A conversion without a value is worth 1, one with the value 0 nothing.
CREDITS = {
    "google": (101, 1, 34.3333, 15.2857, 41),
    "email": (0, 0, 33.3333, 28.5714, 20),
    "direct": (0, 100, 33.3333, 57.1429, 40),
}
MODELS = ["FIRST_TOUCH", "LAST_TOUCH", "LINEAR", "TIME_DECAY", "POSITION_BASED"]
COUNTS = {
    "FIRST_TOUCH": {"google": 2, "direct": 1, "email": 0},
    "LAST_TOUCH": {"google": 1, "direct": 2, "email": 0},
    "LINEAR": {"google": 2, "direct": 2, "email": 1},
    "TIME_DECAY": {"google": 2, "direct": 2, "email": 1},
    "POSITION_BASED": {"google": 2, "direct": 2, "email": 1},
}


@pytest.mark.parametrize("model", MODELS)
async def test_each_model_credits_its_own_touches(worker, env, model):
    await make_tables(env.DB, "api", "analytics")
    await add_events(env.DB, "t", TOUCHES)
    await add_conversions(env.DB, "t", CONVERSIONS)
    found = await worker.attributionAnalysis("t", {"timeRange": ALL, "model": model})
    credited = {row["source"]: list(row["attribution"].values()) for row in found}
    assert credited == {source: pytest.approx(values, abs=0.001) for source, values in CREDITS.items()}
    assert {row["source"]: row["conversions"] for row in found} == COUNTS[model]
    place = MODELS.index(model)
    for row in found:
        total = CREDITS[row["source"]][place]
        assert row["totalValue"] == pytest.approx(total, abs=0.001)
        count = COUNTS[model][row["source"]]
        assert row["averageValue"] == pytest.approx(total / count if count else 0, abs=0.001)
    values = [row["totalValue"] for row in found]
    assert values == sorted(values, reverse=True)
    assert sum(row["creditedConversions"] for row in found) == pytest.approx(3)


async def test_one_conversion_of_three_touches(worker, env):
    await make_tables(env.DB, "api", "analytics")
    await add_events(env.DB, "t", TOUCHES)
    await add_conversions(env.DB, "t", CONVERSIONS[:1])
    found = {row["source"]: row["attribution"] for row in await worker.attributionAnalysis("t", {"timeRange": ALL})}
    assert [found[source]["timeDecay"] for source in ("google", "email", "direct")] == pytest.approx(
        [14.2857, 28.5714, 57.1429], abs=0.0001
    )
    assert [found[source]["positionBased"] for source in ("google", "email", "direct")] == pytest.approx([40, 20, 40])


async def test_conversions_are_summed_and_their_paths_counted(worker, env):
    await make_tables(env.DB, "api", "analytics")
    await add_events(env.DB, "t", TOUCHES)
    await add_conversions(env.DB, "t", CONVERSIONS)
    assert await worker.conversionSummary("t", {"timeRange": ALL}) == {
        "totalConversions": 3,
        "uniqueConverters": 3,
        "totalValue": 100,
        "averageValue": 50,
    }
    assert await worker.topConvertingPaths("t", {"timeRange": ALL}) == [
        {"path": "google → email → Cta", "conversions": 1, "totalValue": 100},
        {"path": "google", "conversions": 1, "totalValue": 1},
        {"path": "direct", "conversions": 1, "totalValue": 0},
    ]


# ---- Ranges and weeks


async def test_a_date_means_the_whole_day_and_weeks_are_iso(worker, env):
    # The original counted nothing on a single day, and called this week 40.
    await make_tables(env.DB, "api", "analytics")
    await add_events(env.DB, "t", FUNNEL_EVENTS)
    day = {"start": "2025-10-09", "end": "2025-10-09"}
    assert (await worker.eventMetrics("t", {"timeRange": day}))["totalEvents"] == 12
    for text in ("20251009", "2025-W41-4"):  # ISO 8601 too
        same = {"timeRange": {"start": text, "end": text}}
        assert (await worker.eventMetrics("t", same))["totalEvents"] == 12
    weeks = await worker.trendAnalysis("t", {"metric": "EVENTS", "timeRange": day, "groupBy": "WEEK"})
    assert weeks["data"] == [{"timestamp": "2025-W41", "value": 12}]
