"""workers.Response: what it takes, what it shows, what it refuses."""

from http import HTTPStatus

import js
import pytest
from js import Object
from pyodide.ffi import create_proxy, to_js
from shown import error_of, type_name

from workers import Blob, FormData, Response

pytestmark = [pytest.mark.worker_config("tests/sdk/workers/plain/wrangler.toml"), pytest.mark.usefixtures("runtime")]


def header_list(response):
    return [[name, value] for name, value in response.js_object.headers]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ((), "Response(status=200, status_text='OK')"),
        ((None,), "Response(status=200, status_text='OK')"),
        (("x",), "Response(status=200, status_text='OK', content_type='text/plain;charset=UTF-8')"),
        ((b"x",), "Response(status=200, status_text='OK')"),
        (("", 404), "Response(status=404, status_text='Not Found', content_type='text/plain;charset=UTF-8')"),
        ((None, 299), "Response(status=299, status_text='Successful')"),
        ((None, HTTPStatus.IM_A_TEAPOT), 'Response(status=418, status_text="I\'m a teapot")'),
        ((None, 0), "Response(status=200, status_text='OK')"),
        ((None, 204), "Response(status=204, status_text='No Content')"),
        ((None, 200, "Fine"), "Response(status=200, status_text='Fine')"),
        ((None, 200, "", {"Content-Type": "a/b"}), "Response(status=200, status_text='OK', content_type='a/b')"),
    ],
)
async def test_repr_shows_status_text_and_type(arguments, shown):
    response = Response(*arguments)
    assert repr(response) == shown
    assert type_name(response) == "workers.response.Response"


async def test_bodies_and_the_types_they_set():
    form = FormData({"a": "1"})
    stream = js.Response.new("streamed").body
    bodies = {
        "text/plain;charset=UTF-8": ("text", "text"),
        "application/x-www-form-urlencoded;charset=UTF-8": (js.URLSearchParams.new("a=1"), "a=1"),
        "t/x": (js.Blob.new(to_js(["blob"]), type="t/x"), "blob"),
    }
    for content_type, (body, text) in bodies.items():
        response = Response(body)
        assert response.headers["content-type"] == content_type
        assert await response.text() == text
    for body, text in (
        (b"bytes", "bytes"),
        (to_js(b"array"), "array"),
        (to_js(b"buffer").buffer, "buffer"),
        (js.DataView.new(to_js(b"view").buffer), "view"),
        (stream, "streamed"),
    ):
        response = Response(body)
        assert response.headers["content-type"] is None
        assert await response.text() == text
    multipart = Response(form)
    kind, _, boundary = multipart.headers["content-type"].partition("; boundary=")
    assert (kind, bool(boundary)) == ("multipart/form-data", True)
    assert (await multipart.form_data())["a"] == "1"


@pytest.mark.parametrize(
    ("make_body", "name"),
    [
        (lambda: {"a": 1}, "dict"),
        (lambda: [1], "list"),
        (lambda: 5, "int"),
        (lambda: True, "bool"),
        (lambda: bytearray(b"a"), "bytearray"),
        (lambda: memoryview(b"a"), "memoryview"),
        (lambda: Blob("x"), "Blob"),
        (lambda: js.Headers.new(), "Headers"),
        (lambda: Object.new(), "Object"),
        (lambda: js.Map.new(), "Map"),
    ],
)
async def test_other_bodies_are_refused(make_body, name):
    assert await error_of(lambda: Response(make_body())) == (
        "builtins.TypeError",
        f"Unsupported type in Response: {name}",
    )


async def test_a_js_response_is_wrapped_in_place():
    raw = js.Response.new("body", status=201)
    response = Response(raw)
    assert response.js_object is raw
    assert (response.status, await response.text()) == (201, "body")
    for options in ({"status": 200}, {"status_text": "x"}, {"headers": {}}):
        assert await error_of(lambda options=options: Response(js.Response.new("x"), **options)) == (
            "builtins.ValueError",
            "Expected no options when constructing Response from a js.Response",
        )


async def test_statuses_out_of_range():
    text = "RangeError: Responses may only be constructed with status codes in the range 200 to 599, inclusive."
    for status in (99, 600, 1000, -1):
        assert await error_of(lambda status=status: Response("x", status=status)) == ("pyodide.ffi.JsException", text)
    text = "TypeError: Response with null body status (101, 204, 205, or 304) cannot have a body."
    for status in (204, 205, 304):
        assert await error_of(lambda status=status: Response("x", status=status)) == ("pyodide.ffi.JsException", text)


