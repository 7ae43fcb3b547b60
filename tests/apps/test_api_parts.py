"""Routing, migrations, JSON bodies, and what the workers must have in common."""

from pathlib import Path

import pytest
from inference_ui_api.graphql_http import GRAPHQL_TYPE, JSON_TYPE, _negotiate
from inference_ui_api.migrations import split_statements
from inference_ui_api.routing import Route, Router
from inference_ui_api.web import HttpError, parse_json

WORKERS = Path(__file__).parents[2] / "workers"


def router():
    return Router(
        [
            Route(["/"], {"GET": "index"}, is_hidden=True),
            Route(["/events", "/api/events"], {"POST": "events"}),
            Route(["/stream/*", "/api/stream/*"], {"*": "stream"}),
            Route(["/graphql"], {"GET": "query", "POST": "query"}),
        ]
    )


@pytest.mark.parametrize(
    ("method", "path", "handler", "tail"),
    [
        ("GET", "/", "index", ""),
        ("HEAD", "/", "index", ""),
        ("POST", "/events", "events", ""),
        ("POST", "/api/events", "events", ""),
        ("POST", "/stream/chat", "stream", "/chat"),
        ("PROPFIND", "/api/stream/a/b", "stream", "/a/b"),
    ],
)
def test_routes(method, path, handler, tail):
    match = router().find(method, path)
    assert (match.handler, match.tail) == (handler, tail)


@pytest.mark.parametrize(
    ("method", "path", "status", "message", "headers"),
    [
        ("GET", "/nothing", 404, "Not found: /nothing", {}),
        ("POST", "/", 404, "Not found: /", {}),
        ("GET", "/stream/", 404, "Not found: /stream/", {}),
        ("GET", "/stream", 404, "Not found: /stream", {}),
        ("GET", "/events", 405, "Method not allowed. Use POST.", {"allow": "POST, OPTIONS"}),
        ("PUT", "/graphql", 405, "Method not allowed. Use GET or POST.", {"allow": "GET, POST, HEAD, OPTIONS"}),
    ],
)
def test_no_route(method, path, status, message, headers):
    with pytest.raises(HttpError) as caught:
        router().find(method, path)
    assert (caught.value.status, caught.value.message, caught.value.headers) == (status, message, headers)


def test_a_script_is_split_into_statements():
    script = "-- a; b\nCREATE TABLE a (\n  x TEXT DEFAULT ';' NOT NULL\n);\n\nSELECT 1;\n  -- end\nSELECT 2\n"
    assert split_statements(script) == ["CREATE TABLE a (\n  x TEXT DEFAULT ';' NOT NULL\n)", "SELECT 1", "SELECT 2"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "Invalid request: body must be JSON, it is empty"),
        (
            b"{",
            "Invalid request: body must be JSON: Expecting property name enclosed in double quotes: line 1 column 2",
        ),
        (b"NaN", "Invalid request: body must be JSON: NaN is not JSON"),
        (b'{"a": [1.5, -1e999]}', "Invalid request: body must be JSON: -1e999 is out of range"),
        (b"9" * 5000, "Invalid request: body must be JSON: a number has too many digits"),
        (b"[" * 100_000, "Invalid request: body is nested too deeply"),
        (b"\xff\xff", "Invalid request: body must be JSON: "),
    ],
)
def test_a_body_that_is_no_json(raw, message):
    with pytest.raises(HttpError) as caught:
        parse_json(raw)
    assert caught.value.status == 400
    assert caught.value.message.startswith(message)
    assert caught.value.field == "body"


def test_lone_surrogates_become_replacement_characters():
    assert parse_json(rb'["\ud83d\ude8b", "\ud83d", "\uDC00x"]') == ["🚋", "�", "�x"]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON_TYPE),
        ("*/*", JSON_TYPE),
        ("application/graphql-response+json", GRAPHQL_TYPE),
        ("application/json, application/graphql-response+json", JSON_TYPE),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL_TYPE),
        ("application/graphql-response+json;q=0.1, application/json", JSON_TYPE),
        ("application/graphql-response+json; charset=utf-8, */*", GRAPHQL_TYPE),
        ("text/html", JSON_TYPE),
        ("application/json;q=x", JSON_TYPE),
    ],
)
def test_the_media_type_that_is_preferred(accept, chosen):
    assert _negotiate(accept) == chosen


@pytest.mark.parametrize("name", ["web.py", "migrations.py"])
def test_what_the_workers_share_is_the_same_file(name):
    # Each worker is deployed with the files of its own folder only.
    copies = [
        (WORKERS / folder / name).read_bytes()
        for folder in ("api/inference_ui_api", "streaming/inference_ui_streaming")
    ]
    assert copies[0] == copies[1]


def test_migrations_of_one_database_have_different_names():
    names = [path.name for path in WORKERS.glob("*/migrations/*.sql")]
    assert sorted(set(names)) == sorted(names)


def test_the_folder_of_the_workers_does_not_hide_the_sdk():
    assert not (WORKERS / "__init__.py").exists()
