"""The JavaScript object model, as Python sees it through Pyodide."""

import math

import pytest

from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, jsnull, to_boolean, to_number, to_string, typeof
from pyworkers.js.values import (
    JsConstructor,
    JsException,
    JsObject,
    JsProxy,
    dom_exception,
    get_property,
    own_properties_of,
    type_error,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "undefined"),
        (jsnull, "null"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (5.0, "5"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (-2.5, "-2.5"),
        (1 / 3, "0.3333333333333333"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (123456789012345680000.0, "123456789012345680000"),
        (0.001, "0.001"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.234e-9, "1.234e-9"),
        (5e-324, "5e-324"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (JsBigInt(2**70), "1180591620717411303424"),
        ("x", "x"),
        (JsArray([1, None, jsnull, "x"]), "1,,,x"),
        (JsObject({"a": 1}), "[object Object]"),
        (type_error("no"), "TypeError: no"),
        (JsObject.constructor, "function Object() { [native code] }"),
    ],
)
def test_string_conversion_is_javascripts(value, text):
    assert to_string(value) == text


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("", 0),
        (" 12 ", 12),
        ("0x1F", 31),
        ("1e3", 1000),
        ("1_0", None),
        ("inf", None),
        (jsnull, 0),
        (None, None),
        (True, 1),
    ],
)
def test_number_conversion_is_javascripts(value, result):
    number = to_number(value)
    assert math.isnan(number) if result is None else number == result


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "undefined"),
        (jsnull, "object"),
        (True, "boolean"),
        (1, "number"),
        (1.5, "number"),
        (2**60, "bigint"),
        ("", "string"),
        (JsObject(), "object"),
        (JsArray(), "object"),
        (JsObject.constructor, "function"),
        (len, "function"),
    ],
)
def test_typeof(value, name):
    assert typeof(value) == name


def test_every_object_is_true_in_javascript():
    values = (JsArray(), JsObject(), "", 0, math.nan, jsnull, None)
    assert [to_boolean(value) for value in values] == [True, True, False, False, False, False, False]


def test_instances_type_and_print_as_pyodides_do():
    values = (JsObject(), JsArray([1, 2]), JsMap(), JsSet())
    assert [f"{type(value).__module__}.{type(value).__qualname__}" for value in values] == ["pyodide.ffi.JsProxy"] * 4
    assert [repr(value) for value in values] == ["[object Object]", "1,2", "[object Map]", "[object Set]"]


def test_a_plain_object_is_not_subscriptable():
    with pytest.raises(TypeError) as caught:
        JsObject({"x": 1})["x"]
    assert str(caught.value) == "'pyodide.ffi.JsProxy' object is not subscriptable"


def test_a_missing_attribute_names_itself_only():
    with pytest.raises(AttributeError) as caught:
        _ = JsObject().nothing
    assert str(caught.value) == "nothing"


def test_undefined_reads_as_none_and_null_as_jsnull():
    value = JsObject({"undefined": None, "null": jsnull})
    assert value.undefined is None
    assert value.null is jsnull
    assert not value.null


def test_python_keywords_are_reached_with_an_underscore():
    assert JsObject({"from": 1}).from_ == 1
    assert JsArray.constructor.from_("ab").to_py() == ["a", "b"]


def test_constructors_make_instances_with_new_only():
    assert isinstance(JsMap.constructor, JsConstructor)
    assert isinstance(JsMap.constructor, JsProxy)
    assert JsMap.constructor.new([["a", 1]]).to_py() == {"a": 1}
    with pytest.raises(JsException, match="Constructor Map requires 'new'"):
        JsMap.constructor()


def test_keyword_arguments_of_new_become_one_trailing_object():
    class Probe(JsProxy):
        @classmethod
        def js_new(cls, *args):
            return JsArray(args)

    first, options = Probe.constructor.new(1, status=404)
    assert first == 1
    assert options.to_py() == {"status": 404}


def test_error_classes_follow_the_name():
    assert type_error("x").constructor.name == "TypeError"
    assert JsException("MyError", "x").constructor.name == "Error"
    assert dom_exception("AbortError", "x").constructor.name == "DOMException"
    assert [c.__qualname__ for c in type(type_error("x")).__mro__] == [
        "JsException", "JsProxy", "Exception", "BaseException", "object",
    ]  # fmt: skip


def test_a_python_dict_shows_its_items_to_javascript():
    assert get_property({"status": 404}, "status") == 404
    assert get_property({"status": 404}, "nope") is None
    assert own_properties_of({"a": 1, 2: "b"}) == {"a": 1, "2": "b"}


def test_identity_is_equality():
    value = JsObject()
    assert value == value
    assert value != JsObject()
    assert len({value, value}) == 1


def test_hasOwnProperty_and_entries():
    value = JsObject({"a": 1, "b": 2})
    assert value.hasOwnProperty("a")
    assert not value.hasOwnProperty("toString")
    assert value.object_entries().to_py() == [["a", 1], ["b", 2]]
    assert JsObject.constructor.keys(value).to_py() == ["a", "b"]
