"""``URLPattern`` against the answers of the real runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject

RECORDED = json.loads((Path(__file__).parent / "data" / "url_pattern.json").read_text())
COMPONENTS = ("protocol", "username", "password", "hostname", "port", "pathname", "search", "hash")


def decode(value: Any) -> Any:
    if isinstance(value, dict):
        return JsObject({name: decode(item) for name, item in value.items()})
    return jsnull if value is None else value


def encode(value: Any) -> Any:
    if isinstance(value, JsArray):
        return [encode(item) for item in value]
    if isinstance(value, JsObject):
        return {name: encode(item) for name, item in value.own_properties().items()}
    return None if value is jsnull else value


def outcome(function: Any, *args: Any) -> Any:
    try:
        return encode(function(*map(decode, args)))
    except JsException as error:
        return {"throws": [error.name, error.message]}


@pytest.mark.parametrize("case", RECORDED["patterns"], ids=lambda case: json.dumps(case["arguments"])[:60])
def test_pattern_matches_as_in_the_runtime(case: dict[str, Any]) -> None:
    if "throws" in case:
        assert outcome(js.URLPattern.new, *case["arguments"]) == {"throws": case["throws"]}
        return
    pattern = js.URLPattern.new(*map(decode, case["arguments"]))
    assert [*(getattr(pattern, name) for name in COMPONENTS), pattern.hasRegExpGroups] == case["parts"]
    found = {place: outcome(pattern.exec, *given) for place, given in enumerate(RECORDED["inputs"])}
    assert {str(place): result for place, result in found.items() if result is not None} == case["found"]


def test_pattern_is_tested_as_it_is_executed() -> None:
    pattern = js.URLPattern.new(JsObject({"pathname": "/users/:id"}))
    assert pattern.test("https://x.com/users/7") is True
    assert pattern.test("https://x.com/users") is False
    with pytest.raises(JsException) as caught:
        pattern.test(JsObject({"pathname": "/users/7"}), "https://x.com")
    assert (caught.value.name, caught.value.message) == ("TypeError", "Failed to test URLPattern")
