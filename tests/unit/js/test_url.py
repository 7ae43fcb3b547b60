from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.js.convert import to_js
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull
from pyworkers.js.url import URL, URLSearchParams
from pyworkers.js.values import JsException, JsObject

new = URL.constructor.new
new_params = URLSearchParams.constructor.new


@pytest.mark.parametrize(
    ("args", "href"),
    [
        (
            ["HTTP://User:Pa%20ss@EXAMPLE.com:80/a/./b/../c?x=1&y=%20 z#fr ag"],
            "http://User:Pa%20ss@example.com/a/c?x=1&y=%20%20z#fr%20ag",
        ),
        (["http://x/\\y"], "http://x//y"),
        (["http://x:0/"], "http://x:0/"),
        (["/a", "http://b/c/d"], "http://b/a"),
        (["?q", "http://b/c?old#h"], "http://b/c?q"),
        (["//h/p", "https://b"], "https://h/p"),
        (["http://1.2.3/"], "http://1.2.0.3/"),
        (["http://faß.de/"], "http://xn--fa-hia.de/"),
        (["http://x/\ud800"], "http://x/%EF%BF%BD"),
    ],
)
def test_a_url_is_parsed_and_normalized(args, href):
    assert new(*args).href == href


@pytest.mark.parametrize("text", ["http://ex ample/", "http://x:99999/", "x", ""])
def test_an_invalid_url_is_a_type_error(text):
    with pytest.raises(JsException, match=r"^TypeError: Invalid URL string\.$"):
        new(text)
    assert URL.constructor.canParse(text) is False
    assert URL.constructor.parse(text) is jsnull


def test_a_missing_argument_has_the_platforms_text():
    with pytest.raises(JsException) as caught:
        new()
    assert caught.value.message == "Failed to construct 'URL': constructor parameter 1 is not of type 'USVString'."


def test_every_component_can_be_read():
    url = new("https://u:p@h.example:8443/a/b?q=1#f")
    assert [
        url.href,
        url.origin,
        url.protocol,
        url.username,
        url.password,
        url.host,
        url.hostname,
        url.port,
        url.pathname,
        url.search,
        url.hash,
    ] == [
        "https://u:p@h.example:8443/a/b?q=1#f",
        "https://h.example:8443",
        "https:",
        "u",
        "p",
        "h.example:8443",
        "h.example",
        "8443",
        "/a/b",
        "?q=1",
        "#f",
    ]
    assert (str(url), url.toString(), url.toJSON()) == (url.href,) * 3


def test_setters_change_the_url_and_ignore_what_is_wrong():
    url = new("http://h/p?q#f")
    url.port = "8080"
    assert url.href == "http://h:8080/p?q#f"
    url.port = "80"
    url.host = "new:1"
    url.protocol = "https"
    url.pathname = "a b?c"
    url.search = ""
    url.hash = "x y"
    assert url.href == "https://new:1/a%20b%3Fc#x%20y"
    url.port = "bad"
    url.host = "b d"
    assert url.href == "https://new:1/a%20b%3Fc#x%20y"


def test_a_wrong_href_is_a_type_error():
    with pytest.raises(JsException) as caught:
        new("http://h").href = "bad"
    assert caught.value.message == (
        "Failed to set the 'href' property on 'URL': the provided value is not of type 'valid URL string'."
    )


def test_search_params_and_the_url_follow_each_other():
    url = new("http://h/?a=1")
    params = url.searchParams
    params.append("k", "v w&")
    assert url.href == "http://h/?a=1&k=v+w%26"
    url.search = "?z=9"
    assert params.toString() == "z=9"
    url.href = "http://other/?y=8"
    assert next(params.entries())[1] == "8"
    params.delete("y")
    assert url.href == "http://other/"
    assert url.searchParams is params


def test_search_params_methods():
    params = new_params("?a=1&b=2&a=3&c")
    assert [list(pair) for pair in params.entries()] == [["a", "1"], ["b", "2"], ["a", "3"], ["c", ""]]
    assert (params.get("a"), params.get("zz"), list(params.getAll("a"))) == ("1", jsnull, ["1", "3"])
    assert (params.has("c"), params.has("a", "3"), params.has("a", "4")) == (True, True, False)
    params.append("é ", "&=+")
    params.delete("a", "1")
    assert params.toString() == "b=2&a=3&c=&%C3%A9+=%26%3D%2B"
    params.sort()
    params.set("b", "9")
    assert (params.toString(), params.size) == ("a=3&b=9&c=&%C3%A9+=%26%3D%2B", 4)


@pytest.mark.parametrize(
    ("init", "text"),
    [
        (None, ""),
        ("a=~b*c-d_e.f", "a=%7Eb*c-d_e.f"),
        ("%zz=%ff", "%25zz=%EF%BF%BD"),
        (JsObject({"a": 1, "b": "x y"}), "a=1&b=x+y"),
        (to_js([["a", "1"], ["a", "2"]]), "a=1&a=2"),
        ([("a", 1)], "a=1"),
        (jsnull, "null="),
    ],
)
def test_search_params_take_a_query_pairs_or_a_record(init, text):
    assert new_params(init).toString() == text


def test_search_params_copy_other_search_params_with_repeated_names():
    assert new_params(new_params("a=1&a=2")).toString() == "a=1&a=2"


def test_a_pair_must_have_two_items():
    with pytest.raises(JsException, match=r"^TypeError: Invalid URL search params sequence\.$"):
        new_params(JsArray([JsArray(["a"])]))


def test_search_params_are_a_mapping_to_python():
    params = new_params("a=1&b=2&a=3")
    assert list(params) == ["a", "b", "a"]
    assert len(params) == 3
    assert "b" in params
    assert params["b"] == "2"
    params["b"] = "5"
    del params["a"]
    assert list(params.items()) == [("b", "5")]
    assert not new_params("")


def test_for_each_sees_what_is_added_while_it_runs():
    seen = []
    params = new_params("a=1")

    def visit(value: str, name: str) -> None:
        seen.append((name, value))
        if len(seen) < 3:
            params.append(name + "a", value)

    params.forEach(visit)
    assert seen == [("a", "1"), ("aa", "1"), ("aaa", "1")]


@given(st.lists(st.tuples(st.text(), st.text())))
def test_what_is_serialized_parses_back(pairs):
    clean = [
        tuple(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") for text in p) for p in pairs
    ]
    assert URLSearchParams.of_query(new_params(pairs).toString()).pairs() == clean


@given(st.text(), st.one_of(st.none(), st.text()))
def test_no_input_gives_anything_but_the_platforms_error(text, base):
    error = None
    try:
        url = new(text, base)
    except JsException as raised:
        error = raised.message
    if error is None:
        assert new(url.href).href == url.href
    else:
        assert error == "Invalid URL string."
