"""Recordings of real Python Workers, replayed: types, reprs and errors on the Python side of the boundary.

The recordings were made on CPython 3.14; what differs between versions of CPython itself is not compared.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pyworkers.js.error_names import ERROR_NAMES
from pyworkers.js.values import JsException, JsProxy, dom_exception, type_error
from pyworkers.runtime.environment import js_value
from pyworkers.runtime.events import Event
from pyworkers.runtime.services import Fetcher

HERE = Path(__file__).parent
CASES = json.loads((HERE / "recordings" / "python.public.json").read_text())["cases"]
BORDER = json.loads((HERE / "recordings" / "python_border.json").read_text())

MAIN = """
name = "recorded"
main = "entry.py"
compatibility_date = "2026-08-01"
compatibility_flags = ["python_workers_314"]

[vars]
TEXT = "plain"
NUM = 5

[[kv_namespaces]]
binding = "KV"
id = "kv"

[[d1_databases]]
binding = "DB"
database_name = "db"

[[r2_buckets]]
binding = "R2"
bucket_name = "r2"

[[durable_objects.bindings]]
name = "OBJ"
class_name = "Obj"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Obj"]

[[queues.producers]]
binding = "Q"
queue = "q"

[[services]]
binding = "PYSVC"
service = "pysvc"

[[services]]
binding = "JSVC"
service = "jsvc"
"""

SERVICE = """
name = "pysvc"
main = "service.py"
compatibility_date = "2026-08-01"
compatibility_flags = ["python_workers_314"]
"""


@pytest.fixture
def worker_config(tmp_path):
    for folder, config, files in (("main", MAIN, ("entry.py", "recorder.py")), ("pysvc", SERVICE, ("service.py",))):
        place = tmp_path / folder
        place.mkdir()
        (place / "wrangler.toml").write_text(config)
        for name in files:
            (place / name).write_text((HERE / "python" / name).read_text())
    return [tmp_path / "main" / "wrangler.toml", tmp_path / "pysvc" / "wrangler.toml"]


def cases(*, handler):
    return [
        pytest.param(case, id=case["id"])
        for case in CASES
        if ("handler" in case) == handler and f"{case['id']}#0" not in BORDER["not_expressible"]
    ]


@pytest.mark.filterwarnings("ignore:coroutine '_BindingWrapper")  # python.rpcjs.targets is about it
@pytest.mark.parametrize("case", cases(handler=False))
async def test_values_on_the_python_side(case, worker, runtime):
    runtime.primary.env.replace("JSVC", javascript_service(runtime))
    null_var(runtime)
    response = await worker.fetch(
        "http://127.0.0.1:8787/run", method="POST", body=case["code"], headers={"host": "127.0.0.1:8787"}
    )
    got = json.loads(await response.text())
    for index, (recorded, actual) in enumerate(zip(case["results"], got, strict=True)):
        if f"{case['id']}#{index}" not in BORDER["not_expressible"]:
            compare(recorded, actual, f"{case['id']}#{index}")


@pytest.mark.filterwarnings("ignore:coroutine 'sleep' was never awaited")  # python.handler.unawaited is about it
@pytest.mark.parametrize("case", cases(handler=True))
async def test_what_a_handler_returns(case, worker, runtime):
    runtime.primary.namespace.import_module("entry").CODE["case"] = case["handler"]
    options = {"method": case["request"].get("method", "GET")}
    if "body" in case["request"]:
        options["body"] = case["request"]["body"]
    expected = case["results"][0]["ok"]
    response, error = await outcome(worker.fetch("/case", **options))
    if isinstance(error, JsException):
        assert (expected["status"], expected["body"]) == (500, str(error))
    elif error is not None:
        # The recording's driver printed the traceback: its last line is the exception's own.
        first, *_, last = expected["body"].splitlines()
        assert (expected["status"], first) == (500, "Error: PythonError: Traceback (most recent call last):")
        assert f"{type_name(type(error))}: {error}" == last
    else:
        headers = [
            [name.decode("latin-1"), value.decode("latin-1")] for name, value in response.js_object.header_list()
        ]
        shown = [pair for pair in headers if pair[0] in {"content-type", "x-a", "set-cookie", "location"}]
        body = "" if options["method"] == "HEAD" else await response.text()
        assert {"status": response.status, "headers": shown, "body": body} == expected


async def outcome(awaitable):
    """Return the result, or the error that was raised in its place."""
    try:
        return await awaitable, None
    except Exception as error:
        return None, error


def type_name(cls):
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def compare(recorded, actual, where):
    if where.startswith("python.env.vars#9"):  # dir(env): the class's own names are CPython's
        names = {name for name in re.findall(r"'(\w+)'", recorded["ok"]["repr"]) if not name.startswith("__")}
        assert names == {name for name in re.findall(r"'(\w+)'", actual["ok"]["repr"]) if not name.startswith("__")}
        return
    if "Traceback (most recent call last)" in str(recorded.get("throws", {}).get("str")):
        # The frames are those of the worker's own lines and of the interpreter; the first and the last line count.
        recorded, actual = (shorten(outcome) for outcome in (recorded, actual))
    assert matches(recorded, actual), f"{where}\nrecorded: {recorded}\nactual:   {actual}"


def shorten(outcome):
    """Return an outcome without the lines between a traceback's first and last."""
    first, *_, last = outcome["throws"]["str"].splitlines()
    return {"throws": {**outcome["throws"], "str": [first, last]}}


