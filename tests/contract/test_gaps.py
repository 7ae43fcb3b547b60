"""The list of gaps: small, about steps that exist, and on the page."""

from __future__ import annotations

import json

import gaps
import pytest
from interp import RECORDINGS
from replay import verdict


def recordings(area: str) -> dict[str, int]:
    """Return the number of steps of each case of an area."""
    files = [RECORDINGS / f"{area}.public.json", RECORDINGS / "own" / f"{area}.json"]
    found = [case for file in files if file.is_file() for case in json.loads(file.read_text())["cases"]]
    return {case["id"]: len(case["results"]) for case in found}


def test_docs_gaps_is_up_to_date() -> None:
    assert gaps.main(["--check"]) == 0, "run `make gaps`"


def test_hand_written_parts_of_the_page_stay() -> None:
    page = f"# Gaps\n\nby hand\n\n{gaps.BEGIN}\nold\n{gaps.END}\n\n## Python itself\n"
    assert gaps.merge(page) == f"# Gaps\n\nby hand\n\n{gaps.render()}\n\n## Python itself\n"
    assert gaps.merge("# Gaps\n") == f"# Gaps\n\n{gaps.render()}\n"


def test_every_gap_is_about_steps_that_are_recorded() -> None:
    areas = {engine.partition(":")[0] for gap in gaps.load_gaps() for engine in gap.engines}
    steps = {case: count for area in areas for case, count in recordings(area).items()}
    for gap in gaps.load_gaps():
        assert gap.steps or gap.without
        for step in gap.steps:
            case, _, index = step.rpartition("#")
            assert int(index) < steps[case], step


@pytest.mark.parametrize("engine", ["kv:sqlite", "kv:memory", "kv:redis", "d1:sqlite", "d1:memory", "r2:moto"])
def test_at_most_3_percent_of_the_steps_are_gaps(engine: str) -> None:
    cases = recordings(engine.partition(":")[0])
    known = sum(len(gaps.gaps_of(engine, case)) for case in cases)
    assert known <= 0.03 * sum(cases.values())


def test_a_gap_that_answers_as_recorded_is_reported() -> None:
    case = {"id": "own.d1.limits.more", "results": [{"ok": index} for index in range(15)]}
    assert verdict(case, "d1", case["results"], engine="sqlite") == {
        14: ["answers as recorded, though d1-printf-limit in recordings/gaps.json says that it cannot"]
    }
