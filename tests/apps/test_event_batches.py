"""The events that POST /events takes, in their three shapes."""

import itertools
import json
import uuid

import pytest
from inference_ui_api.events import MAX_EVENTS, Event, read_batch
from inference_ui_api.ids import id_maker, new_id
from inference_ui_api.web import HttpError

NOW_MS = 1_760_000_000_000


def read(body):
    ids = (f"new-{number}" for number in itertools.count(1))
    return read_batch(body, now_ms=NOW_MS, new_id=lambda: next(ids))


CLICK = Event(
    id="new-2",
    event="click",
    component=None,
    properties={},
    metadata=None,
    user_id=None,
    session_id="new-1",
    timestamp_ms=NOW_MS,
)


@pytest.mark.parametrize(
    "body",
    [
        {"event": "click"},
        [{"event": "click"}],
        {"events": [{"type": "click"}]},
        {"event": "", "type": "click"},
    ],
)
def test_three_shapes(body):
    assert read(body).events == [CLICK]
    assert read(body).failures == []


def test_what_the_published_clients_send():
    queue = {
        "events": [
            {
                "id": "1-a",
                "timestamp": 1_759_999_999_999,
                "sessionId": "s",
                "userId": "u",
                "event": "button_press",
                "properties": {"component": "Button", "button": "ok"},
            }
        ],
        "timestamp": NOW_MS,
    }
    assert read(queue).events == [
        Event(
            "1-a", "button_press", "Button", {"component": "Button", "button": "ok"}, None, "u", "s", 1_759_999_999_999
        )
    ]
    node = [{"event": "click", "data": {"a": 1}}]
    assert read(node).events == [CLICK._replace(properties={"a": 1})]
    mcp = {
        "events": [{"type": "click", "data": {"a": 1}, "metadata": {"x": 1}}],
        "metadata": {"source": "mcp", "batchId": "b"},
    }
    assert read(mcp).events == [CLICK._replace(properties={"a": 1}, metadata={"source": "mcp", "batchId": "b", "x": 1})]


def test_events_without_a_session_share_one():
    assert [event.session_id for event in read([{"event": "a"}, {"event": "b"}]).events] == ["new-1", "new-1"]
    assert read({"sessionId": "s", "events": [{"event": "a"}]}).events[0].session_id == "s"


@pytest.mark.parametrize(
    ("sent", "time_ms"),
    [
        (0, 0),
        (1000, 1000),
        (1.6, 2),
        ("2025-10-09T08:53:20Z", NOW_MS),
        ("2025-10-09T14:23:20+05:30", NOW_MS),
        ("2025-10-09", 1_759_968_000_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_times(sent, time_ms):
    assert read({"event": "a", "timestamp": sent}).events[0].timestamp_ms == time_ms


TIME = "timestamp must be milliseconds since the epoch or an ISO 8601 time"


@pytest.mark.parametrize(
    ("event", "field", "message"),
    [
        ({"invalid": "data"}, "event", "event is required"),
        ({"event": ""}, "event", "event is required"),
        ({"event": 1}, "event", "event must be a string of at most 256 characters"),
        ({"type": "x" * 257}, "type", "type must be a string of at most 256 characters"),
        ("click", "event", "event must be an object"),
        (None, "event", "event must be an object"),
        ({"event": "a", "properties": []}, "properties", "properties must be an object"),
        ({"event": "a", "data": "x"}, "data", "data must be an object"),
        ({"event": "a", "data": {"x": "y" * 65_536}}, "data", "data must be at most 65536 bytes of JSON"),
        ({"event": "a", "timestamp": -1}, "timestamp", TIME),
        ({"event": "a", "timestamp": "soon"}, "timestamp", TIME),
        ({"event": "a", "timestamp": "2025-13-01"}, "timestamp", TIME),
        ({"event": "a", "timestamp": True}, "timestamp", TIME),
        ({"event": "a", "timestamp": 10**400}, "timestamp", TIME),
        ({"event": "a", "timestamp": 253_402_300_800_000}, "timestamp", TIME),  # has no day in SQLite's calendar
        ({"event": "a", "timestamp": "9999-12-31T23:59:59-01:00"}, "timestamp", TIME),
        ({"event": "", "type": ""}, "type", "type is required"),
        ({"event": "a", "userId": {}}, "userId", "userId must be a string of at most 256 characters"),
    ],
)
def test_a_wrong_event_is_named_and_the_others_are_taken(event, field, message):
    batch = read([{"event": "ok"}, event])
    assert [accepted.event for accepted in batch.events] == ["ok"]
    assert [failure.as_json() for failure in batch.failures] == [
        {"index": 1, "id": None, "field": field, "message": message}
    ]


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [("x", "must be an object"), ({"x": "é" * 2048}, "must be at most 4096 bytes of JSON")],
)
def test_metadata_of_a_body_is_small_for_it_is_stored_with_each_event(metadata, problem):
    batch = read({"events": [{"type": "a"}, {"event": ""}], "metadata": metadata})
    assert batch.events == []
    assert [(failure.index, failure.field, failure.message) for failure in batch.failures] == [
        (0, "metadata", f"metadata {problem}"),
        (1, "event", "event is required"),
    ]


def test_the_largest_metadata_of_a_body():
    metadata = {"x": "é" * 2043}  # 4,096 bytes of JSON
    assert [event.metadata for event in read({"events": [{"type": "a"}] * 2, "metadata": metadata}).events] == [
        metadata,
        metadata,
    ]


@pytest.mark.parametrize("member", ["\x01" * 8_000, [["x" * 100] * 100] * 2, 2**60, 1e300, -1.5e-300, True, None])
@pytest.mark.parametrize("members", [1, 64, 65, 900])
def test_properties_are_measured_as_json_whatever_they_hold(member, members):
    properties = {f"{place:0>9}": member for place in range(members)}
    is_too_large = len(json.dumps(properties, ensure_ascii=False).encode()) > 65_536
    batch = read([{"event": "a", "properties": properties}])
    message = "properties must be at most 65536 bytes of JSON"
    assert [failure.message for failure in batch.failures] == [message] * is_too_large


@pytest.mark.parametrize(
    ("body", "status", "message", "field"),
    [
        (None, 400, "Invalid request: body must be an event or an array of events", "body"),
        ("x", 400, "Invalid request: body must be an event or an array of events", "body"),
        ({"events": {}}, 400, "Invalid request: events must be an array", "events"),
        ([{"event": "a"}] * 1001, 413, "Too many events: 1001, at most 1000 in one request", "events"),
    ],
)
def test_a_wrong_body_is_refused(body, status, message, field):
    with pytest.raises(HttpError) as caught:
        read(body)
    assert (caught.value.status, caught.value.message, caught.value.field) == (status, message, field)


def test_nothing_is_nothing():
    assert read([]).events == []


def test_ids_of_a_post_are_uuids_that_sort_by_time():
    def made(now_ms):
        make = id_maker(now_ms)
        return [make() for _ in range(MAX_EVENTS + 1)]  # and one for their session

    first, later = made(NOW_MS), made(NOW_MS + 1)
    ids = [*first, *later]
    assert ids == sorted(set(ids))
    assert {(uuid.UUID(each).version, uuid.UUID(each).variant) for each in ids} == {(7, uuid.RFC_4122)}
    assert {int(uuid.UUID(each)) >> 80 for each in first} == {NOW_MS}


def test_random_ids_are_uuids():
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert {(uuid.UUID(each).version, uuid.UUID(each).variant, str(uuid.UUID(each)) in ids) for each in ids} == {
        (4, uuid.RFC_4122, True)
    }
