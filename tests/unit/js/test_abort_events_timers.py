from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from pyworkers.js.objects import JsArray
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.scope import module as js
from pyworkers.js.timers import cancel_timers
from pyworkers.js.values import JsException, JsObject


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def in_realm(function: Any) -> Any:
    """Run a coroutine function in a realm of its own; returns its result and what the console got."""
    lines: list[Any] = []

    async def main() -> Any:
        REALM.set(Realm(console=lambda level, args: lines.append((level, *args))))
        return await function()

    return run(main()), lines


# ---- AbortController


def test_abort_without_a_reason_is_an_abort_error():
    control = js.AbortController.new()
    assert (control.signal.aborted, control.signal.reason) == (False, None)
    control.abort()
    reason = control.signal.reason
    assert (str(reason), reason.constructor.name, reason.code, reason.retryable) == (
        "AbortError: The operation was aborted",
        "DOMException",
        20,
        True,
    )
    with pytest.raises(JsException) as caught:
        control.signal.throwIfAborted()
    assert caught.value is reason


def test_the_first_reason_stays():
    control = js.AbortController.new()
    control.abort("custom")
    control.abort("later")
    assert control.signal.reason == "custom"
    with pytest.raises(JsException, match=r"^Error: custom$"):
        control.signal.throwIfAborted()


def test_abort_listeners_run_once():
    seen: list[Any] = []
    control = js.AbortController.new()
    control.signal.onabort = lambda event: seen.append(("on", event.type))
    control.signal.addEventListener("abort", lambda event: seen.append(event.target is control.signal))
    control.abort()
    control.abort()
    assert seen == [("on", "abort"), True]


def test_timeout_aborts_with_a_timeout_error():
    async def main() -> Any:
        signal = js.AbortSignal.timeout(1)
        done = asyncio.get_running_loop().create_future()
        signal.onabort = done.set_result
        await done
        return str(signal.reason), signal.reason.code

    assert run(main()) == ("TimeoutError: The operation was aborted due to timeout", 23)


def test_any_follows_the_first():
    first, second = js.AbortController.new(), js.AbortController.new()
    joined = js.AbortSignal.any(JsArray([first.signal, second.signal]))
    second.abort("two")
    first.abort("one")
    assert (joined.aborted, joined.reason) == (True, "two")
    assert js.AbortSignal.any(JsArray([js.AbortSignal.abort("x")])).reason == "x"


def test_signals_cannot_be_constructed():
    with pytest.raises(JsException, match=r"^TypeError: Illegal constructor$"):
        js.AbortSignal.new()


# ---- EventTarget


def test_listeners_run_in_order_and_only_once_each():
    seen: list[str] = []
    target = js.EventTarget.new()

    def first(_event: Any) -> None:
        seen.append("first")

    target.addEventListener("x", first)
    target.addEventListener("x", first)
    target.addEventListener("x", lambda _event: seen.append("once"), once=True)
    target.dispatchEvent(js.Event.new("x"))
    target.removeEventListener("x", first)
    target.dispatchEvent(js.Event.new("x"))
    assert seen == ["first", "once"]


def test_prevent_default_needs_a_cancelable_event():
    target = js.EventTarget.new()
    target.addEventListener("x", lambda event: event.preventDefault())
    assert target.dispatchEvent(js.Event.new("x")) is True
    assert target.dispatchEvent(js.Event.new("x", cancelable=True)) is False


def test_stop_immediate_propagation():
    seen: list[int] = []
    target = js.EventTarget.new()
    target.addEventListener("x", lambda event: event.stopImmediatePropagation())
    target.addEventListener("x", lambda _event: seen.append(1))
    target.dispatchEvent(js.Event.new("x"))
    assert seen == []


def test_a_signal_removes_a_listener():
    seen: list[int] = []
    control, target = js.AbortController.new(), js.EventTarget.new()
    target.addEventListener("x", lambda _event: seen.append(1), signal=control.signal)
    control.abort()
    target.dispatchEvent(js.Event.new("x"))
    assert seen == []


def test_error_of_a_listener_ends_the_dispatch():
    async def main() -> list[str]:
        seen: list[str] = []
        target = js.EventTarget.new()

        def fails(_event: Any) -> None:
            raise JsException("RangeError", "sync")

        target.addEventListener("x", fails)
        target.addEventListener("x", lambda _event: seen.append("second"))
        event = js.Event.new("x")
        with pytest.raises(JsException, match="RangeError: sync"):
            target.dispatchEvent(event)
        target.removeEventListener("x", fails)
        target.dispatchEvent(event)
        return seen

    assert in_realm(main) == (["second"], [])


