"""``URL`` against the web-platform-tests' data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException

DATA = Path(__file__).parents[2] / "data" / "wpt"
COMPONENTS = ("href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search")
CHANGED = json.loads((DATA / "changed_since.json").read_text())
NEWER_URLS = {(case["input"], case["base"]): case for case in CHANGED["urls"]}
NEWER_SETTERS = {(case["property"], case["href"], case["new_value"]): case for case in CHANGED["setters"]}
URLS = [case for case in json.loads((DATA / "urltestdata.json").read_text()) if isinstance(case, dict)]
SETTERS = [
    (name, case)
    for name, cases in json.loads((DATA / "setters_tests.json").read_text()).items()
    if name != "comment"
    for case in cases
]


def parse(case: dict[str, Any]) -> Any:
    base = case.get("base")
    return js.URL.new(case["input"]) if base is None else js.URL.new(case["input"], base)


@pytest.mark.parametrize("case", URLS, ids=lambda case: repr(case["input"])[:60])
def test_url_is_parsed_as_the_standard_says(case: dict[str, Any]) -> None:
    case = NEWER_URLS.get((case["input"], case.get("base")), case)
    if case.get("failure"):
        with pytest.raises(JsException) as caught:
            parse(case)
        assert (caught.value.name, caught.value.message) == ("TypeError", "Invalid URL string.")
        assert js.URL.canParse(case["input"], case.get("base")) is False
        return
    url = parse(case)
    expected = {name: case[name] for name in (*COMPONENTS, "hash") if name in case}
    assert {name: getattr(url, name) for name in expected} == expected
    if "searchParams" in case:
        assert url.searchParams.toString() == case["searchParams"]


@pytest.mark.parametrize(("name", "case"), SETTERS, ids=lambda value: value if isinstance(value, str) else None)
def test_component_is_set_as_the_standard_says(name: str, case: dict[str, Any]) -> None:
    case = NEWER_SETTERS.get((name, case["href"], case["new_value"]), case)
    url = js.URL.new(case["href"])
    setattr(url, name, case["new_value"])
    assert {component: getattr(url, component) for component in case["expected"]} == case["expected"]
