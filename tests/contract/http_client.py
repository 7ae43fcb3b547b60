"""Sends a recorded request as raw bytes and tells what came back, in the recordings' form.

The definition is `record/wire.mjs`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import brotli

# Where no answer is expected, how long none has to come; elsewhere a guard against hanging.
_SILENCE_S: Final = 1.0
_LIMIT_S: Final = 120.0
_LONG_BYTES: Final = 2_048
_SHOWN_CHARACTERS: Final = 200
_READ_BYTES: Final = 1 << 20
_BARE: Final = (101, 204, 304)
_STATUS_LINE: Final = re.compile(r"(HTTP/\d\.\d) (\d+) ?(.*)")
_DECODERS: Final = {"gzip": gzip.decompress, "br": brotli.decompress}


async def exchange(port: int, request: Mapping[str, Any], case: str) -> Any:
    """Send one step's request; returns its result."""
    if "sleep" in request:
        await asyncio.sleep(request["sleep"] / 1000)
        return {"ok": {"slept": request["sleep"]}}
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_build(request, case))
        answers = await _read_answers(reader, request)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return {"ok": answers[0] if len(answers) == 1 else answers}


def _build(request: Mapping[str, Any], case: str) -> bytes:
    if "raw" in request:
        return str(request["raw"]).replace("{case}", case).encode()
    path = request.get("abs", f"/p/{case}{request.get('path', '')}")
    headers = [tuple(pair) for pair in request["headers"]]
    if not any(name.lower() == "host" for name, _ in headers):
        headers.insert(0, ("Host", "test.local"))
    body = request.get("body")
    if isinstance(body, dict):
        body = body["$repeat"][0] * body["$repeat"][1]
    data = b"" if body is None else body.encode()
    if body is not None:
        headers.append(("Content-Length", str(len(data))))
    head = f"{request['method']} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers)
    return head.encode() + b"\r\n" + data + request.get("rawBody", "").encode()


async def _read_answers(reader: asyncio.StreamReader, request: Mapping[str, Any]) -> list[Any]:
    """Return what comes until there are as many answers as are wanted, the connection ends or time is over."""
    answers: list[Any] = []
    buffer = b""
    try:
        async with asyncio.timeout(_SILENCE_S if request.get("timeout") else _LIMIT_S):
            while True:
                data = await reader.read(_READ_BYTES)
                buffer += data
                while (found := _parse(buffer, request, has_ended=not data)) is not None:
                    answer, used = found
                    answers.append(answer)
                    if used is None or sum("status" in one for one in answers) >= request.get("count", 1):
                        return answers
                    buffer = buffer[used:]
                if not data:
                    return answers or [{"closed": True, "received": _shown(buffer)}]
    except TimeoutError:
        return [*answers, {"timeout": True, "received": _shown(buffer)}]
    except ConnectionResetError:
        return [*answers, {"socketError": "ECONNRESET"}]


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "replace")[:_SHOWN_CHARACTERS]


@dataclass(slots=True)
class _Body:
    """A body: its pieces, and how many bytes it took; None: it was cut."""

    framing: str
    parts: Sequence[bytes] = field(default_factory=list)
    used: int | None = None


def _parse(buffer: bytes, request: Mapping[str, Any], *, has_ended: bool) -> tuple[Any, int | None] | None:
    """Return the first answer and how many bytes it took (None: nothing follows it); None while it is not complete."""
    head, separator, rest = buffer.partition(b"\r\n\r\n")
    if not separator:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        return {"notHttp": first}, None
    status = int(match[2])
    if status < 200 and status != 101:
        return {"informational": status}, len(head) + 4
    pairs = [line.partition(":") for line in lines]
    headers = [[name, value.strip().encode("latin-1").decode("utf-8", "replace")] for name, _, value in pairs]
    known = {name.lower(): value for name, value in reversed(headers)}
    is_bare = request.get("method") == "HEAD" or status in _BARE
    body = _Body("none", used=0) if is_bare else _parse_body(rest, known, has_ended=has_ended)
    if body is None:
        return None
    answer = {"version": match[1], "status": status, "reason": match[3], "headers": headers, "framing": body.framing}
    if body.used is None:
        answer["truncated"] = True
    answer |= _shown_body(b"".join(body.parts), status, headers, known)
    if request.get("chunks"):
        answer |= {"n_chunks": len(body.parts), "chunks": [part.decode() for part in body.parts]}
    return answer, None if body.used is None else len(head) + 4 + body.used


def _parse_body(data: bytes, headers: Mapping[str, str], *, has_ended: bool) -> _Body | None:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _parse_chunks(data, has_ended=has_ended)
    if "content-length" not in headers:
        return _Body("close", [data], len(data)) if has_ended else None
    length = int(headers["content-length"])
    if len(data) >= length:
        return _Body("content-length", [data[:length]], length)
    return _Body("content-length", [data]) if has_ended else None


def _parse_chunks(data: bytes, *, has_ended: bool) -> _Body | None:
    parts: list[bytes] = []
    start = 0
    while True:
        line_end = data.find(b"\r\n", start)
        size = int(data[start:line_end], 16) if line_end >= 0 else -1
        if size == 0:
            return _Body("chunked", parts, line_end + 4)
        end = line_end + 2 + size
        if size < 0 or len(data) < end + 2:
            return _Body("chunked", parts) if has_ended else None
        parts.append(data[line_end + 2 : end])
        start = end + 2


def _shown_body(body: bytes, status: int, headers: list[list[str]], known: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    coding = known.get("content-encoding")
    if coding in _DECODERS:
        try:
            if not body:
                raise EOFError  # Python reads nothing as a compressed nothing
            return {"body_compressed": coding, "decoded": _DECODERS[coding](body).decode("utf-8", "replace")}
        except (OSError, EOFError, zlib.error, brotli.error):
            shown["not_decodable_as"] = coding
    if len(body) > _LONG_BYTES:
        if status >= 500 and "html" in json.dumps(headers):
            title = re.search(r"<title>([^<]*)", body.decode("utf-8", "replace"))
            page = {"body_length": "<varies-if-html>", "body_is_html_error_page": True}
            return {**shown, **page, "title": title[1] if title else None}
        return {**shown, "body_length": len(body), "body_sha256": hashlib.sha256(body).hexdigest()}
    try:
        return {**shown, "body": body.decode()}
    except UnicodeDecodeError:
        return {**shown, "body_b64": base64.b64encode(body).decode()}
