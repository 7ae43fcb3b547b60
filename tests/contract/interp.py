"""Runs the steps of a recorded case against the host's own objects, and records what they answer.

    results = asyncio.run(record(case["steps"], build_scope({"KV": namespace})))
    assert misses(case, results, accept=also_accepted()) == {}

Calls are JavaScript-shaped, without the SDK between: ``{"target": "KV", "call": "get", "args": ["k"]}`` is
``namespace.get("k")``, awaited. The definition of the language is the recorder's ``interp.mjs``.
"""

from __future__ import annotations

import asyncio
import json
from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from interp_results import differences, encode, encode_error
from interp_values import HELPERS, Decoder, Scope, StepError, call_member, find_class, get_member, settled

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish
from pyworkers.js.promise import JsPromise, as_exception
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsObject

RECORDINGS = Path(__file__).parent / "recordings"
HANG_AFTER_S = 120.0

Step = Mapping[str, Any]


def load_cases(area: str) -> list[dict[str, Any]]:
    """Return the recorded cases of an area: ``kv``, ``d1`` ..."""
    cases: list[dict[str, Any]] = json.loads((RECORDINGS / f"{area}.public.json").read_text())["cases"]
    return cases


def build_scope(bindings: Mapping[str, Any], *, case: int = 0, **extra: Any) -> Scope:
    """Return what a case's steps can name: the bindings, ``env`` of them, and the globals."""
    scope: dict[str, Any] = {"env": JsObject(bindings), "case": case, "globalThis": js, **extra, **bindings}
    for name in ("caches", "scheduler", "navigator"):
        scope.setdefault(name, getattr(js, name, None))
    return scope


class Thrown(Exception):  # it carries an outcome
    """What a step threw; ``is_sync`` when that was before there was a promise."""

    def __init__(self, error: BaseException, *, is_sync: bool) -> None:
        super().__init__(error)
        self.error = error
        self.is_sync = is_sync


