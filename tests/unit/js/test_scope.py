from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from pyworkers.js.realm import REALM, Realm
from pyworkers.js.scope import GlobalScope
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsProxy

SYMBOLS = json.loads((Path(__file__).parents[2] / "data" / "js_symbols.json").read_text())["symbols"]
# What a worker cannot have yet, or never, with the reason.
ABSENT = {
    "HTMLRewriter": "the HTML rewriter is an engine of its own",
    "caches": "a realm with a cache engine puts it there",
    "process": "is there with the flag nodejs_compat, which a realm decides",
    "XMLHttpRequest": "Workers have none; only browsers' Pyodide does",
}


def globals_of(symbol: str) -> str:
    return symbol.split(".")[0]


@pytest.mark.parametrize("name", sorted({globals_of(s["name"]) for s in SYMBOLS if s["tier"] <= 2} - set(ABSENT)))
def test_every_global_that_python_code_reads_is_there(name):
    value = getattr(js, name)
    assert value is None or callable(value) or isinstance(value, JsProxy | GlobalScope)


@pytest.mark.parametrize("name", ["Object.fromEntries", "Object.assign", "Response.redirect", "JSON.parse", "Date.now"])
def test_static_members_are_there(name):
    constructor, member = name.split(".")
    assert callable(getattr(getattr(js, constructor), member))


def test_every_name_that_is_listed_can_be_loaded():
    names = dir(js)
    assert {"fetch", "WebSocketPair", "Uint8Array", "DOMException", "TransformStream"} < set(names)
    for name in names:
        getattr(js, name)


def test_an_unknown_name_cannot_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "js", js)
    with pytest.raises(ImportError, match="cannot import name 'Nope' from 'js'"):
        from js import Nope  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="'js' is not a package"):
        importlib.import_module("js.Response")


def test_what_a_worker_assigns_belongs_to_its_realm():
    first, second = Realm(), Realm()
    token = REALM.set(first)
    try:
        js.answer = 42
        js.fetch = "mine"
        assert (js.answer, js.globalThis.answer, js.fetch, list(js.object_keys())) == (
            42,
            42,
            "mine",
            ["answer", "fetch"],
        )
        REALM.set(second)
        assert not hasattr(js, "answer")
        assert callable(js.fetch)
        REALM.set(first)
        del js.answer
        assert not hasattr(js, "answer")
        del js.answer  # what is not there is no error
        with pytest.raises(JsException, match="Cannot delete property 'NaN' of #<ServiceWorkerGlobalScope>"):
            del js.NaN
    finally:
        REALM.reset(token)


def test_the_module_is_the_global_object():
    assert js.globalThis is js
    assert js.self is js
    assert js.undefined is None
    assert repr(js) == "[object ServiceWorkerGlobalScope]"
    assert js.Uint8Array.new(1).constructor is js.Uint8Array


def test_process_is_there_with_node_compatibility():
    class Flags:
        def __init__(self, *on: str) -> None:
            self.on = on

        def enabled(self, flag: str) -> bool:
            return flag in self.on

    token = REALM.set(Realm(compat=Flags("nodejs_compat")))
    try:
        assert js.process.versions.node.startswith("22.")
        REALM.set(Realm(compat=Flags()))
        assert not hasattr(js, "process")
    finally:
        REALM.reset(token)


def test_some_constructors_can_be_called_without_new():
    error = js.Error("boom")
    assert (isinstance(error, JsException), str(error)) == (True, "Error: boom")
    assert list(js.Array(1, 2)) == [1, 2]
    with pytest.raises(JsException, match="Constructor Map requires 'new'"):
        js.Map()
