"""Sends a recorded request as raw bytes and tells what came back, in the recordings' form.

The definition is the recorder's ``lib_http.mjs``.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import brotli

_LIMIT_S = 4.0


async def exchange(port: int, request: Mapping[str, Any], case: str) -> Any:
    """Send one step's request; returns its result."""
    if "sleep" in request:
        await asyncio.sleep(request["sleep"] / 1000)
        return {"ok": {"slept": request["sleep"]}}
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_build(request, case))
        answers = await asyncio.wait_for(_read_answers(reader, request), _LIMIT_S)
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
    answers: list[Any] = []
    wanted = request.get("count", 1)
    while sum("status" in answer for answer in answers) < wanted:
        answer = await _read_answer(reader, request)
        if answer is None:
            return answers or [{"closed": True, "received": ""}]
        answers.append(answer)
    return answers


async def _read_answer(reader: asyncio.StreamReader, request: Mapping[str, Any]) -> Any:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    match = re.fullmatch(r"(HTTP/\d\.\d) (\d+) ?(.*)", first)
    assert match is not None, first
    pairs = [line.partition(":") for line in lines]
    headers = [[name, value.strip().encode("latin-1").decode()] for name, _, value in pairs]
    known = {name.lower(): value for name, value in headers}
    status = int(match[2])
    if status < 200 and status != 101:
        return {"informational": status}
    answer = {"version": match[1], "status": status, "reason": match[3], "headers": headers}
    framing, chunks = await _read_body(
        reader, known, is_bare=request.get("method") == "HEAD" or status in (101, 204, 304)
    )
    answer["framing"] = framing
    answer |= _shown(b"".join(chunks), status, headers, known)
    if request.get("chunks"):
        answer |= {"n_chunks": len(chunks), "chunks": [chunk.decode() for chunk in chunks]}
    return answer


async def _read_body(
    reader: asyncio.StreamReader, headers: Mapping[str, str], *, is_bare: bool
) -> tuple[str, list[bytes]]:
    if is_bare:
        return "none", []
    if "chunked" in headers.get("transfer-encoding", ""):
        chunks = []
        while size := int(await reader.readline(), 16):
            chunks.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return "chunked", chunks
    if "content-length" in headers:
        return "content-length", [await reader.readexactly(int(headers["content-length"]))]
    return "close", [await reader.read()]


def _shown(body: bytes, status: int, headers: list[list[str]], known: Mapping[str, str]) -> dict[str, Any]:
    coding = known.get("content-encoding")
    if coding in ("gzip", "br") and body:
        plain = gzip.decompress(body) if coding == "gzip" else brotli.decompress(body)
        return {"body_compressed": coding, "decoded": plain.decode()}
    if len(body) <= 2048:
        return {"body": body.decode()}
    if status >= 500 and "html" in str(headers):
        title = re.search(r"<title>([^<]*)", body.decode())
        page = {"body_length": "<varies-if-html>", "body_is_html_error_page": True}
        return {**page, "title": title[1] if title else None}
    return {"body_length": len(body), "body_sha256": hashlib.sha256(body).hexdigest()}
