"""Queuing strategies: how much a stream buffers before it asks its producer to wait.

Source: streams.spec.whatwg.org, section 7
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyworkers.js.buffers import JsBuffer
from pyworkers.js.primitives import to_number
from pyworkers.js.values import JsProxy, call, get_property, range_error, type_error


@dataclass(frozen=True, slots=True)
class Strategy:
    """A high-water mark, in units of ``size``; without a function every chunk counts 1."""

    high_water_mark: float
    size: Callable[..., Any] | None = None

    def size_of(self, chunk: object) -> float:
        """Return a chunk's size.

        Raises:
            JsException: RangeError, when the function returns no usable size.
        """
        if self.size is None:
            return 1
        size = to_number(call(self.size, chunk))
        if math.isnan(size) or math.isinf(size) or size < 0:
            raise range_error("The return value of a queuing strategy's size function must be a finite, "
                              "non-NaN, non-negative number")  # fmt: skip
        return size


def read_strategy(value: object, default_mark: float) -> Strategy:
    """Read the ``{highWaterMark, size}`` argument of a stream's constructor."""
    mark = get_property(value, "highWaterMark")
    high_water_mark = default_mark if mark is None else to_number(mark)
    if math.isnan(high_water_mark) or high_water_mark < 0:
        raise range_error("Invalid highWaterMark")
    size = get_property(value, "size")
    if size is not None and not callable(size):
        raise type_error("Incorrect type for the 'size' field on 'StreamQueuingStrategy': the provided value is "
                         "not of type 'function'.")  # fmt: skip
    if isinstance(value, CountQueuingStrategy):
        size = None
    return Strategy(high_water_mark, size)


def member(source: object, name: str) -> Any:
    """Read a method of an underlying source, sink or transformer: an object, or a proxied Python object."""
    if isinstance(source, JsProxy | dict):
        return get_property(source, name)
    return getattr(source, name, None)  # a Python object's attributes are properties of its proxy


class _QueuingStrategy(JsProxy):
    def __init__(self, high_water_mark: int | float) -> None:
        self.highWaterMark = high_water_mark

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new CountQueuingStrategy({highWaterMark})``."""
        mark = get_property(args[0], "highWaterMark") if args else None
        if mark is None:
            raise type_error(f"Missing 'highWaterMark' in the init of {cls.js_name}.")
        return cls(mark)


class CountQueuingStrategy(_QueuingStrategy):
    """Counts chunks."""

    def size(self, _chunk: object = None, *_: object) -> int:
        """Return 1."""
        return 1


class ByteLengthQueuingStrategy(_QueuingStrategy):
    """Counts bytes."""

    def size(self, chunk: object = None, *_: object) -> int | None:
        """Return the byte length of a buffer; undefined for anything else."""
        return chunk.view.nbytes if isinstance(chunk, JsBuffer) else None
