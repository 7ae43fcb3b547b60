from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.clock import ManualClock
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, jsnull
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException

# ---- Date


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_dates_agree_with_pythons(ms):
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    date = js.Date.new(ms)
    assert date.toISOString() == expected.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert js.Date.parse(date.toISOString()) == ms
    assert (date.getUTCFullYear(), date.getMonth(), date.getDate(), date.getDay()) == (
        expected.year,
        expected.month - 1,
        expected.day,
        (expected.weekday() + 1) % 7,
    )
    assert (date.getUTCHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds()) == (
        expected.hour,
        expected.minute,
        expected.second,
        expected.microsecond // 1000,
    )


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2020-01-02", "2020-01-02T00:00:00.000Z"),
        ("2020", "2020-01-01T00:00:00.000Z"),
        ("2020-01-02T03:04", "2020-01-02T03:04:00.000Z"),
        ("2020-01-02T03:04:05.678+02:00", "2020-01-02T01:04:05.678Z"),
        ("2020-01-02T24:00:00Z", "2020-01-03T00:00:00.000Z"),
        ("Thu, 02 Jan 2020 03:04:05 GMT", "2020-01-02T03:04:05.000Z"),
        ("Thu Jan 02 2020 03:04:05 GMT+0100 (CET)", "2020-01-02T02:04:05.000Z"),
        ("Jan 2, 2020", "2020-01-02T00:00:00.000Z"),
        ("1/2/2020", "2020-01-02T00:00:00.000Z"),
        ("+275760-09-13T00:00:00.000Z", "+275760-09-13T00:00:00.000Z"),
    ],
)
def test_texts_are_parsed(text, iso):
    assert js.Date.new(text).toISOString() == iso


@pytest.mark.parametrize("text", ["", "x", "2020-13-01", "2020-01-02T25:00", "Foo 1, 2020"])
def test_other_texts_are_invalid_dates(text):
    date = js.Date.new(text)
    assert (date.toString(), date.toJSON(), math.isnan(date.getTime())) == ("Invalid Date", jsnull, True)
    with pytest.raises(JsException, match=r"^RangeError: Invalid time value$"):
        date.toISOString()


def test_components_and_setters_overflow_into_the_next_unit():
    assert js.Date.new(2020, 13, 1).toISOString() == "2021-02-01T00:00:00.000Z"
    assert js.Date.new(99, 0).getFullYear() == 1999
    assert js.Date.UTC(2020, 1, 29) == 1_582_934_400_000
    date = js.Date.new(2020, 0, 31)
    date.setMonth(1)
    assert date.toISOString() == "2020-03-02T00:00:00.000Z"
    assert date.setUTCHours(25, 61) == date.getTime()
    assert date.toISOString() == "2020-03-03T02:01:00.000Z"
    assert math.isnan(date.setTime(math.nan))


def test_forms_of_a_date():
    date = js.Date.new(0)
    assert str(date) == "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)"
    assert date.toUTCString() == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert date.toDateString() == "Thu Jan 01 1970"
    assert date.toLocaleString() == "1/1/1970, 12:00:00 AM"
    assert (date.getTimezoneOffset(), date.valueOf(), date.constructor.name) == (0, 0, "Date")


def test_now_is_the_realms_clock():
    token = REALM.set(Realm(clock=ManualClock(1_700_000_000.5)))
    try:
        assert js.Date.now() == js.Date.new().getTime() == js.performance.now() == 1_700_000_000_500
        assert js.Date().startswith("Tue Nov 14 2023")
    finally:
        REALM.reset(token)


# ---- numbers, strings, symbols


def test_conversion_without_new():
    assert (js.Number("12"), js.Number(""), js.Number(True)) == (12, 0, 1)
    assert math.isnan(js.Number("x"))
    assert (js.String(None), js.String(jsnull), js.String(1.5), js.String()) == ("undefined", "null", "1.5", "")
    assert (js.Boolean(""), js.Boolean("x"), js.Boolean(js.Object.new())) == (False, True, True)
    assert (js.BigInt("12"), js.BigInt(2.0), type(js.BigInt(1))) == (12, 2, JsBigInt)


def test_boxed_values():
    number = js.Number.new(255)
    assert (number.valueOf(), number.toString(16), number.toFixed(2), number.constructor.name) == (
        255,
        "ff",
        "255.00",
        "Number",
    )
    assert js.String.new("🌍a").length == 3


