"""`env.ANALYTICS`: an Analytics Engine dataset.

A point beyond the platform's limits is thrown back at once, in its words. A point of the wrong shape passes, as it does
in the local runtime whose recordings are the reference; the platform refuses it, so it is dropped and the console told.

Source: workerd src/workerd/api/analytics-engine-impl.h; recorded, contracts/misc, misc.ae.*
"""

from __future__ import annotations

from typing import Any, Final

from pyworkers.bindings.classes import PlainClass
from pyworkers.engines.analytics.protocol import BLOBS, DOUBLES, AnalyticsEngine, DataPoint
from pyworkers.errors import EngineError
from pyworkers.js.buffers import JsBuffer
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, to_number, to_string, typeof
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsException, JsObject, get_property, js_method, type_error
from pyworkers.js.webidl import field_error, is_object, utf8

__all__ = ["AnalyticsEngineDataset"]

MAX_INDEXES: Final = 1
MAX_INDEX_BYTES: Final = 96
MAX_BLOBS_BYTES: Final = 16_000

_EVENT: Final = "AnalyticsEngineEvent"


class AnalyticsEngineDataset(PlainClass, js_name="LocalAnalyticsEngineDataset"):
    """A dataset to write to.

    Args:
        engine: holds the points of all datasets.
        dataset: the dataset's name.
    """

    def __init__(self, engine: AnalyticsEngine, dataset: str) -> None:
        self._engine = engine
        self._dataset = dataset
        self.env = JsObject({"dataset": dataset})

    def own_properties(self) -> dict[str, object]:
        """Return what the local runtime's class shows."""
        return {"env": self.env}

    @js_method
    def writeDataPoint(self, event: Any = None) -> None:
        """Write a point, without waiting for the storage.

        Args:
            event: ``indexes`` (at most one, 96 bytes), ``blobs`` (at most 20 texts, buffers or nulls, 16,000 bytes
                together), ``doubles`` (at most 20); a point beyond these limits is dropped with a warning.
        """
        try:
            indexes, blobs, doubles = _read_event(event)
            _check_limits(indexes, blobs, doubles)
        except JsException as error:
            _warn(f"the data point was dropped, as the platform refuses it: {error.message}")
            return
        point = DataPoint(
            self._dataset,
            current_realm().clock.now_ms(),
            index="" if not indexes or indexes[0] is None else indexes[0].decode("utf-8", "replace"),
            blobs=tuple(None if blob is None else _text_or_bytes(blob) for blob in blobs),
            doubles=tuple(doubles),
        )
        try:
            self._engine.write(point)
        except EngineError as error:
            _warn(f"the data point was dropped: {error}")


def _read_event(event: object) -> tuple[list[bytes | None], list[bytes | None], list[float]]:
    """Return indexes, blobs and doubles as the platform converts them.

    Raises:
        JsException: TypeError, for a shape that it does not convert.
    """
    if is_nullish(event):
        return [], [], []
    if not is_object(event):
        raise type_error(
            f"Failed to execute 'writeDataPoint' on 'AnalyticsEngine': parameter 1 is not of type '{_EVENT}'."
        )
    indexes = [_bytes(item) for item in _array(event, "indexes")]
    doubles = [_double(item) for item in _array(event, "doubles")]
    return indexes, [_bytes(item) for item in _array(event, "blobs")], doubles


def _array(event: object, field: str) -> list[Any]:
    value = get_property(event, field)
    if value is None:
        return []
    if not isinstance(value, JsArray):
        raise field_error(_EVENT, field, "Array")
    return value.items_


def _bytes(item: object) -> bytes | None:
    if is_nullish(item):
        return None
    return item.to_bytes() if isinstance(item, JsBuffer) else utf8(to_string(item))


def _double(item: object) -> float:
    if typeof(item) == "bigint":
        raise type_error("Cannot convert a BigInt value to a number")
    return to_number(item)


def _check_limits(indexes: list[bytes | None], blobs: list[bytes | None], doubles: list[float]) -> None:
    if len(indexes) > MAX_INDEXES:
        raise type_error(f"Maximum of {MAX_INDEXES} indexes supported.")
    if indexes and len(indexes[0] or b"") > MAX_INDEX_BYTES:
        raise type_error(f"Size of indexes[0] exceeds {MAX_INDEX_BYTES} bytes).")
    if len(blobs) > BLOBS:
        raise type_error(f"Maximum of {BLOBS} blobs supported.")
    if sum(len(blob) for blob in blobs if blob is not None) > MAX_BLOBS_BYTES:
        raise type_error(f"Cumulative size of blobs exceeds {MAX_BLOBS_BYTES} bytes).")
    if len(doubles) > DOUBLES:
        raise type_error(f"Maximum of {DOUBLES} doubles supported.")


def _text_or_bytes(blob: bytes) -> str | bytes:
    """Return text where it is text: the platform's columns do not tell a string from its UTF-8 bytes."""
    try:
        return blob.decode()
    except UnicodeDecodeError:
        return blob


def _warn(text: str) -> None:
    current_realm().console("warn", (f"writeDataPoint(): {text}",))