async def test_headers_may_be_a_dict_pairs_or_js_headers():
    assert header_list(Response(None, headers={"X-A": "1", "x-b": 2, "X-C": True})) == [
        ["x-a", "1"],
        ["x-b", "2"],
        ["x-c", "true"],
    ]
    repeated = Response(None, headers=[("A", "1"), ("a", "2"), ("Set-Cookie", "x=1"), ("set-cookie", "y=2")])
    assert header_list(repeated) == [["a", "1, 2"], ["set-cookie", "x=1"], ["set-cookie", "y=2"]]
    assert repeated.headers.get_all("set-cookie") == ["x=1", "y=2"]
    assert Response(None, headers=js.Headers.new(to_js([["q", "1"]]))).headers["Q"] == "1"
    refused = ("builtins.TypeError", "Received unexpected type for headers argument")
    assert await error_of(lambda: Response(None, headers="x")) == refused
    assert await error_of(lambda: Response("x", headers=repeated.headers)) == refused
    assert dict(Response("x", headers=dict(Response("y", headers={"a": "b"}).headers)).headers) == {
        "a": "b",
        "content-type": "text/plain;charset=UTF-8",
    }


async def test_the_headers_of_a_response_are_a_message_and_a_mapping():
    headers = Response("x", headers={"X-A": " padded "}).headers
    assert type_name(headers) == "workers.utils.HTTPMessageMapping"
    assert (headers["x-a"], headers["X-A"], headers["missing"]) == ("padded", "padded", None)
    assert headers.get("missing", "default") == "default"
    assert "x-A" in headers
    assert sorted(headers.keys()) == ["content-type", "x-a"]
    assert headers.get_content_type() == "text/plain"


async def test_json_of_python_data_has_pythons_separators():
    for make in (Response.json, Response.from_json):
        response = make({"a": [1, None], "é": 1.5})
        assert await response.text() == '{"a": [1, null], "\\u00e9": 1.5}'
        assert header_list(response) == [["content-type", "application/json"]]
    given = Response.json([], status=HTTPStatus.CREATED, status_text="Made", headers={"Content-Type": "a/b", "x": "y"})
    assert repr(given) == "Response(status=201, status_text='Made', content_type='a/b')"
    assert header_list(given) == [["content-type", "a/b"], ["x", "y"]]
    assert header_list(Response.json(1, headers={"x": "y"})) == [["content-type", "application/json"], ["x", "y"]]
    assert await error_of(lambda: Response.json({"a": object()})) == (
        "builtins.TypeError",
        "Object of type object is not JSON serializable",
    )


async def test_json_of_a_js_object_is_javascripts():
    raw = js.JSON.parse('{"a":[1,null],"b":"é"}')
    response = Response.json(raw, status=202)
    assert (response.status, await response.text()) == (202, '{"a":[1,null],"b":"é"}')
    assert header_list(response) == [["content-type", "application/json"]]


async def test_json_with_a_wrong_status_is_a_value_error():
    for data in ({}, js.JSON.parse("{}")):
        assert await error_of(lambda data=data: Response.json(data, status=1000)) == (
            "builtins.ValueError",
            "Responses may only be constructed with status codes in the range 200 to 599, inclusive.",
        )
        assert await error_of(lambda data=data: Response.json(data, status=204)) == (
            "builtins.TypeError",
            "Response with null body status (101, 204, 205, or 304) cannot have a body.",
        )


async def test_redirect_gives_a_raw_response():
    raw = Response.redirect("https://example.com/a b")
    assert (type_name(raw), repr(raw), raw.constructor.name) == ("pyodide.ffi.JsProxy", "[object Response]", "Response")
    assert (raw.status, raw.headers.get("location")) == (302, "https://example.com/a%20b")
    assert Response.redirect("https://example.com/", HTTPStatus.SEE_OTHER).status == 303
    assert Response.redirect("https://example.com/", 308).status == 308
    assert await error_of(lambda: Response.redirect("https://example.com/", 200)) == (
        "builtins.ValueError",
        "200 is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.",
    )
    assert await error_of(lambda: Response.redirect("no url")) == ("builtins.TypeError", "Unable to parse URL: no url")


async def test_members_of_an_instance():
    response = Response("body", status=201, headers={"X-A": "b"})
    assert (response.status, response.status_text, response.ok) == (201, "Created", True)
    assert (response.redirected, response.type, response.url, response.body_used) == (False, "default", "", False)
    assert response.js_object is response.js_response
    assert type_name(response.body) == "pyodide.ffi.JsProxy"
    assert response.body.constructor.name == "ReadableStream"
    assert Response().body is None
    assert not Response(None, status=404).ok


