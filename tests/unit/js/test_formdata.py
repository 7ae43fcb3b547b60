from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.js.blob import Blob, File
from pyworkers.js.formdata import FormData
from pyworkers.js.mime import MimeType
from pyworkers.js.multipart import encode_form, parse_form_data, parse_multipart
from pyworkers.js.primitives import jsnull
from pyworkers.js.response import Response
from pyworkers.js.values import JsException, JsObject


def shown(form: FormData) -> list[tuple[str, Any]]:
    return [
        (name, (value.name, value.type, value.data) if isinstance(value, File) else value)
        for name, value in form.fields()
    ]


def parsed(body: bytes, content_type: str) -> list[tuple[str, Any]]:
    return shown(parse_form_data(body, content_type))


def failure(body: bytes, content_type: str = "multipart/form-data; boundary=B") -> str:
    with pytest.raises(JsException) as caught:
        parse_form_data(body, content_type)
    assert caught.value.name == "TypeError"
    return caught.value.message


def test_fields_keep_their_order_and_may_repeat():
    form = FormData.constructor.new()
    form.append("a", "1")
    form.append("b", Blob(b"x", "t/x"), "name.txt")
    form.append("a", 2)
    form.append("z", Blob(b"q"))
    form.append("s", "text", "ignored")
    assert shown(form) == [
        ("a", "1"),
        ("b", ("name.txt", "t/x", b"x")),
        ("a", "2"),
        ("z", ("z", "", b"q")),
        ("s", "text"),
    ]
    assert (form.get("a"), list(form.getAll("a")), form.get("no"), form.has("z")) == ("1", ["1", "2"], jsnull, True)
    form.set("a", "3")
    form.delete("s")
    assert list(form.keys()) == ["a", "b", "z"]
    assert form["a"] == "3"
    assert "b" in form


def test_a_missing_value_has_the_platforms_text():
    for method in ("append", "set"):
        with pytest.raises(JsException) as caught:
            getattr(FormData(), method)("k")
        assert caught.value.message == (
            f"Failed to execute '{method}' on 'FormData': parameter 2 is not of type 'File or Blob or string'."
        )


def test_a_form_is_written_as_multipart():
    form = FormData([('na"me\n', "v\r\n"), ("f", File(b"\0\xff", "a\\b.txt", "t/x")), ("g", File(b"", "e"))])
    assert encode_form(form, "BB") == (
        b'--BB\r\nContent-Disposition: form-data; name="na%22me%0A"\r\n\r\nv\r\n\r\n'
        b'--BB\r\nContent-Disposition: form-data; name="f"; filename="a\\\\b.txt"\r\n'
        b"Content-Type: t/x\r\n\r\n\0\xff\r\n"
        b'--BB\r\nContent-Disposition: form-data; name="g"; filename="e"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n"
        b"--BB--",
        "multipart/form-data; boundary=BB",
    )


def test_a_name_must_not_end_with_a_backslash():
    with pytest.raises(JsException, match=r"Name or filename can't end with backslash"):
        encode_form(FormData([("a\\", "v")]))


def test_multipart_is_parsed():
    body = (
        'preamble\r\n--B\r\nContent-Disposition: form-data; name="ключ"; filename="файл.txt"\r\n'
        'content-type: text/x\r\n\r\nтекст\r\n--B\r\nContent-Disposition: form-data; name="a\\"q"\r\n\r\n'
        "line\r\nline\r\n--B--epilogue"
    ).encode()
    assert parsed(body, 'Multipart/Form-Data; charset=x; boundary="B"') == [
        ("ключ", ("файл.txt", "text/x", "текст".encode())),
        ('a"q', "line\r\nline"),
    ]


def test_bare_line_feeds_end_lines_too():
    body = b'--B\nContent-Disposition: form-data; name="a"\n\nv\n--B--'
    assert parsed(body, "multipart/form-data; boundary=B") == [("a", "v")]


def test_an_empty_file_name_makes_a_plain_field():
    body = b'--B\r\nContent-Disposition: form-data; name="e"; filename=""\r\n\r\n\r\n--B--\r\n'
    assert parsed(body, "multipart/form-data; boundary=B") == [("e", "")]


