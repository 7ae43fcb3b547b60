"""Queuing strategies: how much a stream buffers before it asks its producer to wait.

Source: streams.spec.whatwg.org, section 7
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyworkers.js.buffers import JsBuffer
from pyworkers.js.primitives import number, to_number
from pyworkers.js.values import JsProxy, call, get_property, type_error
from pyworkers.js.webidl import constructor_error, is_object, to_uint64


@dataclass(frozen=True, slots=True)
class Strategy:
    """A high-water mark, in units of ``size``; without a function every chunk counts 1."""

    high_water_mark: float
    size: Callable[..., Any] | None = None

    def size_of(self, chunk: object) -> float:
        """Return a chunk's size.

        Raises:
            JsException: TypeError, when the function returns no usable size.
        """
        return 1 if self.size is None else to_uint64(call(self.size, chunk))


def read_strategy(value: object, default_mark: float) -> Strategy:
    """Read the ``{highWaterMark, size}`` argument of a stream's constructor."""
    mark = get_property(value, "highWaterMark")
    high_water_mark = default_mark if mark is None else to_uint64(mark)
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


class _QueuingStrategy(JsProxy, read_only="highWaterMark size"):
    def __init__(self, high_water_mark: int | float) -> None:
        self.highWaterMark = high_water_mark

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new CountQueuingStrategy({highWaterMark})``."""
        if not args or not is_object(args[0]):
            raise constructor_error(cls.js_name, 1, "QueuingStrategyInit")
        return cls(number(to_number(get_property(args[0], "highWaterMark") if args else None)))


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