def test_number_predicates():
    assert (js.Number.isInteger(3), js.Number.isInteger(3.5), js.Number.isSafeInteger(2**53)) == (True, False, False)
    assert (js.Number.isFinite(math.inf), js.Number.isNaN(math.nan), js.Number.isNaN("x")) == (False, True, False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: js.BigInt("x"), "SyntaxError: Cannot convert x to a BigInt"),
        (
            lambda: js.BigInt(1.5),
            "RangeError: The number 1.5 cannot be converted to a BigInt because it is not an integer",
        ),
        (lambda: js.BigInt.new(1), "TypeError: BigInt is not a constructor"),
        (lambda: js.Symbol.new(), "TypeError: Symbol is not a constructor"),
        (lambda: js.String.fromCodePoint(-1), "RangeError: Invalid code point -1"),
        (lambda: js.decodeURIComponent("%"), "URIError: URI malformed"),
        (lambda: js.encodeURIComponent("\ud800"), "URIError: URI malformed"),
        (lambda: js.eval("1"), "EvalError: Code generation from strings disallowed for this context"),
    ],
)
def test_errors(call, message):
    with pytest.raises(JsException) as caught:
        call()
    assert str(caught.value) == message


def test_symbols():
    symbol = js.Symbol("s")
    assert (str(symbol), symbol.description, symbol.typeof) == ("Symbol(s)", "s", "symbol")
    assert symbol != js.Symbol("s")
    assert js.Symbol.for_("k") is js.Symbol.for_("k")
    assert str(js.Symbol.iterator) == "Symbol(Symbol.iterator)"


def test_global_functions():
    assert (js.parseInt("12px"), js.parseInt("0x1f"), js.parseInt("-7"), js.parseInt("z", 36)) == (12, 31, -7, 35)
    assert math.isnan(js.parseInt(""))
    assert (js.parseFloat("1.5e3x"), js.parseFloat(".5")) == (1500, 0.5)
    assert js.encodeURIComponent("a b&é/") == "a%20b%26%C3%A9%2F"
    assert js.encodeURI("a b&é/") == "a%20b&%C3%A9/"
    assert (js.decodeURIComponent("%C3%A9%2F"), js.decodeURI("%20%2F")) == ("é/", " %2F")
    assert (js.isNaN("x"), js.isFinite("1")) == (True, True)


def test_math():
    assert (js.Math.floor(-1.5), js.Math.round(-1.5), js.Math.round(2.5), js.Math.trunc(-1.5)) == (-2, -1, 3, -1)
    assert (js.Math.max(), js.Math.min(3, "1"), js.Math.hypot(3, 4)) == (-math.inf, 1, 5)
    assert (js.Math.log(0), js.Math.sqrt(16), js.Math.exp(1000)) == (-math.inf, 4, math.inf)
    assert math.isnan(js.Math.sqrt(-1))
    assert 0 <= js.Math.random() < 1


def test_reflect():
    target = js.Object.new()
    assert js.Reflect.set(target, "a", 1) is True
    assert (js.Reflect.get(target, "a"), js.Reflect.has(target, "b"), list(js.Reflect.ownKeys(target))) == (
        1,
        False,
        ["a"],
    )
    assert js.Reflect.construct(js.Array, JsArray([1, 2])).length == 2


# ---- RegExp


def test_matches_have_groups_and_positions():
    expression = js.RegExp.new(r"(?<year>\d{4})-(\d\d)$", "g")
    match = expression.exec("on 2020-01")
    assert (list(match), match.index, match.input, match.groups.year) == (
        ["2020-01", "2020", "01"],
        3,
        "on 2020-01",
        "2020",
    )
    assert expression.lastIndex == 10
    assert expression.exec("on 2020-01") is jsnull
    assert (str(expression), expression.lastIndex) == (r"/(?<year>\d{4})-(\d\d)$/g", 0)


@pytest.mark.parametrize(
    ("source", "flags", "text", "found"),
    [
        ("A", "i", "xa", True),
        ("^b", "m", "a\nb", True),
        ("a$", "", "a\n", False),
        ("a.b", "s", "a\nb", True),
        (r"\d", "", "٣", False),
        (r"[^]", "", "\n", True),
        (r"\u{1F30D}", "u", "🌍", True),
        (r"(?<q>['\"]).*\k<q>", "", "'x'", True),
    ],
)
def test_patterns(source, flags, text, found):
    assert js.RegExp.new(source, flags).test(text) is found


def test_a_wrong_pattern_is_a_syntax_error():
    with pytest.raises(JsException, match=r"^SyntaxError: Invalid regular expression: /\(/: "):
        js.RegExp.new("(")
    with pytest.raises(JsException, match=r"^SyntaxError: Invalid flags supplied to RegExp constructor 'zz'$"):
        js.RegExp.new("a", "zz")


def test_navigator():
    assert (js.navigator.userAgent, js.navigator.language) == ("Cloudflare-Workers", "en")


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        (datetime(2026, 11, 23, 16, 4, 18, 81_000), "2026-11-23T16:04:18.081Z"),
        (datetime(2026, 11, 23, 16, 4, 18, tzinfo=UTC), "2026-11-23T16:04:18.000Z"),
        (jsnull, "1970-01-01T00:00:00.000Z"),
        (True, "1970-01-01T00:00:00.001Z"),
    ],
)
def test_a_date_of_something_else_is_made_from_its_number_or_its_text(value, iso):
    assert js.Date.new(value).toISOString() == iso
    assert str(js.Date.new(object())) == "Invalid Date"
