"""workers.Request: its options, its members, its readers, and how it reaches a handler."""

from http import HTTPMethod

import js
import pytest
from pyodide.ffi import to_js
from shown import error_of, type_name

from workers import FormData, Request

pytestmark = [pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml"), pytest.mark.usefixtures("runtime")]


async def test_a_url_is_normalized():
    request = Request("https://test.com")
    assert request.url == "https://test.com/"
    assert repr(request) == "Request(method='GET', url='https://test.com/')"
    assert type_name(request) == "workers.request.Request"
    assert await error_of(lambda: Request("no url")) == ("pyodide.ffi.JsException", "TypeError: Invalid URL: no url")


async def test_the_method_is_an_http_method():
    for given in ("POST", "post", HTTPMethod.POST):
        request = Request("https://test.com", method=given)
        assert request.method is HTTPMethod.POST
        assert request.method == "POST"
        assert (repr(request.method), str(request.method)) == ("<HTTPMethod.POST>", "POST")
    assert repr(Request("https://test.com", method="POST")) == "Request(method='POST', url='https://test.com/')"


async def test_a_method_that_python_does_not_know_is_a_key_error():
    request = Request("https://test.com", method="PROPFIND")
    assert request.js_object.method == "PROPFIND"
    assert await error_of(lambda: request.method) == ("builtins.KeyError", "'PROPFIND'")
    assert await error_of(lambda: Request("https://test.com", method="BREW")) == (
        "pyodide.ffi.JsException",
        "TypeError: Invalid HTTP method string: BREW",
    )


async def test_a_request_of_a_request():
    first = Request("https://test.com/a", method="POST", headers={"x": "1"}, body="body")
    second = Request(first, headers={"y": "2"})
    assert (second.url, second.method, dict(second.headers)) == ("https://test.com/a", "POST", {"y": "2"})
    assert await second.text() == "body"
    assert first.body_used


async def test_a_js_request_is_wrapped_in_place():
    raw = js.Request.new("https://test.com/")
    request = Request(raw)
    assert request.js_object is raw
    assert request._js_request is raw
    assert await error_of(lambda: Request(raw, method="POST")) == (
        "builtins.ValueError",
        "Expected no options when constructing Request from a js.Request",
    )


async def test_headers_of_every_kind():
    for headers in ({"X-A": "1"}, [("X-A", "1")], js.Headers.new(to_js([["X-A", "1"]]))):
        assert dict(Request("https://test.com", headers=headers).headers) == {"x-a": "1"}
    repeated = Request("https://test.com", headers=[("a", "1"), ("a", "2")]).headers
    assert type_name(repeated) == "workers.utils.HTTPMessageMapping"
    assert (repeated["A"], repeated["none"]) == ("1, 2", None)


async def test_every_reader():
    def post(body):
        return Request("https://test.com", method="POST", body=body)

    assert await post("té").text() == "té"
    assert await post('{"a": [1]}').json() == {"a": [1]}
    assert await post("[1.5]").json(parse_float=str) == ["1.5"]
    assert await post(b"\x00\xff").bytes() == b"\x00\xff"
    buffer = await post(b"ab").buffer()
    assert (buffer.constructor.name, buffer.to_bytes()) == ("ArrayBuffer", b"ab")
    blob = await post("x").blob()
    assert (type_name(blob), await blob.text()) == ("workers.blob.Blob", "x")
    form = await post(FormData({"a": "1"})).form_data()
    assert (type_name(form), form["a"]) == ("workers.formdata.FormData", "1")
    assert await Request("https://test.com").text() == ""


async def test_a_body_can_be_read_once():
    for read in ("text", "json", "bytes", "buffer", "blob", "form_data", "clone"):
        request = Request("https://test.com", method="POST", body="{}")
        await request.text()
        assert request.body_used
        assert await error_of(getattr(request, read)) == ("builtins.OSError", "Body already used")


async def test_a_body_that_is_no_form_is_a_type_error():
    request = Request("https://test.com", method="POST", body="x")
    name, _text = await error_of(request.form_data)
    assert name == "builtins.TypeError"


async def test_clone_is_independent():
    request = Request("https://test.com", method="POST", body="body", headers={"x": "1"})
    copy = request.clone()
    assert (type_name(copy), copy.headers["x"]) == ("workers.request.Request", "1")
    assert (await request.text(), await copy.text()) == ("body", "body")


async def test_get_cannot_have_a_body():
    assert await error_of(lambda: Request("https://test.com", body="x")) == (
        "pyodide.ffi.JsException",
        "TypeError: Request with a GET or HEAD method cannot have a body.",
    )


async def test_members():
    request = Request("https://test.com/", redirect="manual")
    assert (request.redirect, request.body_used, request.keepalive, request.integrity) == ("manual", False, False, "")
    assert Request("https://test.com").redirect == "follow"
    assert request.cf is None
    assert Request("https://test.com", cf=to_js({"cacheTtl": 5}, dict_converter=js.Object.fromEntries)).cf.cacheTtl == 5
    stream = Request("https://test.com", method="POST", body="x").body
    assert (type_name(stream), stream.constructor.name) == ("pyodide.ffi.JsProxy", "ReadableStream")
    assert type_name(Request("https://test.com").body) == "pyodide.ffi.JsNull"


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("credentials", "credentials"),
        ("destination", "destination"),
        ("is_history_navigation", "isHistoryNavigation"),
        ("mode", "mode"),
        ("referrer", "referrer"),
        ("referrer_policy", "referrerPolicy"),
    ],
)
async def test_members_that_the_runtime_does_not_have(name, member):
    """The SDK lists these members of the browser's Request; workerd's class lacks them."""
    assert await error_of(lambda: getattr(Request("https://test.com"), name)) == ("builtins.AttributeError", member)


async def test_json_gives_plain_dicts():
    data = await Request("https://test.com", method="POST", body='{"name": "Ada"}').json()
    assert type(data) is dict
    assert await error_of(lambda: data.name) == ("builtins.AttributeError", "'dict' object has no attribute 'name'")
    name, text = await error_of(Request("https://test.com", method="POST", body="{bad").json)
    assert (name, text) == (
        "json.decoder.JSONDecodeError",
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    )


async def test_what_a_request_has_not():
    for name in ("formData", "arrayBuffer", "string"):
        assert not hasattr(Request("https://test.com"), name)
