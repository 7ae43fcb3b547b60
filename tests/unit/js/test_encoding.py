from __future__ import annotations

import pytest

from pyworkers.js.convert import to_js
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException


def test_encoding_replaces_lone_surrogates_and_joins_pairs():
    encoder = js.TextEncoder.new()
    assert encoder.encoding == "utf-8"
    assert encoder.encode("é\ud800").to_bytes() == b"\xc3\xa9\xef\xbf\xbd"
    assert encoder.encode("\ud83c\udf0d").to_bytes() == "🌍".encode()
    assert encoder.encode().to_bytes() == b""


def test_encode_into_stops_at_whole_characters():
    target = js.Uint8Array.new(5)
    result = js.TextEncoder.new().encodeInto("a🌍é", target)
    assert (result.read, result.written, target.to_bytes()) == (3, 5, b"a" + "🌍".encode())


@pytest.mark.parametrize(
    ("label", "data", "name", "text"),
    [
        ("utf-8", b"\xef\xbb\xbfa", "utf-8", "a"),
        (" UTF8 ", b"\xe2\x82", "utf-8", "\ufffd"),
        ("latin1", b"\xe9\x80\x81", "windows-1252", "é€\x81"),
        ("utf-16le", b"h\0i\0", "utf-16le", "hi"),
        ("utf-16be", b"\0h", "utf-16be", "h"),
        ("shift_jis", b"\x83\x65", "shift_jis", "テ"),
        ("gb2312", b"\xc4\xe3", "gbk", "你"),
        ("euc-kr", b"\xb0\xa1", "euc-kr", "가"),
        ("koi8-r", b"\xc1", "koi8-r", "а"),
    ],
)
def test_labels_name_their_encodings(label, data, name, text):
    decoder = js.TextDecoder.new(label)
    assert (decoder.encoding, decoder.decode(to_js(data))) == (name, text)


def test_the_byte_order_mark_can_be_kept():
    decoder = js.TextDecoder.new("utf-8", fatal=True, ignoreBOM=True)
    assert (decoder.fatal, decoder.ignoreBOM) == (True, True)
    assert decoder.decode(to_js(b"\xef\xbb\xbfa")) == "\ufeffa"


def test_fatal_decoding_fails_and_can_go_on():
    decoder = js.TextDecoder.new("utf-8", fatal=True)
    with pytest.raises(JsException, match=r"^TypeError: Failed to decode input\.$"):
        decoder.decode(to_js(b"\xff"))
    assert decoder.decode(to_js(b"ok")) == "ok"


def test_streaming_keeps_what_is_incomplete():
    decoder = js.TextDecoder.new()
    assert decoder.decode(to_js(b"\xe2\x82"), stream=True) == ""
    assert decoder.decode(to_js(b"\xac"), stream=True) == "€"
    assert decoder.decode() == ""


def test_unknown_labels_are_refused():
    with pytest.raises(JsException, match=r'^RangeError: "x-bogus" is not a valid encoding\.$'):
        js.TextDecoder.new("x-bogus")


@pytest.mark.parametrize(
    ("text", "encoded"), [("abc", "YWJj"), ("é", "6Q=="), ("", "")], ids=["ascii", "latin1", "empty"]
)
def test_base64_round_trip(text, encoded):
    assert js.btoa(text) == encoded
    assert js.atob(encoded) == text


@pytest.mark.parametrize(("text", "decoded"), [("YWJ", "ab"), ("YW Jj", "abc"), ("YQ", "a"), ("YQ==", "a")])
def test_padding_and_spaces_may_be_missing(text, decoded):
    assert js.atob(text) == decoded


@pytest.mark.parametrize("text", ["!!", "Y", "YQ=", "Y===", "YWJj=", "=YWJj"])
def test_wrong_base64(text):
    with pytest.raises(JsException) as caught:
        js.atob(text)
    assert (caught.value.name, caught.value.code, caught.value.message[:51]) == (
        "InvalidCharacterError",
        5,
        "atob() called with invalid base64-encoded data. (On",
    )


def test_btoa_refuses_what_is_not_latin1():
    with pytest.raises(JsException) as caught:
        js.btoa("日")
    assert caught.value.message == "btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range."


def test_user_defined_encoding_uses_the_private_use_area():
    decoder = js.TextDecoder.new("x-user-defined")
    assert decoder.decode(to_js(b"a\x80\xff")) == "a\uf780\uf7ff"
