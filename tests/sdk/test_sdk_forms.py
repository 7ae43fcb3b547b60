"""workers.Blob, File and FormData, with the faults that SDK 1.9.5 has."""

import js
import pytest
from pyodide.ffi import jsnull, to_js
from shown import error_of, type_name

from workers import Blob, BlobEnding, File, FormData, python_from_rpc

pytestmark = [pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml"), pytest.mark.usefixtures("runtime")]


async def test_parts_of_a_blob():
    raw = js.Blob.new(to_js(["raw"]), type="t/raw")
    for parts, text in (
        ("one", "one"),
        (b"one", "one"),
        (["a", b"b", memoryview(b"c"), Blob("d"), raw, File("e", "f")], "abcdrawe"),
        ((part for part in ("x", "y")), "xy"),
        ([], ""),
    ):
        blob = Blob(parts)
        assert (type_name(blob), blob.content_type, await blob.text()) == ("workers.blob.Blob", "", text)
        assert await blob.bytes() == text.encode()
        assert blob.size == len(text)


async def test_the_type_of_a_single_blob_is_inherited():
    inner = Blob("x", content_type="t/x")
    raw = js.Blob.new(to_js(["raw"]), type="t/raw")
    assert (Blob(inner).content_type, Blob([inner]).content_type) == ("t/x", "")
    assert (Blob(raw).content_type, Blob([raw]).content_type) == ("t/raw", "")
    assert Blob(inner, content_type="t/y").content_type == "t/y"
    assert Blob(inner).js_object is not inner.js_object


async def test_line_endings_are_not_converted_by_the_runtime():
    text = "Error: The 'endings' field on 'Options' is not implemented."
    for endings in (BlobEnding.TRANSPARENT, "native"):
        assert await error_of(lambda endings=endings: Blob("a", endings=endings)) == ("pyodide.ffi.JsException", text)


async def test_parts_that_are_refused():
    assert await error_of(lambda: Blob(5)) == (
        "builtins.TypeError",
        "Don't know how to handle <class 'int'> for Blob()",
    )
    assert await error_of(lambda: Blob(None)) == (
        "builtins.TypeError",
        "Don't know how to handle <class 'NoneType'> for Blob()",
    )
    # Buffers that can be iterated are taken for lists of numbers; only bytes may stand alone.
    for buffer in (bytearray(b"ab"), memoryview(b"ab"), to_js(b"ab")):
        assert await error_of(lambda buffer=buffer: Blob(buffer)) == (
            "builtins.TypeError",
            "Don't know how to handle <class 'int'> for Blob()",
        )


async def test_slice():
    blob = Blob("abcdef", content_type="t/x")
    piece = blob.slice(1, 3)
    assert (type_name(piece), piece.content_type, await piece.text()) == ("workers.blob.Blob", "", "bc")
    assert await blob.slice(-2).text() == "ef"
    assert await blob.slice().text() == "abcdef"


async def test_file():
    file = File(["x", b"y"], "n.txt", content_type="t/p", last_modified=1234)
    assert (file.name, file.content_type, file.last_modified, file.size) == ("n.txt", "t/p", 1234, 2)
    assert await file.text() == "xy"
    assert file.js_object.constructor.name == "File"
    again = File(file, "m.txt")
    assert (again.name, again.content_type, again.last_modified) == ("m.txt", "t/p", 1234)
    assert (File(Blob("b", content_type="t/b"), "b.txt").content_type) == "t/b"
    assert (File(file.js_object, "raw.txt").last_modified) == 1234


async def test_a_new_file_is_as_old_as_the_clock_says(clock):
    assert File("x", "n.txt").last_modified == clock.now_ms()


async def test_form_data_from_a_dict_is_a_multidict():
    form = FormData({"a": "1", "b": Blob("blob")})
    form.append("a", "2")
    assert form["a"] == "1"
    assert form.get_all("a") == ["1", "2"]
    assert (list(form), list(form.keys())) == (["a", "b", "a"], ["a", "b", "a"])
    assert ("a" in form, "c" in form) == (True, False)
    assert [value for value in form.values() if isinstance(value, str)] == ["1", "2"]
    assert [(key, type_name(value)) for key, value in form.items()] == [
        ("a", "builtins.str"),
        ("b", "workers.blob.File"),
        ("a", "builtins.str"),
    ]
    form["a"] = "3"
    assert form.get_all("a") == ["3"]
    form.delete("b")
    del form["a"]
    assert list(form) == []


async def test_a_missing_field_is_null():
    form = FormData()
    assert form["missing"] is jsnull
    assert form.get("missing") is jsnull
    assert form.get_all("missing") == []


async def test_files_in_a_form_keep_name_and_type():
    form = FormData()
    form.append("file", Blob("x", content_type="t/x"), "given.txt")
    form["other"] = File("y", "own.txt", content_type="t/y")
    first, second = form["file"], form["other"]
    assert (first.name, first.content_type, await first.text()) == ("given.txt", "t/x", "x")
    assert (second.name, second.content_type, await second.text()) == ("own.txt", "t/y", "y")


async def test_form_data_wraps_javascripts():
    raw = js.FormData.new()
    raw.append("a", "1")
    form = FormData(raw)
    assert form.js_object is raw
    assert form["a"] == "1"


async def test_what_form_data_refuses():
    assert await error_of(lambda: FormData([("a", "1")])) == (
        "builtins.TypeError",
        "Expected form_data to be a dict or an instance of FormData",
    )

    def assign():
        FormData()["a"] = ["1", "2"]

    assert await error_of(assign) == ("builtins.TypeError", "Expected single item in arguments to FormData.__setitem__")


async def test_faults_of_this_sdk_are_kept():
    generator = "object of type 'generator' has no len()"
    assert await error_of(lambda: len(FormData())) == ("builtins.TypeError", generator)
    assert await error_of(lambda: bool(FormData())) == ("builtins.TypeError", generator)
    raw = js.File.new(to_js(["x"]), "n.txt")
    assert await error_of(lambda: python_from_rpc(raw)) == (
        "builtins.TypeError",
        "File.__init__() missing 1 required positional argument: 'filename'",
    )
