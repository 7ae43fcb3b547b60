"""``multipart/form-data``, written and parsed as the runtime does.

The parser is the platform's own and not python-multipart's: it takes bare line feeds, ends at the first closing
boundary, ignores what stands around the parts, and its error texts are part of the interface.

Source: RFC 7578; recorded, contracts/fetchapi, fetchapi.response.formdata2
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from pyworkers.js.blob import File
from pyworkers.js.formdata import FormData, FormValue
from pyworkers.js.mime import MimeType
from pyworkers.js.urlencoded import parse_form
from pyworkers.js.values import type_error
from pyworkers.js.webidl import utf8

MULTIPART: Final = "multipart/form-data"
URLENCODED: Final = "application/x-www-form-urlencoded"
_UTF8_LABELS: Final = frozenset(("utf-8", "utf8", "unicode-1-1-utf-8"))

_HEADERS_END: Final = re.compile(rb"\r?\n\r?\n")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DISPOSITION: Final = re.compile(r"\s*([0-9A-Za-z_-]+)\s*")
# Values must be quoted and must not be empty: an empty file name makes the part a plain field.
_PARAMETER: Final = re.compile(r';\s*([0-9A-Za-z_-]+)\s*=\s*"((?:[^"\n\\]|\\[^\n])+)"\s*')
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def encode_form(form: FormData, boundary: str | None = None) -> tuple[bytes, str]:
    """Serialize a form; returns the body and its Content-Type.

    Raises:
        JsException: TypeError, when a name ends with a backslash.
    """
    boundary = secrets.token_hex(16) if boundary is None else boundary
    delimiter = f"--{boundary}".encode()
    parts: list[bytes] = []
    for name, value in form.fields():
        head = f'Content-Disposition: form-data; name="{_escape(name)}"'
        data = value.data if isinstance(value, File) else utf8(value)
        if isinstance(value, File):
            kind = value.type or "application/octet-stream"
            head += f'; filename="{_escape(value.name)}"\r\nContent-Type: {kind}'
        parts.append(b"%b\r\n%b\r\n\r\n%b\r\n" % (delimiter, utf8(head), data))
    return b"".join([*parts, delimiter, b"--"]), f"{MULTIPART}; boundary={boundary}"


def parse_form_data(data: bytes, content_type: str) -> FormData:
    """Parse a body as ``formData()`` does.

    Raises:
        JsException: TypeError, with the platform's text.
    """
    mime_type = MimeType.parse(content_type)
    if mime_type is not None and mime_type.essence == MULTIPART:
        boundary = mime_type.parameters.get("boundary")
        if boundary is None:
            raise type_error(
                "No boundary string in Content-Type header. The multipart/form-data MIME type requires a boundary "
                "parameter, e.g. 'Content-Type: multipart/form-data; boundary=\"abcd\"'. See RFC 7578, section 4."
            )
        return FormData(parse_multipart(data, boundary))
    if mime_type is not None and mime_type.essence == URLENCODED:
        if mime_type.parameters.get("charset", "utf-8").lower() not in _UTF8_LABELS:
            raise type_error("Non-utf-8 application/x-www-form-urlencoded body.")
        return FormData(list(parse_form(data.decode("utf-8", "replace"))))
    raise type_error(
        "Unrecognized Content-Type header value. FormData can only parse the following MIME types: "
        f"{MULTIPART}, {URLENCODED}"
    )


def parse_multipart(data: bytes, boundary: str) -> list[tuple[str, FormValue]]:
    """Parse the parts of a body.

    Raises:
        JsException: TypeError, with the platform's text.
    """
    delimiter = utf8(f"\n--{boundary}")
    fields: list[tuple[str, FormValue]] = []
    start = data.find(delimiter[1:])
    position = start + len(delimiter) - 1
    if start < 0 or position >= len(data):
        raise type_error("No initial boundary string (or you have a truncated message).")
    while (position := _after_boundary(data, position)) >= 0:
        end = _HEADERS_END.search(data, position)
        if end is None:
            raise type_error("No multipart message header termination found.")
        if end.start() == position:
            raise type_error("FormData part had invalid headers.")
        name, filename, kind = _read_part_headers(data[position : end.end()].decode("utf-8", "replace"))
        stop = data.find(delimiter, end.end())
        position = stop + len(delimiter)
        if stop < 0 or position >= len(data):
            raise type_error("No subsequent boundary string after multipart message.")
        content = data[end.end() : stop].removesuffix(b"\r")
        if filename is None:
            fields.append((name, content.decode("utf-8", "replace")))
        else:
            fields.append((name, File(content, filename, kind)))
    return fields


def _after_boundary(data: bytes, position: int) -> int:
    """Return where the next part begins, or -1 after the closing boundary."""
    if data.startswith(b"\n", position):
        return position + 1
    if data.startswith(b"\r\n", position):
        return position + 2
    if data.startswith(b"--", position):
        return -1
    raise type_error("Boundary string was not succeeded by CRLF, LF, or '--'.")


def _read_part_headers(text: str) -> tuple[str, str | None, str]:
    """Return a part's name, its file name or None, and its type."""
    headers = _parse_headers(text)
    disposition = headers.get("content-disposition")
    if disposition is None:
        raise type_error("No valid Content-Disposition header found in FormData part.")
    kind = _DISPOSITION.match(disposition)
    if kind is None:
        raise type_error("Invalid Content-Disposition header found in FormData part.")
    if kind[1] != "form-data":
        raise type_error(
            'Content-Disposition header for FormData part must have the value "form-data", possibly followed by '
            f'parameters. Got: "{kind[1]}"'
        )
    parameters: dict[str, str] = {}
    position = kind.end()
    while match := _PARAMETER.match(disposition, position):
        parameters[match[1]] = _ESCAPE.sub(r"\1", match[2])
        position = match.end()
    if "name" not in parameters:
        raise type_error("Content-Disposition header in FormData part is missing a name.")
    return parameters["name"], parameters.get("filename"), headers.get("content-type", "")


def _parse_headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in re.split(r"\r?\n", text):
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name.rstrip(" \t")):
            raise type_error("FormData part had invalid headers.")
        headers.setdefault(name.rstrip(" \t").lower(), value.strip(" \t"))
    return headers


def _escape(value: str) -> str:
    if value.endswith("\\"):
        raise type_error("Name or filename can't end with backslash")
    return value.replace("\\", "\\\\").replace('"', "%22").replace("\n", "%0A")
