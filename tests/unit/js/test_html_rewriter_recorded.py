"""``HTMLRewriter`` against what the real runtime made of the same documents and rules."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from html_cases import Case, run_case
from hypothesis import given, settings
from hypothesis import strategies as st

CASES: list[Case] = json.loads((Path(__file__).parent / "data" / "html_rewriter.json").read_text())["cases"]
MARKUP = st.text(alphabet="<>/!-?'\"= abpsé&", max_size=12) | st.sampled_from(
    ["<p>", "</p>", "<script>", "</script>", "<!--", "-->", "<title>", "</title>", "<svg>", "<![CDATA[", "]]>", "<br/>"]
)
RULES = [
    ["p", {"element": [["setAttribute", "x", '"'], ["append", "<i>"]]}],
    ["*", {"element": [["before", "("], ["after", ")"]], "comments": [["replace", "C"]]}],
    [None, {"end": [["append", "$", {"html": True}]]}],
]


@pytest.mark.parametrize("group", range(0, len(CASES), 40))
def test_rewritten_document_is_what_the_runtime_makes_of_it(group: int) -> None:
    async def run() -> None:
        for case in CASES[group : group + 40]:
            assert await run_case(case) == case["result"], case["html"]

    asyncio.run(run())


@given(st.data(), st.sampled_from(CASES))
@settings(max_examples=150, deadline=None)
def test_output_does_not_depend_on_where_the_input_is_split(data: st.DataObject, case: Case) -> None:
    rules = [
        [selector, {name: operations for name, operations in handlers.items() if name != "text"}]
        for selector, handlers in case["rules"]
    ]
    assert_same_when_split(data, {"html": case["html"], "rules": rules})


@given(st.data(), st.lists(MARKUP, max_size=8).map("".join))
@settings(max_examples=150, deadline=None)
def test_any_document_gives_the_same_output_however_it_is_split(data: st.DataObject, html: str) -> None:
    assert_same_when_split(data, {"html": html, "rules": RULES})


def assert_same_when_split(data: st.DataObject, case: Case) -> None:
    document = case["html"].encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(document)))))
    ends = zip([0, *cuts], [*cuts, len(document)], strict=True)
    chunks = [chunk for start, end in ends if (chunk := document[start:end])]
    assert asyncio.run(run_case(case, chunks)) == asyncio.run(run_case(case))


@given(st.lists(MARKUP, max_size=8).map("".join))
@settings(max_examples=150, deadline=None)
def test_document_that_nobody_changes_passes_as_it_is(html: str) -> None:
    rules = [["*", {"element": []}], [None, {"text": [], "comments": [], "doctype": [], "end": []}]]
    result = asyncio.run(run_case({"html": html, "rules": rules}))
    assert result in ({"output": html, "log": []},) or result["error"][0] == "TypeError"
