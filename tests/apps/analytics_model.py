"""The analytics as a reader of their description would write them: plain loops over lists of dicts, nothing shared
with the worker.
"""

import datetime as dt
from collections import Counter

DAY = 86_400_000


def actor(each):
    return ("user", each["user"]) if each["user"] is not None else ("session", each["session"])


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0


def within(events, start, end):
    return [event for event in events if start <= event["t"] <= end]


def in_order(events):
    return sorted(events, key=lambda event: (event["t"], event["id"]))


def moment(t):
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=t)


def top(values, limit):
    return sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))[:limit]


def bucket(t, group_by):
    at = moment(t)
    if group_by == "WEEK":
        year, week, _ = at.isocalendar()
        return f"{year}-W{week:02d}"
    return at.strftime({"HOUR": "%Y-%m-%d %H:00:00", "DAY": "%Y-%m-%d", "MONTH": "%Y-%m"}[group_by])


def sessions(events):
    found = {}
    for event in events:
        found.setdefault(event["session"], []).append(event)
    return found


def event_metrics(events):
    return {
        "totalEvents": len(events),
        "uniqueSessions": len({event["session"] for event in events}),
        "uniqueUsers": len({actor(event) for event in events}),
        "eventsByType": [{"event": name, "count": count} for name, count in top((e["event"] for e in events), 10)],
        "eventsByComponent": [
            {"component": name, "count": count}
            for name, count in top((e["component"] for e in events if e["component"] is not None), 10)
        ],
        "trend": [
            {"date": day, "count": count}
            for day, count in sorted(Counter(bucket(e["t"], "DAY") for e in events).items())
        ],
    }


def session_metrics(events):
    found = sessions(events)
    spans = [(min(e["t"] for e in each), max(e["t"] for e in each)) for each in found.values()]
    flows = {(e["properties"]["flow"], e["session"]) for e in events if "flow" in e["properties"]}
    hours = Counter(moment(start).hour for start, _ in spans)
    return {
        "totalSessions": len(found),
        "averageSessionDuration": mean(end - start for start, end in spans),
        "averageEventsPerSession": mean(len(each) for each in found.values()),
        "sessionsByHour": [{"hour": hour, "count": count} for hour, count in sorted(hours.items())],
        "topFlows": [{"flowId": flow, "sessionCount": count} for flow, count in top((flow for flow, _ in flows), 5)],
    }


def flow_metrics(events, flow):
    found = sessions([event for event in events if event["properties"].get("flow") == flow])
    durations, drops = [], []
    for each in found.values():
        completed = [event["t"] for event in each if event["event"] == "flow_completed"]
        if completed:
            durations.append(min(completed) - min(event["t"] for event in each))
        else:
            steps = [event["properties"]["step"] for event in in_order(each) if "step" in event["properties"]]
            drops.append(steps[-1] if steps else "unknown")
    total = len(found)
    return {
        "flowId": flow,
        "totalSessions": total,
        "completedSessions": len(durations),
        "completionRate": len(durations) / total if total else 0,
        "averageDuration": mean(durations),
        "dropoffPoints": [
            {"stepId": step, "stepName": step, "dropoffCount": count, "dropoffRate": count / total}
            for step, count in top(drops, 1000)
        ],
    }


def component_analytics(events, component):
    used = [event for event in events if event["component"] == component]
    users = len({actor(event) for event in used})
    return {
        "component": component,
        "totalUsage": len(used),
        "uniqueUsers": users,
        "averageInteractionsPerUser": len(used) / users if users else 0,
        "topEvents": [{"event": name, "count": count} for name, count in top((e["event"] for e in used), 5)],
    }


def trend(events, metric, group_by):
    if metric == "EVENTS":
        times = [event["t"] for event in events]
    else:
        times = [
            min(event["t"] for event in each)
            for each in sessions(events).values()
            if metric == "SESSIONS" or any(event["event"] == "flow_completed" for event in each)
        ]
    counts = Counter(bucket(t, group_by) for t in times)
    return [{"timestamp": name, "value": count} for name, count in sorted(counts.items())]


# ---- Funnels


def matches(step, event):
    return (step["event"] is None or step["event"] == event["event"]) and (
        step["component"] is None or step["component"] == event["component"]
    )


def way(events, entry, steps, window):
    """The events that one takes from an entry on."""
    taken = [entry]
    for step in steps[1:]:
        following = [
            event
            for event in events
            if matches(step, event)
            and event["t"] >= taken[-1]["t"]
            and event["id"] not in [each["id"] for each in taken]
            and (window is None or event["t"] <= entry["t"] + window)
        ]
        if not following:
            break
        taken.append(following[0])
    return taken


