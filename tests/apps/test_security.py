"""What a hostile client tries: large and deep bodies, costly queries, injection, secrets in logs and errors."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Caller
from graphql import parse
from inference_ui_api import graphql_limits, passwords, tokens
from inference_ui_api.graphql_schema import api_schema
from inference_ui_api.secrets_text import KEY_PATTERN, hash_secret, new_api_key, redact
from inference_ui_api.web import is_deeper

ROOT = Path(__file__).parents[2]
GRAPHQL_TYPE = "application/graphql-response+json"


async def post(worker, path, body):
    return await worker.fetch(path, method="POST", body=body, headers={"content-type": "application/json"})


# -- bodies


@pytest.mark.parametrize("path", ["/events", "/graphql", "/stream/chat", "/stream/object", "/auth/login"])
@pytest.mark.parametrize("body", ["[" * 10_000, "[" * 65 + "]" * 65, '{"a":' * 65 + "1" + "}" * 65])
async def test_deeply_nested_bodies_are_refused(worker, path, body):
    response = await post(worker, path, body)
    text = await response.text()
    assert response.status == 400
    assert "nested too deeply" in text
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "size"),
    [("/events", 8_388_608), ("/graphql", 1_048_576), ("/stream/chat", 1_048_576), ("/auth/login", 16_384)],
)
async def test_large_bodies_are_refused(worker, path, size):
    response = await post(worker, path, json.dumps("x" * size))
    found = await response.json()
    assert (response.status, found["error"]) == (413, f"Request body is too large: at most {size} bytes")


def test_depth_is_counted_by_levels():
    assert not is_deeper([[1]], 2)
    assert is_deeper([[{}]], 2)
    assert not is_deeper("x", 0)


# -- GraphQL


async def graphql(worker, query, variables=None):
    body = json.dumps({"query": query, "variables": variables})
    headers = {"content-type": "application/json", "accept": GRAPHQL_TYPE}
    response = await worker.fetch("/graphql", method="POST", body=body, headers=headers)
    return response.status, await response.json()


def introspection(depth):
    return "{ __schema { types { fields { type { " + "ofType { " * depth + "name" + " }" * depth + " } } } } }"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (introspection(30), "Introspection is nested 34 deep; at most 20"),
        ("{" + " ".join(f"a{n}: eventCount" for n in range(101)) + "}", "The operation would cost 50500; at most"),
        (
            "{" + " ".join(f"a{n}: events(limit: 1000) {{ id type event data }}" for n in range(13)) + "}",
            "The operation would cost 58500; at most 50000. Ask for less at a time.",
        ),
        ("{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }", "Cannot spread fragment 'F' within"),
    ],
)
async def test_costly_operations_are_refused_before_they_run(worker, account, query, message):
    status, body = await graphql(Caller(worker, account), query)
    assert (status, "data" in body) == (400, False)
    assert body["errors"][0]["message"].startswith(message)


async def test_a_limit_in_a_variable_costs_what_it_says(worker, account):
    query = "query($n: Int) {" + " ".join(f"a{n}: events(limit: $n) {{ id event }}" for n in range(30)) + "}"
    caller = Caller(worker, account)
    assert (await graphql(caller, query, {"n": 1000}))[0] == 400
    assert (await graphql(caller, query, {"n": 10}))[0] == 200
    assert (await graphql(caller, query))[0] == 200  # 50 is the default


async def test_the_whole_introspection_query_is_allowed(worker):
    from graphql import get_introspection_query

    status, body = await graphql(worker, get_introspection_query(descriptions=True))
    assert (status, body.get("errors")) == (200, None)


def test_fragments_that_double_are_counted_once_each():
    doubling = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    document = parse(f"{{ ...F0 }} {doubling} fragment F60 on Query {{ version }}")
    with pytest.raises(Exception, match="The operation would cost"):
        graphql_limits.check_limits(api_schema(), document, document.definitions[0], {})


def test_depth(monkeypatch):
    monkeypatch.setattr(graphql_limits, "MAX_DEPTH", 2)
    document = parse("{ usageMetrics { usage { flowsCount } } }")
    with pytest.raises(Exception, match="The operation is nested 3 deep; at most 2"):
        graphql_limits.check_limits(api_schema(), document, document.definitions[0], {})


@pytest.mark.parametrize("text", ["' OR '1'='1", "x'); DROP TABLE events; --", '"}], "x": [{"', "%", "\x00", "${7*7}"])
async def test_text_is_never_sql(worker, env, account, text):
    caller = Caller(worker, account)
    event = {"id": text, "event": text, "component": text, "userId": text, "sessionId": text, "data": {text: text}}
    response = await post(caller, "/events", json.dumps([event, {"event": "other"}]))
    assert (await response.json())["processed"] == 2
    query = """query($t: String!, $i: ID!) { a: events(type: $t, component: $t, userId: $t, sessionId: $t) { id data }
      event(id: $i) { event } eventCount(filter: {type: $t}) flow(id: $i) { id } }"""
    _, body = await graphql(caller, query, {"t": text, "i": text})
    assert body["data"] == {
        "a": [{"id": text, "data": {text: text}}],
        "event": {"event": text},
        "eventCount": 1,
        "flow": None,
    }
    assert (await env.DB.prepare("SELECT count(*) AS n FROM events").first())["n"] == 2


# -- errors and logs


async def test_a_failure_tells_a_client_nothing(worker, env, account):
    await env.DB.prepare("DROP TABLE events").run()
    response = await post(Caller(worker, account), "/events", '{"event":"a"}')
    found = await response.json()
    assert (response.status, found) == (
        500,
        {"error": "Internal server error", "code": "INTERNAL_SERVER_ERROR"},
    )
    assert response.headers["x-request-id"]


async def test_while_developing_the_failure_is_shown(worker, env, account):
    await env.DB.prepare("DROP TABLE events").run()
    worker.isolate.env.ENVIRONMENT = "development"
    response = await post(Caller(worker, account), "/events", '{"event":"a"}')
    assert "no such table: events" in (await response.json())["detail"]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("key sk_live_abcDEF123 used", "key sk_live_[redacted] used"),
        ("/events?api_key=sk_x&a=1", "/events?api_key=[redacted]&a=1"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("{'password': 'hunter2'}", "{'password': '[redacted]'}"),
        ("eyJhbGciOiJ9.eyJzdWIiOiJ9.c2ln", "[redacted token]"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_logs_hold_no_secrets(text, safe):
    assert redact(text) == safe


def test_keys_are_random_and_of_one_form():
    keys = {new_api_key() for _ in range(100)} | {new_api_key(is_test=True) for _ in range(100)}
    assert len(keys) == 200
    assert all(KEY_PATTERN.fullmatch(key) for key in keys)
    assert hash_secret("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


SECRET = "s" * 32


def test_tokens_are_ours_unchanged_and_in_time():
    token = tokens.encode_token({"sid": "x", "exp": 100}, SECRET)
    assert tokens.decode_token(token, SECRET, now_s=99.9) == {"iss": "inference-ui", "sid": "x", "exp": 100}
    header, payload, signature = token.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    for other in (f"{none}.{payload}.", f"{none}.{payload}.{signature}", f"{header}.{payload}x.{signature}", "..", "a"):
        with pytest.raises(tokens.BadToken):
            tokens.decode_token(other, SECRET, now_s=0)
    with pytest.raises(tokens.BadToken):
        tokens.decode_token(token, "t" * 32, now_s=0)
    with pytest.raises(tokens.BadToken):
        tokens.decode_token(token, SECRET, now_s=100)
    assert tokens.sign_text("a", SECRET, purpose="x") != tokens.sign_text("a", SECRET, purpose="y")


async def test_passwords(worker):
    stored = await passwords.hash_password("correct horse")
    assert re.fullmatch(r"pbkdf2-sha256\$100000\$[\w+/=]{24}\$[\w+/=]{44}", stored)
    assert await passwords.hash_password("correct horse") != stored
    assert await passwords.is_password("correct horse", stored)
    assert not await passwords.is_password("incorrect horse", stored)
    assert not await passwords.is_password("correct horse", None)


async def test_signing_in_needs_a_secret_that_is_long_enough(worker):
    worker.isolate.env.JWT_SECRET = "short"
    response = await post(worker, "/auth/login", '{"email":"a@b","password":"x"}')
    assert (response.status, await response.json()) == (
        503,
        {"error": "Signing in is not configured", "code": "NOT_CONFIGURED"},
    )


# -- the page at /graphql


async def test_a_browser_finds_a_page_that_asks_no_other_origin(worker):
    response = await worker.fetch("/graphql", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    page = await response.text()
    assert (response.status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>GraphiQL" in page
    assert re.findall(r"(?:https?:)?//\w", page) == []
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    response = await worker.fetch("/graphql?query=%7Bversion%7D", headers={"accept": "text/html"})
    assert await response.json() == {"data": {"version": "v1"}}


# -- the seed


def test_the_seed_can_be_run_again_and_its_key_works(tmp_path):
    place = ["--persist-to", str(tmp_path / "state")]

    def run(*command):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout

    seed = ["workers/seed.py", *place, "--env-file", str(tmp_path / "vars")]
    export = ["-m", "pyworkers", "d1", "execute", "inference-ui-db", *place, "--json", "--command"]
    dump = "SELECT * FROM {0} ORDER BY 1, 2"
    listing = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name"
    assert "sk_test_LocalDemoKeyNotForProductionUse0" in run(*seed)
    tables = [row["name"] for row in json.loads(run(*export, listing))[0]["results"]]
    assert {"tenants", "events", "ai_usage", "funnels", "event_summaries", "d1_migrations"} <= {*tables}
    query = ";".join(dump.format(table) for table in tables)
    first, variables = run(*export, query), (tmp_path / "vars").read_text()
    run(*seed)
    assert [batch["results"] for batch in json.loads(first)] == [
        batch["results"] for batch in json.loads(run(*export, query))
    ]
    assert (tmp_path / "vars").read_text() == variables
    assert hash_secret("sk_test_LocalDemoKeyNotForProductionUse0") in first
    assert 'ENVIRONMENT="development"' in variables
    applied = json.loads(run(*export, "SELECT name FROM d1_migrations ORDER BY id"))[0]["results"]
    in_order = [ROOT / "workers" / name / "migrations" for name in ("api", "streaming", "analytics", "events")]
    assert [row["name"] for row in applied] == [
        file.name for folder in in_order for file in sorted(folder.glob("*.sql"))
    ]
