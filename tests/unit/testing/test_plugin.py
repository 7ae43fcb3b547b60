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


def test_a_request_brings_the_projects_cf_and_json(project: pytest.Pytester) -> None:
    project.path.joinpath("pyproject.toml").write_text('[tool.pyworkers.dev.cf]\ncolo = "TST"\n')
    project.path.joinpath("entry.py").write_text("""
from workers import Response

async def fetch(request, env):
    body = await request.json()
    cf = request.js_object.cf
    return Response.json([request.method, request.headers["content-type"], body, cf.colo, cf.country])
""")
    test = """
        async def test_it(worker):
            response = await worker.fetch("/", method="POST", json_body={"a": 1})
            assert await response.json() == ["POST", "application/json", {"a": 1}, "TST", "US"]
            response = await worker.fetch("/", method="POST", json_body=[], headers={"Content-Type": "text/x"})
            assert await response.json() == ["POST", "text/x", [], "TST", "US"]
    """
    failed(project, test, passed=1)


def test_an_option_that_no_request_has_is_refused(project: pytest.Pytester) -> None:
    test = """
        import pytest

        @pytest.mark.parametrize(("option", "hint"), [
            ("json", "did you mean json_body?"),
            ("header", "did you mean headers?"),
            ("x", "there are body, cache, cf, credentials, duplex, fetcher, headers, integrity, json_body, keepalive, "
                "method, mode, redirect, referrer, referrerPolicy, signal"),
        ])
        async def test_it(worker, option, hint):
            with pytest.raises(TypeError) as caught:
                await worker.fetch("/", **{option: None})
            assert str(caught.value) == f'worker.fetch() has no option "{option}"; {hint}'
    """
    failed(project, test, passed=3)


def test_migrations_make_the_tables_of_a_test(project: pytest.Pytester) -> None:
    project.path.joinpath("wrangler.toml").write_text(
        CONFIG + '[[d1_databases]]\nbinding = "DB"\ndatabase_name = "main"\n'
        '[[d1_databases]]\nbinding = "OTHER"\ndatabase_name = "other"\nmigrations_dir = "sql"\n'
    )
    project.mkdir("migrations")
    project.path.joinpath("migrations/0001_users.sql").write_text("CREATE TABLE users (id INTEGER PRIMARY KEY, name);")
    project.path.joinpath("migrations/0002_ada.sql").write_text("INSERT INTO users (name) VALUES ('Ada');")
    test = """
        import pytest
        from pyworkers.errors import ConfigError, PyworkersError, UsageError

        async def test_all(env, migrate):
            await migrate()
            assert await env.DB.prepare("SELECT name FROM users").first("name") == "Ada"
            assert await env.DB.prepare("SELECT count(*) AS n FROM d1_migrations").first("n") == 2

        async def test_every_test_begins_empty(env, migrate):
            await migrate("DB")
            assert await env.DB.prepare("SELECT count(*) AS n FROM users").first("n") == 1

        async def test_wrong_names(migrate, request):
            with pytest.raises(UsageError) as caught:
                await migrate("DBS")
            assert (caught.value.message, caught.value.hint) == ('api has no D1 binding "DBS"', 'did you mean "DB"?')
            with pytest.raises(ConfigError) as caught:
                await migrate("OTHER")
            folder = request.config.rootpath / "sql"
            assert caught.value.message == f'the migrations of "OTHER" should be in {folder}, which is no folder'

        async def test_wrong_sql(env, migrate, request):
            file = request.config.rootpath / "migrations/0003_bad.sql"
            file.write_text("CREATE TABLE a (x); INSERT INTO nope VALUES (1);")
            try:
                with pytest.raises(PyworkersError) as caught:
                    await migrate()
            finally:
                file.unlink()
            assert caught.value.message == (
                "Migration 0003_bad.sql failed at statement 2: INSERT INTO nope VALUES (1);\\n  no such table: nope"
            )
            assert await env.DB.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'a'").first("n") == 0
    """
    failed(project, test, passed=4)


def test_a_clock_that_begins_now_suits_a_worker_that_reads_pythons(project: pytest.Pytester) -> None:
    project.path.joinpath("wrangler.toml").write_text(CONFIG + 'kv_namespaces = [{ binding = "KV", id = "kv" }]\n')
    project.path.joinpath("entry.py").write_text("""
import time
from workers import Response

async def fetch(request, env):
    await env.KV.put("key", "value", expiration=int(time.time()) + 100)
    return Response("kept")
""")
    project.makeconftest("""
import time
import pytest
from pyworkers.testing import ManualClock

@pytest.fixture
def clock():
    return ManualClock(time.time())
""")
    test = """
        async def test_it(worker, env, clock):
            await worker.fetch("/")
            assert await env.KV.get("key") == "value"
            await clock.advance(3600)
            assert await env.KV.get("key") is None
    """
    failed(project, test, passed=1)


KV = '[[kv_namespaces]]\nbinding = "KV"\nid = "1"\n'


def test_asynchronous_fixtures_run_as_the_test_does(project: pytest.Pytester) -> None:
    project.path.joinpath("wrangler.toml").write_text(CONFIG + KV)
    test = """
        import asyncio
        import pytest
        import workers

        log = []

        @pytest.fixture
        async def loop():
            return asyncio.get_running_loop()

        @pytest.fixture
        async def seeded(env):
            await env.KV.put("n", "41")
            yield env.KV
            log.append(await workers.env.KV.get("n"))

        @pytest.fixture(autouse=True)
        async def counted(seeded):
            await seeded.put("n", str(int(await seeded.get("n")) + 1))

        @pytest.fixture(params=["a", "b"])
        async def letter(request):
            return request.param

        async def test_it(loop, seeded):
            assert asyncio.get_running_loop() is loop
            assert await seeded.get("n") == "42"
            await seeded.put("n", "43")

        def test_what_followed_the_yield_ran_on_the_loop():
            assert log == ["43"]

        class TestMethods:
            @pytest.fixture
            async def own(self, seeded):
                self.value = await seeded.get("n")
                yield self

            async def test_it(self, own, letter):
                assert own is self
                assert self.value == "42"
                assert letter in ("a", "b")
    """
    failed(project, test, passed=4)


@pytest.mark.parametrize(
    ("body", "message", "counts"),
    [
        ("yield 1\n    yield 2", "the fixture wrong yields more than once", {"passed": 1, "errors": 1}),
        ("if False:\n        yield 1", "the fixture wrong did not yield a value", {"errors": 1}),
        ("raise LookupError('seed')", "E       LookupError: seed", {"errors": 1}),
    ],
)
def test_a_wrong_asynchronous_fixture_is_named(
    project: pytest.Pytester, body: str, message: str, counts: dict[str, int]
) -> None:
    test = (
        f"import pytest\n\n@pytest.fixture\nasync def wrong(env):\n    {body}\n\nasync def test_it(wrong):\n    pass\n"
    )
    assert message in failed(project, test, **counts)


def test_an_asynchronous_fixture_of_a_test_without_workers_is_pytests_own_error(project: pytest.Pytester) -> None:
    test = "import pytest\n\n@pytest.fixture\nasync def other():\n    pass\n\ndef test_it(other):\n    pass\n"
    assert "requested an async fixture 'other', with no plugin" in failed(project, test, errors=1)
