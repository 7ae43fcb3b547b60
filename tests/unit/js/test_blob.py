from __future__ import annotations

import asyncio

import pytest

from pyworkers.clock import ManualClock
from pyworkers.js.blob import Blob, File
from pyworkers.js.buffers import Uint8Array
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.values import JsException, JsObject

new = Blob.constructor.new
new_file = File.constructor.new


def read(blob: Blob) -> bytes:
    async def main() -> bytes:
        return (await blob.bytes()).to_bytes()

    return asyncio.run(main())


def test_parts_are_joined_and_the_type_is_lower_case():
    blob = new(JsArray(["ab", Uint8Array.of_bytes(b"\0c")]), type="TEXT/Plain")
    assert (blob.size, blob.type, read(blob), len(blob)) == (4, "text/plain", b"ab\0c", 4)


def test_a_part_of_another_type_becomes_a_string():
    assert read(new(JsArray([5, jsnull, JsObject({"a": 1}), new(JsArray(["é"]))]))) == (
        b"5null[object Object]" + "é".encode()
    )


@pytest.mark.parametrize(
    ("args", "data", "type_"),
    [
        ([1, 3], b"b\0", ""),
        ([-2], b"\0c", ""),
        ([0, 1, "X/y"], b"a", "x/y"),
        ([3, 1], b"", ""),
        ([-9, 99], b"ab\0c", ""),
        ([None, -1], b"ab\0", ""),
        ([0, 1, "a\n"], b"a", ""),
    ],
)
def test_slice_clamps_as_an_array_does(args, data, type_):
    part = new(JsArray([Uint8Array.of_bytes(b"ab\0c")]), type="t/x").slice(*args)
    assert (read(part), part.type) == (data, type_)


def test_wrong_arguments_have_the_platforms_text():
    for action, message in (
        (lambda: new("str"), "Failed to construct 'Blob': constructor parameter 1 is not of type 'Array'."),
        (lambda: new_file(JsArray()), "Failed to construct 'File': constructor parameter 2 is not of type 'string'."),
        (
            lambda: new(JsArray(), endings="native"),
            "The 'endings' field on 'Options' is not implemented.",
        ),
    ):
        with pytest.raises(JsException) as caught:
            action()
        assert caught.value.message == message


def test_undefined_options_count_as_absent():
    assert new(JsArray(["x"]), type=None, endings=None).type == ""


def test_a_file_has_a_name_and_a_time():
    file = new_file(JsArray(["x"]), "n.txt", lastModified=5, type="t/x")
    assert (file.name, file.lastModified, file.type, file.constructor.name) == ("n.txt", 5, "t/x", "File")


def test_a_file_without_a_time_was_modified_now():
    token = REALM.set(Realm(clock=ManualClock(1_700_000_000)))
    try:
        assert new_file(JsArray(), "n").lastModified == 1_700_000_000_000
    finally:
        REALM.reset(token)


def test_text_array_buffer_and_stream_give_the_same_bytes():
    async def main() -> tuple[str, bytes, bytes]:
        blob = new(JsArray(["é"]))
        stream = b"".join([chunk async for chunk in blob.stream().chunks()])
        return await blob.text(), (await blob.arrayBuffer()).to_bytes(), stream

    assert asyncio.run(main()) == ("é", "é".encode(), "é".encode())


def test_an_empty_blob_is_false_in_python_as_pyodide_has_it():
    assert not new(JsArray())
    assert new(JsArray(["x"]))
