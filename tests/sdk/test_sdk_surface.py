"""Every symbol that Python Workers import or reach is there, and the few that must not be are not."""

import importlib
import json
from pathlib import Path

import js
import pytest
from pyodide.ffi import (
    JsArray,
    JsAsyncIterable,
    JsBuffer,
    JsCallable,
    JsIterable,
    JsIterator,
    JsMap,
    JsPromise,
    JsProxy,
    JsWeakRef,
    to_js,
)
from pyodide.http import pyfetch

SYMBOLS = json.loads((Path(__file__).parent / "symbols.json").read_text())

pytestmark = [pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml"), pytest.mark.usefixtures("runtime")]


def cases():
    return [pytest.param(module, name, id=f"{module}:{name}") for module, names in SYMBOLS.items() for name in names]


@pytest.mark.parametrize(("module", "name"), cases())
async def test_symbol_is_there(module, name):
    value = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pyodide.ffi", "to_py"),
        ("_pyodide_entrypoint_helper", "patch_env_helper"),
        ("workers", "AsyncResponse"),
    ],
)
async def test_symbol_is_not_there(module, name):
    assert not hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", ["_cloudflare", "pyodide_js", "_pyodide_core"])
async def test_module_is_not_there(module):
    with pytest.raises(ModuleNotFoundError, match=f"^No module named '{module}'$"):
        importlib.import_module(module)


@pytest.mark.parametrize("module", ["pyodide", "pyodide.ffi", "pyodide.ffi.wrappers", "pyodide.http", "pyodide.code"])
async def test_modules_have_the_names_they_are_imported_by(module):
    assert importlib.import_module(module).__name__ == module


async def test_classes_tell_proxies_apart():
    samples = {
        JsArray: to_js([1]),
        JsMap: js.Map.new(),
        JsBuffer: to_js(b"x"),
        JsPromise: js.Promise.resolve(1),
        JsIterable: js.Headers.new(),
        JsIterator: js.Headers.new().keys(),
        JsAsyncIterable: js.Response.new("x").body,
        JsCallable: js.Headers,
    }
    for cls, sample in samples.items():
        assert isinstance(sample, cls), cls
        assert isinstance(sample, JsProxy)
        assert not isinstance(js.Object.new(), cls)


async def test_weak_references():
    value = js.Object.new()
    reference = value.to_weakref()
    assert isinstance(reference, JsWeakRef)
    assert (reference.constructor.name, reference.deref() is value) == ("WeakRef", True)
    assert js.WeakRef.new(value).deref() is value
    del value
    assert reference.deref() is None


async def test_a_response_of_pyfetch_has_its_parts(outbound):
    outbound.get("https://x.test/").respond("x")
    response = await pyfetch("https://x.test/")
    assert response.js_request.constructor.name == "Request"
    assert response.js_response.constructor.name == "Response"
    assert (response._url, response.abort_signal) == ("https://x.test/", None)
    response.abort()
