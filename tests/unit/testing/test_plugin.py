"""What a developer reads when a test that uses the plugin's fixtures fails."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFIG = (
    'name = "api"\nmain = "entry.py"\ncompatibility_date = "2026-10-01"\ncompatibility_flags = ["python_workers"]\n'
)
WORKER = """
from workers import Response, fetch as get

async def fetch(request, env):
    if request.url.endswith("/outside"):
        return await get("https://api.example.com/")
    return Response(str(len(None)))
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.path.joinpath("wrangler.toml").write_text(CONFIG)
    pytester.path.joinpath("entry.py").write_text(WORKER)
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    return pytester


def failed(project: pytest.Pytester, test: str, **counts: int) -> str:
    """Run one test and return what pytest prints."""
    project.makepyfile(test_it=test)
    result = project.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    result.assert_outcomes(**counts)
    return result.stdout.str()


def test_a_workers_exception_is_shown_without_our_frames(project: pytest.Pytester) -> None:
    text = failed(project, "async def test_it(worker):\n    await worker.fetch('/')\n", failed=1)
    assert "entry.py:7: TypeError" in text
    assert "isolate.py" not in text
    assert "suspension.py" not in text


def test_a_request_without_an_answer_fails_the_test_once(project: pytest.Pytester) -> None:
    text = failed(project, "async def test_it(worker):\n    await worker.fetch('/outside')\n", failed=1)
    assert 'add outbound.get("https://api.example.com/").respond(...)' in text


def test_a_request_without_an_answer_fails_a_test_that_caught_it(project: pytest.Pytester) -> None:
    test = """
        async def test_it(worker):
            try:
                await worker.fetch("/outside")
            except AssertionError:
                pass
    """
    text = failed(project, test, passed=1, errors=1)
    assert "no answer was registered for: GET https://api.example.com/" in text


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("entry.py", "x = (\n", "Error: api: SyntaxError: '(' was never closed\n  at {}/entry.py:1\n"),
        (
            "wrangler.toml",
            CONFIG + "vras = 1\n",
            'Error: Unexpected field found in the top level: "vras"\n  at {}/wrangler.toml:5\n  did you mean "vars"?\n',
        ),
    ],
    ids=["code", "configuration"],
)
def test_what_cannot_be_loaded_is_told_in_lines(
    project: pytest.Pytester, file: str, content: str, expected: str
) -> None:
    Path(project.path / file).write_text(content)
    text = failed(project, "async def test_it(worker):\n    pass\n", errors=1)
    assert expected.format(project.path) in text
    assert "ConfigError" not in text