def test_no_parts_is_an_empty_form():
    assert parsed(b"--B--\r\n", "multipart/form-data; boundary=B") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "No initial boundary string (or you have a truncated message)."),
        (b"--B", "No initial boundary string (or you have a truncated message)."),
        (b"--Bx", "Boundary string was not succeeded by CRLF, LF, or '--'."),
        (b"--B\r\nno end", "No multipart message header termination found."),
        (b"--B\r\nbad line\r\n\r\n", "FormData part had invalid headers."),
        (b"--B\r\nX: y\r\n\r\nv\r\n--B--", "No valid Content-Disposition header found in FormData part."),
        (
            b"--B\r\nContent-Disposition: ;\r\n\r\nv\r\n--B--",
            "Invalid Content-Disposition header found in FormData part.",
        ),
        (
            b"--B\r\nContent-Disposition: attachment\r\n\r\nv\r\n--B--",
            'Content-Disposition header for FormData part must have the value "form-data", possibly followed by '
            'parameters. Got: "attachment"',
        ),
        (
            b"--B\nContent-Disposition: form-data; name=a\n\nv\n--B--",
            "Content-Disposition header in FormData part is missing a name.",
        ),
        (
            b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nv',
            "No subsequent boundary string after multipart message.",
        ),
    ],
)
def test_a_wrong_multipart_body_has_the_platforms_text(body, message):
    assert failure(body) == message


@pytest.mark.parametrize(
    ("content_type", "message"),
    [
        (
            "multipart/form-data",
            "No boundary string in Content-Type header. The multipart/form-data MIME type requires a boundary "
            "parameter, e.g. 'Content-Type: multipart/form-data; boundary=\"abcd\"'. See RFC 7578, section 4.",
        ),
        (
            "text/plain",
            "Unrecognized Content-Type header value. FormData can only parse the following MIME types: "
            "multipart/form-data, application/x-www-form-urlencoded",
        ),
        ("application/x-www-form-urlencoded; charset=latin1", "Non-utf-8 application/x-www-form-urlencoded body."),
    ],
)
def test_a_wrong_content_type_has_the_platforms_text(content_type, message):
    assert failure(b"", content_type) == message


def test_urlencoded_drops_the_percent_sign_of_a_wrong_escape():
    assert parsed(b"a=%zz&=v&k=&&=&b=%4z+%41%", "application/x-www-form-urlencoded;charset=UTF-8") == [
        ("a", "zz"),
        ("", "v"),
        ("k", ""),
        ("", ""),
        ("b", "\x04z A"),
    ]


def test_a_response_carries_a_form_there_and_back():
    async def main() -> list[tuple[str, Any]]:
        form = FormData([("a", "é"), ("f", File(bytes(range(256)), "b.bin", "x/y"))])
        response = Response.js_new(form, JsObject({"status": 201}))
        return shown(await response.formData())

    assert asyncio.run(main()) == [("a", "é"), ("f", ("b.bin", "x/y", bytes(range(256))))]


def test_a_body_without_content_type_is_no_form():
    async def main() -> str:
        with pytest.raises(JsException) as caught:
            await Response(b"x").formData()
        return caught.value.message

    assert asyncio.run(main()) == "Parsing a Body as FormData requires a Content-Type header."


name = st.text(min_size=1).filter(lambda text: not text.endswith("\\") and not set(text) & set('"\n\r'))


@given(
    st.lists(st.tuples(name, st.one_of(st.text().map(lambda t: t.encode("utf-8", "replace").decode()), st.binary())))
)
def test_any_form_parses_back(fields):
    def clean(text: str) -> str:
        return text.encode("utf-8", "replace").decode()

    form = FormData([(clean(key), File(v, clean(key)) if isinstance(v, bytes) else v) for key, v in fields])
    body, content_type = encode_form(form)
    expected = [
        (key, (value[0], "application/octet-stream", value[2]) if isinstance(value, tuple) else value)
        for key, value in shown(form)
    ]
    assert parsed(body, content_type) == expected


@given(st.binary())
def test_no_body_gives_anything_but_the_platforms_error(body):
    names = {"TypeError"}
    try:
        parse_multipart(b"--B\r\n" + body, "B")
    except JsException as error:
        names.add(error.name)
    assert names == {"TypeError"}


@pytest.mark.parametrize(
    ("header", "shown_as"),
    [
        ("text/html", "text/html"),
        (" Text/HTML ; Charset=UTF-8 ", "text/html;charset=UTF-8"),
        ('a/b; q="x y"; bad; =1; q=2', 'a/b;q="x y"'),
        ("text/plain;charset=x, text/plain;a=1", "text/plain;a=1;charset=x"),
        ('a/b;x="1,2", c/d', "c/d"),
        ("multipart/form-data;boundary=B", "multipart/form-data; boundary=B"),
    ],
)
def test_a_mime_type_is_parsed_and_written(header, shown_as):
    assert str(MimeType.extract(header)) == shown_as


@pytest.mark.parametrize("header", ["", "text", "/", "a/", "/b", "a b/c", "*/*"])
def test_what_is_no_mime_type_is_none(header):
    assert MimeType.extract(header) is None
