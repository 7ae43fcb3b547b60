"""``pipeTo`` and ``pipeThrough``.

Source: streams.spec.whatwg.org, section 4.9.1 (ReadableStreamPipeTo); recorded, contracts/fetchapi,
fetchapi.streams.pipe
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyworkers.js.abort import AbortSignal
from pyworkers.js.primitives import to_boolean
from pyworkers.js.promise import JsPromise
from pyworkers.js.streams import readers, writable
from pyworkers.js.streams.sinks import HAS_BEEN_CLOSED, WRITABLE, Sink
from pyworkers.js.streams.sources import END, NOT_READY, READABLE, Source
from pyworkers.js.streams.writable import WritableStream
from pyworkers.js.values import get_property, type_error
from pyworkers.js.webidl import argument_error, is_object

if TYPE_CHECKING:
    from pyworkers.js.streams.readable import ReadableStream


@dataclass(frozen=True, slots=True)
class PipeOptions:
    """The options of ``pipeTo``."""

    prevent_close: bool
    prevent_abort: bool
    prevent_cancel: bool
    signal: AbortSignal | None

    @classmethod
    def read(cls, value: object) -> PipeOptions:
        """Read an options object."""
        signal = get_property(value, "signal")
        if signal is not None and not isinstance(signal, AbortSignal):
            raise type_error(
                "Incorrect type for the 'signal' field on 'PipeToOptions': the provided value is not of type "
                "'AbortSignal'."
            )
        return cls(
            prevent_close=to_boolean(get_property(value, "preventClose")),
            prevent_abort=to_boolean(get_property(value, "preventAbort")),
            prevent_cancel=to_boolean(get_property(value, "preventCancel")),
            signal=signal,
        )


def pipe_to(stream: ReadableStream, destination: Any, options: object) -> JsPromise:
    """``stream.pipeTo(destination, options)``."""
    if not isinstance(destination, WritableStream):
        return JsPromise.rejected(
            type_error("Failed to execute 'pipeTo' on 'ReadableStream': parameter 1 is not of type 'WritableStream'.")
        )
    if stream.reader is not None:
        return JsPromise.rejected(type_error(readers.LOCKED))
    if destination._writer is not None:
        return JsPromise.rejected(type_error(writable.LOCKED.removesuffix(".")))
    try:
        chosen = PipeOptions.read(options)
    except Exception as error:
        return JsPromise.rejected(error)
    return _start(stream, destination, chosen)


def pipe_through(stream: ReadableStream, transform: Any, options: object) -> Any:
    """``stream.pipeThrough(transform, options)``: returns the transform's readable side."""
    from pyworkers.js.streams.readable import ReadableStream  # that module is written in terms of this one

    if not is_object(transform):
        raise argument_error("ReadableStream", "pipeThrough", 1, "Transform")
    readable_side, writable_side = get_property(transform, "readable"), get_property(transform, "writable")
    for name, side, kind in (
        ("readable", readable_side, ReadableStream),
        ("writable", writable_side, WritableStream),
    ):
        if not isinstance(side, kind):
            raise type_error(
                f"Incorrect type for the '{name}' field on 'Transform': the provided value is not of type "
                f"'{kind.js_name}'."
            )
    if stream.reader is not None:
        raise type_error(readers.LOCKED)
    if writable_side._writer is not None:
        raise type_error(writable.LOCKED)
    _start(stream, writable_side, PipeOptions.read(options)).mark_handled()
    return readable_side


def _start(stream: ReadableStream, destination: WritableStream, options: PipeOptions) -> JsPromise:
    pipe = _Pipe(stream, destination, options)
    stream.reader = destination._writer = pipe
    stream.disturbed = True
    pipe.task = asyncio.get_running_loop().create_task(pipe.run())
    return pipe.promise


class _Pipe:
    """One pipe, which locks both of its ends, and the task that runs it."""

    def __init__(self, stream: ReadableStream, destination: WritableStream, options: PipeOptions) -> None:
        self.stream, self.destination, self.options = stream, destination, options
        self.source: Source = stream.source
        self.sink: Sink = destination.sink
        self.promise = JsPromise()
        self.task: asyncio.Task[None] | None = None
        self._is_waiting = False

    async def run(self) -> None:
        """Move every chunk, pass on how either end stops, and settle the promise."""
        signal = self.options.signal
        self.sink.watch(self._interrupt)
        unsubscribe = None if signal is None else signal.subscribe(self._interrupt)
        try:
            await self._move()
        except asyncio.CancelledError as error:
            self.promise.reject(error)
            raise
        except Exception as error:
            self._unlock()
            self.promise.reject(error)
        else:
            self._unlock()
            self.promise.resolve()
        finally:
            self._unlock()
            if unsubscribe is not None:
                unsubscribe()

    def _unlock(self) -> None:
        self.stream.reader = None
        self.destination._writer = None

    async def _move(self) -> None:
        source, sink = self.source, self.sink
        while True:
            await self._stop_if_over()
            try:
                chunk = await self._next()
            except asyncio.CancelledError:
                await self._stop_if_over()  # our own interruption
                raise
            except Exception as error:
                await self._stop_if_over()
                if not self.options.prevent_abort:
                    await sink.abort(error)
                raise
            if chunk is END:
                break
            sink.write(source.js_chunk(chunk)).mark_handled()
        if not self.options.prevent_close:
            await sink.close()

    async def _next(self) -> Any:
        """Wait for room, then for a chunk; `_interrupt` ends the wait."""
        self._is_waiting = True
        try:
            if self.sink.room <= 0:
                await self.sink.ready
            chunk = self.source.take()
            return await self.source.read() if chunk is NOT_READY else chunk
        finally:
            self._is_waiting = False

    def _interrupt(self) -> None:
        """The destination is over, or the signal says so: wake a task that waits for a chunk or for room."""
        if self._is_waiting and self.task is not None:
            self.task.cancel()

    async def _stop_if_over(self) -> None:
        """Pass an abort, or the destination's end, on to the other ends; raises its reason."""
        signal, sink = self.options.signal, self.sink
        if signal is not None and signal.aborted:
            if not self.options.prevent_abort:
                await sink.abort(signal.reason)
            if not self.options.prevent_cancel:
                await self.source.cancel(signal.reason)
            raise signal.error()
        if sink.state is not WRITABLE or sink.is_closing:
            error = type_error(HAS_BEEN_CLOSED) if sink.error is None else sink.error
            if not self.options.prevent_cancel and self.source.state is READABLE:
                await self.source.cancel(error)
            raise error
