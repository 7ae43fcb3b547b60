"""The interpreter of recordings itself: a wrong answer is found, a recorded form is recognised."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from interp import build_scope, misses, record
from interp_results import differences
from loop_time import run

from pyworkers.js.values import JsException, JsObject


def outcome(step: dict[str, Any], **names: Any) -> Any:
    return run(record([step], build_scope(names), hang_after_s=0.05))[0]


@pytest.mark.parametrize(
    ("recorded", "actual"),
    [
        (None, {"$undef": True}),
        (1, True),
        ([1, 2], [1]),
        ({"a": 1}, {"a": 1, "b": {"$undef": True}}),
        ("<uuid>", "not one"),
        ("<number>", "5"),
        ("at <hex32>.", "at 0."),
        ({"throws": {"name": "Error", "message": "a", "sync": True}}, {"throws": {"name": "Error", "message": "a"}}),
    ],
)
def test_what_differs_is_found(recorded: Any, actual: Any) -> None:
    assert len(differences({"ok": recorded}, {"ok": actual})) == 1


@pytest.mark.parametrize(
    ("recorded", "actual"),
    [
        ("<uuid>", "0b0c1e0e-7a55-4b0e-9a5a-1f0a3a9d8f10"),
        ("<number>", 5),
        ("<duration>", 0.25),
        ("at <hex32>.", "at 0123456789abcdef0123456789abcdef."),
        ({"b": 1, "a": [None]}, {"a": [None], "b": 1}),
    ],
)
def test_a_recorded_form_is_recognised(recorded: Any, actual: Any) -> None:
    assert differences({"ok": recorded}, {"ok": actual}) == []


def test_a_throw_before_there_is_a_promise_is_told_from_a_rejection() -> None:
    async def reject() -> None:
        raise JsException("TypeError", "no")

    def throw() -> None:
        raise JsException("TypeError", "no")

    target = JsObject({"reject": reject, "throw": throw})
    error = {"name": "TypeError", "message": "no"}
    assert outcome({"target": "t", "call": "reject"}, t=target) == {"throws": error}
    assert outcome({"target": "t", "call": "throw"}, t=target) == {"throws": {**error, "sync": True}}


def test_a_step_that_never_ends_hangs() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    assert outcome({"target": "t", "call": "wait"}, t=JsObject({"wait": wait})) == {"hangs": True}


def test_another_version_s_answer_is_accepted_where_it_is_given() -> None:
    case = {"id": "c", "results": [{"ok": 1}, {"ok": 1}]}
    results = [{"ok": 2}, {"ok": 2}]
    assert list(misses(case, results, accept={"c#0": [{"ok": 2}]})) == [1]