def funnel(events, steps, window):
    ways = []
    for someone in {actor(event) for event in events}:
        own = in_order([event for event in events if actor(event) == someone])
        entries = [event for event in own if matches(steps[0], event)]
        if window is None:
            entries = entries[:1]
        found = [way(own, entry, steps, window) for entry in entries]
        if found:
            ways.append(max(found, key=len))  # the first of the longest
    rows = []
    for index in range(len(steps)):
        reached = [each for each in ways if len(each) > index]
        before = len([each for each in ways if len(each) > index - 1]) if index else len(reached)
        rows.append(
            {
                "totalUsers": len(reached),
                "conversionFromPrevious": len(reached) / before * 100 if before else 0,
                "conversionFromStart": len(reached) / len(ways) * 100 if ways else 0,
                "dropoffCount": before - len(reached),
                "dropoffRate": (before - len(reached)) / before * 100 if before else 0,
                "averageTimeFromPrevious": mean(each[index]["t"] - each[index - 1]["t"] for each in reached)
                if index
                else 0,
                "averageTimeFromStart": mean(each[index]["t"] - each[0]["t"] for each in reached),
            }
        )
    return rows


# ---- Cohorts


def belongs(criteria, event):
    if criteria["type"] == "SIGNUP_DATE":
        return True
    had = event["properties"]
    return (
        criteria["event"] in (None, event["event"])
        and criteria["component"] in (None, event["component"])
        and all(name in had and same(had[name], value) for name, value in (criteria["properties"] or {}).items())
    )


def same(one, other):
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def members(events, criteria, start, end):
    joined = {}
    for event in in_order(events):
        if belongs(criteria, event) and (criteria["type"] != "CUSTOM" or start <= event["t"] <= end):
            joined.setdefault(actor(event), event["t"])
    return {someone: t for someone, t in joined.items() if start <= t <= end}


def later(start, period, count):
    if period != "MONTH":
        return start + count * {"DAY": DAY, "WEEK": 7 * DAY}[period]
    at = moment(start)
    month = at.year * 12 + at.month - 1 + count
    for day in range(at.day, 0, -1):
        try:
            moved = at.replace(year=month // 12, month=month % 12 + 1, day=day)
        except ValueError:
            continue
        return round((moved - moment(0)).total_seconds() * 1000)
    raise AssertionError


def retention(events, joined, start, period, count, now):
    counts = []
    for index in range(count):
        begin, end = later(start, period, index), later(start, period, index + 1)
        if index and begin > now:
            break
        counts.append(len({actor(event) for event in events if begin <= event["t"] < end} & set(joined)))
    return counts


# ---- Attribution


def source(event):
    return event["properties"].get("source") or event["properties"].get("utm_source")


LABELS = {"SOURCE": (source, "direct"), "COMPONENT": (lambda event: event["component"], "unknown")}


def shares(model, times):
    count = len(times)
    if model == "FIRST_TOUCH":
        return [1.0] + [0.0] * (count - 1)
    if model == "LAST_TOUCH":
        return [0.0] * (count - 1) + [1.0]
    if model == "LINEAR":
        return [1 / count] * count
    if model == "TIME_DECAY":
        weights = [2 ** ((t - times[-1]) / (7 * DAY)) for t in times]
        return [weight / sum(weights) for weight in weights]
    if count == 1:
        return [1.0]
    if count == 2:
        return [0.5, 0.5]
    return [0.4, *[0.2 / (count - 2)] * (count - 2), 0.4]


def touches(events, conversion, group_by):
    label, nothing = LABELS[group_by]
    own = [e for e in in_order(events) if actor(e) == actor(conversion) and e["t"] <= conversion["t"]]
    return [(label(event) or nothing, event["t"]) for event in own] or [(nothing, conversion["t"])]


def attribution(events, conversions, model, group_by):
    values, counts = {}, {}
    for conversion in conversions:
        worth = 1 if conversion["value"] is None else conversion["value"]
        path = touches(events, conversion, group_by)
        for (label, _), share in zip(path, shares(model, [t for _, t in path]), strict=True):
            values[label] = values.get(label, 0) + share * worth
            counts.setdefault(label, set())
            if share > 0:
                counts[label].add(conversion["id"])
    return {label: (len(counts[label]), value) for label, value in values.items()}


def paths(events, conversions):
    found = {}
    for conversion in conversions:
        own = [e for e in in_order(events) if actor(e) == actor(conversion) and e["t"] <= conversion["t"]]
        names = [source(event) or event["component"] or "direct" for event in own] or ["direct"]
        count, value = found.get(" → ".join(names), (0, 0))
        worth = 1 if conversion["value"] is None else conversion["value"]
        found[" → ".join(names)] = (count + 1, value + worth)
    return found