def matches(recorded, actual):
    if isinstance(recorded, dict) and isinstance(actual, dict):
        return recorded.keys() == actual.keys() and all(matches(recorded[key], actual[key]) for key in recorded)
    if isinstance(recorded, list) and isinstance(actual, list):
        return len(recorded) == len(actual) and all(map(matches, recorded, actual))
    if isinstance(recorded, str) and isinstance(actual, str):
        return re.fullmatch(pattern(recorded), actual, re.DOTALL) is not None
    return recorded == actual


PLACEHOLDERS = ("addr", "duration", "varies", "number", "stack", "now", "hex64", "...")


def pattern(recorded):
    """Return a regular expression in which each ``<placeholder>`` stands for any text."""
    text = re.escape(recorded)
    for name in PLACEHOLDERS:
        text = text.replace(re.escape(f"<{name}>"), ".+")
    # CPython 3.14 names the enum's metaclass; a database's size depends on SQLite's page cache.
    return re.sub(r"size_after':\\ \d+", r"size_after':\\ \\d+", text)


def null_var(runtime):
    """Set the two vars that TOML cannot express: it has no null."""
    runtime.primary.env.replace("NULLV", js_value(None))
    runtime.primary.env.replace("JSONV", js_value({"a": [1, None]}))


def javascript_service(runtime):
    """``env.JSVC`` of the recordings: a worker written in JavaScript, its methods on JavaScript values."""
    service = JavaScriptService()
    return Fetcher(lambda: service, service="jsvc", binding="JSVC", metrics=runtime.metrics)


class JavaScriptService:
    """Answers as the recordings' JavaScript target does; it stands where an isolate stands."""

    def open_event(self, kind, **_options):
        return Event(self, kind)

    async def fetch(self, request, **_options):
        if request.url.endswith("/throw"):
            raise JsException("Error", "target boom")
        raise AssertionError(request.url)

    async def call(self, method, args, **_options):
        function = getattr(self, f"on_{method}", None)
        if function is None:
            raise type_error(f'The RPC receiver does not implement the method "{method}".')
        result = function(*args)
        return await result if hasattr(result, "__await__") else result

    def on_echo(self, value=None):
        return value

    def on_fail(self, name, message):
        raise JsException(name if name in ERROR_NAMES else "Error", message)

    def on_failValue(self, value=None):
        from pyworkers.js.promise import as_exception

        raise as_exception(value)

    def on_failDom(self, name):
        raise dom_exception(name, "dom message")

    def on_fnAdd(self, base):
        return lambda n: base + n

    async def on_call(self, function, *args):
        return await function(*args)

    def on_sess(self, name):
        return Session(name)


class Session(JsProxy, js_name="RpcTarget"):
    """An RpcTarget: it crosses the boundary as a stub of its methods."""

    is_rpc_target = True

    def __init__(self, name):
        self.name_ = name

    def greet(self, greeting):
        return f"{self.name_}:{greeting}"

    def child(self, name):
        return Session(f"{self.name_}/{name}")

    def boom(self):
        raise JsException("RangeError", "sess boom")
