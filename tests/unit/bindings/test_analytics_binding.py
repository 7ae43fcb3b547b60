"""The Analytics Engine binding: what a point becomes, and the platform's limits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pyworkers.bindings.analytics import AnalyticsEngineDataset
from pyworkers.clock import ManualClock
from pyworkers.engines.analytics import DataPoint
from pyworkers.engines.analytics.sqlite_engine import SqliteAnalyticsEngine
from pyworkers.js.buffers import ArrayBuffer, Uint8Array
from pyworkers.js.convert import FROM_ENTRIES, to_js
from pyworkers.js.primitives import jsnull
from pyworkers.js.realm import REALM, Realm

NOW_MS = 1_700_000_000_000
console: list[tuple[str, str]]


@pytest.fixture(autouse=True)
def _realm() -> Iterator[None]:
    global console
    console = []
    realm = Realm(clock=ManualClock(NOW_MS / 1000), console=lambda level, args: console.append((level, str(args[0]))))
    token = REALM.set(realm)
    yield
    REALM.reset(token)


def js(value: Any) -> Any:
    return to_js(value, dict_converter=FROM_ENTRIES)


def written(*events: Any) -> list[DataPoint]:
    """What a dataset holds after these calls, with the blobs and doubles that were not given left out."""

    async def main() -> list[DataPoint]:
        async with SqliteAnalyticsEngine() as engine:
            dataset = AnalyticsEngineDataset(engine, "usage")
            for event in events:
                assert dataset.writeDataPoint(event) is None
            return await engine.read("usage")

    return [_trimmed(point) for point in asyncio.run(main())]


def _trimmed(point: DataPoint) -> DataPoint:
    blobs, doubles = list(point.blobs), list(point.doubles)
    while blobs and blobs[-1] == "":
        blobs.pop()
    while doubles and doubles[-1] == 0:
        doubles.pop()
    return replace(point, blobs=tuple(blobs), doubles=tuple(doubles))


def test_a_point_is_stored_with_its_time() -> None:
    event = js({"indexes": ["tenant"], "blobs": ["a", "é"], "doubles": [1, 2.5]})
    assert written(event) == [DataPoint("usage", NOW_MS, "tenant", ("a", "é"), (1.0, 2.5), 1)]
    assert console == []


@pytest.mark.parametrize("event", [None, jsnull, js({}), js({"unknown": 1}), js({"indexes": [jsnull]})])
def test_an_empty_point_is_a_point(event: Any) -> None:
    assert written(event) == [DataPoint("usage", NOW_MS)]


def test_blobs_are_texts_buffers_or_nothing() -> None:
    buffers = [ArrayBuffer(b"\xff\x00"), Uint8Array(ArrayBuffer(b"text"))]
    event = js({"blobs": [1, True, None, jsnull, *buffers, "\ud800"]})
    assert written(event)[0].blobs == ("1", "true", "", "", b"\xff\x00", "text", "\N{REPLACEMENT CHARACTER}")


def test_doubles_are_converted_as_javascript_does() -> None:
    doubles = written(js({"doubles": ["x", "1.5", True, jsnull, math.inf]}))[0].doubles
    assert math.isnan(doubles[0])
    assert doubles[1:] == (1.5, 1.0, 0.0, math.inf)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("x", "Failed to execute 'writeDataPoint' on 'AnalyticsEngine': parameter 1 is not of type "
              "'AnalyticsEngineEvent'."),
        (js({"blobs": "x"}), "Incorrect type for the 'blobs' field on 'AnalyticsEngineEvent': the provided value is "
                             "not of type 'Array'."),
        (js({"indexes": "x"}), "Incorrect type for the 'indexes' field on 'AnalyticsEngineEvent': the provided value "
                               "is not of type 'Array'."),
        (js({"doubles": [2**60]}), "Cannot convert a BigInt value to a number"),
    ],
)  # fmt: skip
def test_a_point_of_the_wrong_shape_is_dropped_and_the_console_told(event: Any, reason: str) -> None:
    assert written(event, js({"blobs": ["kept"]})) == [DataPoint("usage", NOW_MS, blobs=("kept",))]
    assert console == [
        ("warn", f"writeDataPoint(): the data point was dropped, as the platform refuses it: {reason}"),
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"indexes": ["a", "b"]}, "Maximum of 1 indexes supported."),
        ({"indexes": ["é" * 49]}, "Size of indexes[0] exceeds 96 bytes)."),
        ({"blobs": ["a"] * 21}, "Maximum of 20 blobs supported."),
        ({"blobs": ["a" * 8000, "é" * 4000, "a"]}, "Cumulative size of blobs exceeds 16000 bytes)."),
        ({"doubles": [0] * 21}, "Maximum of 20 doubles supported."),
    ],
)
def test_a_point_beyond_the_limits_is_dropped_and_the_console_told(fields: dict[str, Any], message: str) -> None:
    assert written(js(fields), js({"blobs": ["kept"]})) == [DataPoint("usage", NOW_MS, blobs=("kept",))]
    assert console == [
        ("warn", f"writeDataPoint(): the data point was dropped, as the platform refuses it: {message}"),
    ]


def test_a_point_at_the_limits_is_taken() -> None:
    fields = {"indexes": ["é" * 48], "blobs": ["a" * 800] * 20, "doubles": list(range(1, 21))}
    assert written(js(fields)) == [
        DataPoint("usage", NOW_MS, "é" * 48, ("a" * 800,) * 20, tuple(float(n) for n in range(1, 21)))
    ]


def test_a_write_to_a_closed_engine_is_dropped_and_the_console_told() -> None:
    async def main() -> None:
        engine = SqliteAnalyticsEngine()
        await engine.close()
        AnalyticsEngineDataset(engine, "usage").writeDataPoint(js({}))

    asyncio.run(main())
    assert console == [("warn", "writeDataPoint(): the data point was dropped: the Analytics Engine is closed")]