async def test_every_reader():
    assert await Response("té").text() == "té"
    assert await Response("té").string() == "té"
    assert await Response('{"a": [1.0, 2]}').json() == {"a": [1.0, 2]}
    assert await Response(b"\x00\xff").bytes() == b"\x00\xff"
    buffer = await Response(b"ab").buffer()
    assert (type_name(buffer), buffer.constructor.name, buffer.to_bytes()) == (
        "pyodide.ffi.JsProxy",
        "ArrayBuffer",
        b"ab",
    )
    view = await Response(b"ab").memoryview()
    assert (type_name(view), bytes(view)) == ("builtins.memoryview", b"ab")
    blob = await Response("x").blob()
    assert (type_name(blob), blob.content_type, await blob.text()) == (
        "workers.blob.Blob",
        "text/plain;charset=utf-8",
        "x",
    )
    for read in ("form_data", "formData"):
        form = await getattr(Response(js.URLSearchParams.new("a=1&a=2")), read)()
        assert (type_name(form), form.get_all("a")) == ("workers.formdata.FormData", ["1", "2"])


async def test_a_body_can_be_read_once():
    used = ("pyodide.http._exceptions.BodyUsedError", "Response body is already used")
    for read in ("text", "string", "json", "bytes", "buffer", "memoryview", "blob", "form_data"):
        response = Response("{}")
        await response.text()
        assert response.body_used
        assert await error_of(getattr(response, read)) == used
    with pytest.raises(OSError, match=r"^Response body is already used$"):
        await response.text()


async def test_a_body_that_fails_is_an_abort_error():
    def failing():
        def pull(controller):
            controller.error(js.TypeError.new("source broke"))

        return Response(js.ReadableStream.new(pull=create_proxy(pull)))

    for read in ("text", "string", "json", "bytes", "buffer", "memoryview"):
        assert await error_of(getattr(failing(), read)) == ("pyodide.http._exceptions.AbortError", "source broke")


async def test_abort_needs_a_fetched_response():
    assert await error_of(Response("x").abort) == ("builtins.ValueError", "abort_controller is not set")


async def test_a_body_that_is_no_form_is_a_type_error():
    name, text = await error_of(Response("x").form_data)
    assert name == "builtins.TypeError"
    assert text == (
        "Unrecognized Content-Type header value. FormData can only parse the following MIME types: "
        "multipart/form-data, application/x-www-form-urlencoded"
    )


async def test_raise_for_status():
    assert Response().raise_for_status() is None
    assert Response(None, status=301).raise_for_status() is None
    assert await error_of(Response(None, status=404).raise_for_status) == (
        "pyodide.http._exceptions.HttpStatusError",
        "404 Client Error: Not Found for url: ",
    )
    assert await error_of(Response(None, status=503).raise_for_status) == (
        "pyodide.http._exceptions.HttpStatusError",
        "503 Server Error: Service Unavailable for url: ",
    )


async def test_replace_body_keeps_status_and_headers():
    old = Response("old", status=201, headers={"X-A": "b"})
    new = old.replace_body("new")
    assert (type_name(new), new.status, new.headers["x-a"], await new.text()) == (
        "workers.response.Response",
        201,
        "b",
        "new",
    )
    form = old.replace_body(FormData({"a": "1"}))
    assert form.headers["content-type"] == "text/plain;charset=UTF-8"  # the old one is kept


async def test_clone_gives_pyodides_own_class():
    response = Response("x")
    copy = response.clone()
    assert type_name(copy) == "pyodide.http._pyfetch.FetchResponse"
    assert not hasattr(copy, "js_object")
    assert (await response.text(), await copy.text()) == ("x", "x")
    assert await error_of(response.clone) == (
        "pyodide.http._exceptions.BodyUsedError",
        "Response body is already used",
    )


async def test_what_a_response_has_not():
    assert not hasattr(Response, "error")
    assert not hasattr(Response, "from_js")
    assert await error_of(lambda: Response.new("x")) == (
        "builtins.AttributeError",
        "type object 'Response' has no attribute 'new'",
    )
    assert await error_of(lambda: Response("x", bogus=1)) == (
        "builtins.TypeError",
        "Response.__init__() got an unexpected keyword argument 'bogus'",
    )


async def test_status_101_carries_a_web_socket():
    client, _server = js.WebSocketPair.new().object_values()
    response = Response(None, status=101, web_socket=client)
    assert repr(response) == "Response(status=101, status_text='Switching Protocols')"
    assert response.js_object.webSocket is client
