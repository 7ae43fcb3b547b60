from __future__ import annotations

import re

import pytest

from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException


def test_random_values_fill_the_array_itself():
    array = js.Uint32Array.new(16)
    assert js.crypto.getRandomValues(array) is array
    assert any(array)


def test_a_uuid_is_of_version_4():
    pattern = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(pattern, js.crypto.randomUUID())


@pytest.mark.parametrize(
    ("array", "name", "code", "message"),
    [
        (
            js.Uint8Array.new(65537),
            "QuotaExceededError",
            22,
            "getRandomValues() only accepts buffers of size <= 64K but provided 65537 bytes.",
        ),
        (
            js.Float64Array.new(1),
            "TypeMismatchError",
            17,
            "ArrayBufferView argument to getRandomValues() must be an integer-typed view.",
        ),
    ],
)
def test_other_arguments_are_refused(array, name, code, message):
    with pytest.raises(JsException) as caught:
        js.crypto.getRandomValues(array)
    error = caught.value
    assert (error.name, error.code, error.message, error.constructor.name) == (name, code, message, "DOMException")
