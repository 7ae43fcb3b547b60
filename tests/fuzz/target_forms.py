"""``formData()``: multipart bodies and Content-Types."""

from __future__ import annotations

from typing import Final

from fuzz_outcome import outcome
from fuzz_source import Source

from pyworkers.js.blob import File
from pyworkers.js.mime import MimeType
from pyworkers.js.multipart import encode_form, parse_form_data
from pyworkers.js.values import JsException

_BODY: Final = (
    *(b"--x", b"\r\n", b"\n", b"--", b"\r\n\r\n", b"--x--\r\n", b"Content-Disposition: form-data; name=", b'"a"'),
    *(
        b"\r\n--x\r\n",
        b'; filename="f"',
        b"Content-Type: text/plain",
        b"charset=utf-16",
        b"\\",
        b'"',
        b"%22",
        b"=",
        b"&",
    ),
    b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n',
)
_TYPES: Final = (
    *(b"multipart/form-data", b"application/x-www-form-urlencoded", b";", b" boundary=", b"x", b'"', b"=", b",", b"/"),
    *(b"charset=", b"utf-8", b"\\", b"\t"),
)


def fuzz(source: Source) -> None:
    """A form that can be read survives being written."""
    content_type = "multipart/form-data; boundary=x"
    if source.is_true():
        content_type = source.mixture(_TYPES, 8).decode("latin-1")
    mime_type = MimeType.parse(content_type)
    assert mime_type is None or MimeType.parse(str(mime_type)) == mime_type, content_type
    form = outcome(parse_form_data, source.mixture(_BODY), content_type)
    if isinstance(form, JsException) or not all(name for name, _ in form.fields()):
        return  # a field without a name can be written, and not read
    written = outcome(encode_form, form, "other")
    if isinstance(written, JsException):
        return
    again = parse_form_data(*written)
    before, after = list(form.fields()), list(again.fields())
    files = [[value.data for _, value in fields if isinstance(value, File)] for fields in (before, after)]
    assert len(before) == len(after), (before, after)
    assert files[0] == files[1], files