def test_errors_of_asynchronous_listeners_go_to_the_console_and_stop_nobody():
    async def main() -> list[str]:
        seen: list[str] = []
        target = js.EventTarget.new()

        async def fails_later(_event: Any) -> None:
            await asyncio.sleep(0)
            raise JsException("TypeError", "async")

        target.addEventListener("x", fails_later)
        target.addEventListener("x", lambda _event: seen.append("third"))
        target.dispatchEvent(js.Event.new("x"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return seen

    assert in_realm(main) == (
        ["third"],
        [("error", "Uncaught (in promise) TypeError: async")],
    )


def test_event_classes_read_their_fields():
    custom = js.CustomEvent.new("c", detail=JsObject({"a": 1}))
    message = js.MessageEvent.new("message", data="d")
    close = js.CloseEvent.new("close", code=1001, reason="bye", wasClean=True)
    error = js.ErrorEvent.new("error", message="m", error="e")
    assert (custom.type, custom.detail.a, js.CustomEvent.new("x").detail) == ("c", 1, None)
    assert (message.data, close.code, close.reason, close.wasClean) == ("d", 1001, "bye", True)
    assert (error.message, error.error, error.lineno) == ("m", "e", 0)


def test_only_events_can_be_dispatched():
    with pytest.raises(JsException, match="parameter 1 is not of type 'Event'"):
        js.EventTarget.new().dispatchEvent("x")


# ---- timers


def test_timers_fire_in_order_with_their_arguments():
    async def main() -> list[str]:
        seen: list[str] = []
        done = asyncio.get_running_loop().create_future()
        js.setTimeout(lambda: (seen.append("late"), done.set_result(None)), 3)
        js.setTimeout(seen.append, 1, "early")
        js.clearTimeout(js.setTimeout(seen.append, 1, "never"))
        js.clearTimeout(12345)
        await done
        return seen

    assert run(main()) == ["early", "late"]


def test_an_interval_repeats_until_cleared():
    async def main() -> int:
        count = 0
        done = asyncio.get_running_loop().create_future()

        async def tick() -> None:
            nonlocal count
            await asyncio.sleep(0)
            count += 1
            if count == 3:
                js.clearInterval(timer)
                done.set_result(None)

        timer = js.setInterval(tick, 1)
        assert isinstance(timer, int)
        await done
        return count

    assert run(main()) == 3


def test_callbacks_run_in_the_context_that_set_them():
    variable: ContextVar[str] = ContextVar("variable")

    async def main() -> list[str]:
        seen: list[str] = []
        variable.set("inner")
        js.setTimeout(lambda: seen.append(variable.get()), 0)
        js.queueMicrotask(lambda: seen.append(variable.get()))
        variable.set("outer")
        await js.scheduler.wait(1)
        return seen

    assert sorted(run(main())) == ["inner", "inner"]


def test_a_realm_can_cancel_what_it_has_set():
    async def main() -> list[int]:
        realm = Realm()
        REALM.set(realm)
        seen: list[int] = []
        js.setTimeout(seen.append, 0, 1)
        js.setInterval(seen.append, 1, 2)
        cancel_timers(realm)
        await asyncio.sleep(0.003)
        return seen

    assert run(main()) == []


def test_callbacks_must_be_functions():
    async def main() -> list[str]:
        texts = []
        for function in (js.setTimeout, js.queueMicrotask):
            with pytest.raises(JsException) as caught:
                function("alert()")
            texts.append(caught.value.name)
        return texts

    assert run(main()) == ["TypeError", "TypeError"]


def test_a_signal_ends_scheduler_wait():
    async def main() -> str:
        with pytest.raises(JsException) as caught:
            await js.scheduler.wait(10_000, signal=js.AbortSignal.timeout(1))
        return caught.value.name

    assert run(main()) == "TimeoutError"


def test_an_error_of_a_timer_goes_to_the_console():
    async def main() -> None:
        def fails() -> None:
            raise JsException("Error", "boom")

        js.setTimeout(fails, 0)
        await js.scheduler.wait(2)

    assert in_realm(main)[1] == [("error", "Uncaught Error: boom")]


def test_message_channels_copy_and_wait_for_a_listener():
    async def main() -> Any:
        channel = js.MessageChannel.new()
        sent = JsArray([1])
        channel.port2.postMessage(sent)
        sent.append(2)
        received = asyncio.get_running_loop().create_future()
        channel.port1.onmessage = lambda event: received.set_result(event.data)
        return list(await received)

    assert run(main()) == [1]