class Returned:
    """The value of a ``return`` step."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Interpreter:
    """Runs steps.

    Args:
        helpers: further functions for ``fn`` steps.
    """

    def __init__(self, helpers: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self._helpers = {**HELPERS, **(helpers or {})}

    async def record(self, steps: Sequence[Step], scope: Scope, *, hang_after_s: float | None = None) -> list[Any]:
        """Run steps and return each one's outcome: ``ok``, ``throws``, ``hangs`` or ``omitted``.

        Args:
            hang_after_s: how long a step may take, whatever it says itself.
        """
        return [await self._record_one(step, scope, hang_after_s) for step in steps]

    async def run_program(self, steps: Sequence[Step], scope: Scope) -> Any:
        """Run steps as a function's body: the value of a ``return`` step, else of the last; errors propagate."""
        last: Any = None
        for step in steps:
            try:
                last = await self._run_one(step, scope)
            except Thrown as thrown:
                if "catch" not in step:
                    raise thrown.error from None
                scope[step["catch"]] = thrown.error
                continue
            if isinstance(last, Returned):
                return last.value
        return last

    def run_program_sync(self, steps: Sequence[Step], scope: Scope) -> Any:
        """As `run_program`, without waiting for anything."""
        last: Any = None
        for step in steps:
            last = self._evaluate(step, scope)
            if isinstance(last, Returned):
                return last.value
            if "save" in step:
                scope[step["save"]] = last
        return last

    async def _record_one(self, step: Step, scope: Scope, hang_after_s: float | None) -> Any:
        limit_s = hang_after_s or step.get("timeout", HANG_AFTER_S * 1000) / 1000
        task = asyncio.ensure_future(self._run_one(step, scope))
        done, _ = await asyncio.wait([task], timeout=limit_s)
        if not done:
            task.cancel()
            await asyncio.wait([task])
            return {"hangs": True}
        try:
            value = task.result()
        except Thrown as thrown:
            encoded = await encode_error(thrown.error)
            return {"throws": {**encoded, "sync": True} if thrown.is_sync else encoded}
        if step.get("omit"):
            return {"omitted": True}
        value = value.value if isinstance(value, Returned) else value
        return {"ok": value if step.get("raw") else await encode(value)}

    async def _run_one(self, step: Step, scope: Scope) -> Any:
        if "repeat" in step:
            for index in range(step["repeat"]):
                scope[step.get("as", "i")] = index
                await self._run_one(step["step"], scope)
            return None
        if "all" in step:
            runs = [asyncio.ensure_future(self._run_one(one, scope)) for one in step["all"]]
            outcomes = await asyncio.gather(*runs, return_exceptions=True)
            return JsArray([_settlement(outcome) for outcome in outcomes])
        is_sync = True
        try:
            value = self._evaluate(step, scope)
            is_sync = False
            if isinstance(value, Returned):
                return value
            if step.get("await") is not False:
                value = await settled(value)
        except (StepError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise Thrown(error, is_sync=is_sync) from error
        if "save" in step:
            scope[step["save"]] = value
        return value

    def _evaluate(self, step: Step, scope: Scope) -> Any:
        """Return a step's value, which may be a promise."""
        decode = self._decoder(scope)
        args = [decode(arg) for arg in step.get("args", [])]
        if "let" in step:
            scope[step["let"]] = value = decode(step.get("value"))
            return value
        if "throw" in step:
            raise as_exception(decode(step["throw"]))
        if "return" in step:
            return Returned(decode(step["return"]))
        if "fn" in step:
            return self._helpers[step["fn"]](*args)
        if "new" in step:
            return find_class(step["new"]).new(*args)
        if "static" in step:
            name, _, method = step["static"].partition(".")
            return call_member(find_class(name), method, args)
        return self._evaluate_on(self._target(step["target"], decode), step, args, decode)

    def _evaluate_on(self, target: Any, step: Step, args: list[Any], decode: Decoder) -> Any:
        if "set" in step:
            if is_nullish(target):
                raise StepError(f"set on nothing: {step}")
            setattr(target, step["set"], decode(step.get("value")))
            return None
        if "get" in step:
            return get_member(target, step["get"])
        if "call" in step:
            return call_member(target, step["call"], args)
        if "chain" in step:
            return self._chain(target, step["chain"], decode)
        raise StepError(f"bad step {json.dumps(step)}")

    def _chain(self, current: Any, links: Sequence[Any], decode: Decoder) -> Any:
        for index, link in enumerate(links):
            if link == "await":
                return JsPromise.run(self._chain_on(current, links[index + 1 :], decode))
            current = _follow(current, link, decode)
        return current

    async def _chain_on(self, current: Awaitable[Any], links: Sequence[Any], decode: Decoder) -> Any:
        value = await settled(current)
        for link in links:
            value = await settled(value) if link == "await" else _follow(value, link, decode)
        return await settled(value)

    @staticmethod
    def _target(target: Any, decode: Decoder) -> Any:
        return decode.path(target) if isinstance(target, str) else decode(target)

    def _decoder(self, scope: Scope) -> Decoder:
        def make_steps(steps: Sequence[Step], params: list[str], is_async: bool) -> Callable[..., Any]:
            def function(*args: Any) -> Any:
                values = (*args, *[None] * (len(params) - len(args)))
                inner = ChainMap(dict(zip(params, values, strict=False)), scope)
                if is_async:
                    return JsPromise.run(self.run_program(steps, inner))
                return self.run_program_sync(steps, inner)

            return function

        return Decoder(scope, make_steps)


async def record(steps: Sequence[Step], scope: Scope, **options: Any) -> list[Any]:
    """Run steps with the common helpers; see `Interpreter.record`."""
    return await Interpreter().record(steps, scope, **options)


def misses(
    case: Mapping[str, Any], results: Sequence[Any], *, accept: Mapping[str, Sequence[Any]] | None = None
) -> Any:
    """Return ``{step index: [what differs]}`` of a case's results.

    Args:
        accept: further answers by ``case id#step index``, such as `also_accepted` gives.
    """
    found: dict[int, list[str]] = {}
    for index, (expected, actual) in enumerate(zip(case["results"], results, strict=True)):
        differing = differences(expected, actual)
        others = (accept or {}).get(f"{case['id']}#{index}", ())
        if differing and not any(not differences(other, actual) for other in others):
            found[index] = differing
    return found


def also_accepted(*, is_python: bool = False) -> dict[str, list[Any]]:
    """Return the answers that other versions of the runtime give, by ``case id#step index``.

    Args:
        is_python: also those that only a Python worker sees.
    """
    accepted: dict[str, list[Any]] = {}
    drift = json.loads((RECORDINGS / "version_drift.public.json").read_text())["differences"]
    for difference in drift:
        place = f"{difference['id']}#{difference['step']}"
        accepted[place] = [value for key, value in difference.items() if key.startswith("workerd")]
    if is_python:
        border = json.loads((RECORDINGS / "python_border.json").read_text())
        for place, answer in border["also_accepted"].items():
            accepted.setdefault(place, []).append(answer["result"])
    return accepted


def not_expressible() -> dict[str, str]:
    """Return the steps that Python's values cannot express, with the reason, by ``case id#step index`` or ``id#*``."""
    border: dict[str, dict[str, str]] = json.loads((RECORDINGS / "python_border.json").read_text())
    return border["not_expressible"]


def _follow(value: Any, link: Any, decode: Decoder) -> Any:
    if isinstance(link, str):
        return get_member(value, link[1:])
    return call_member(value, link[0], [decode(arg) for arg in link[1:]])


def _settlement(outcome: Any) -> Any:
    if isinstance(outcome, Thrown):
        return JsObject({"$rejected": outcome.error})
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
