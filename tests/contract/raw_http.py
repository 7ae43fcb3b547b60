"""A client of raw bytes: sends a recorded request and returns its answer in the recordings' form.

Source: the recorder's ``lib_http.mjs``
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import brotli

_STATUS_LINE: Final = re.compile(r"(HTTP/\d\.\d) (\d+) ?(.*)")
_TIMEOUT_S: Final = 4.0
_LONG_BYTES: Final = 2_048
_BODYLESS: Final = (101, 204, 304)
_DECODERS: Final = {"gzip": gzip.decompress, "br": brotli.decompress}


@dataclass(slots=True)
class Answer:
    """One response as it came over the wire."""

    version: str
    status: int
    reason: str
    headers: list[list[str]]
    framing: str = "none"
    body: bytes = b""
    more: dict[str, Any] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """Return the first header of a lower-case name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def as_recorded(self) -> dict[str, Any]:
        """Return the answer in the recordings' form."""
        names = ("version", "status", "reason", "headers", "framing")
        return {**{name: getattr(self, name) for name in names}, **self._body(), **self.more}

    def _body(self) -> dict[str, Any]:
        coding = self.header("content-encoding")
        if coding in _DECODERS:
            return {"body_compressed": coding, "decoded": _DECODERS[coding](self.body).decode()}
        if len(self.body) > _LONG_BYTES:
            return {"body_length": len(self.body), "body_sha256": hashlib.sha256(self.body).hexdigest()}
        return {"body": self.body.decode("utf-8", "replace")}


async def send(port: int, step: Mapping[str, Any], extra: Sequence[tuple[str, str]] = ()) -> Answer:
    """Send one recorded request and return the answer.

    Args:
        step: ``method``, ``abs`` (the path), ``headers``, and ``body``.
        extra: further headers.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_request(step, extra))
        return await asyncio.wait_for(_read(reader, step["method"]), _TIMEOUT_S)
    finally:
        writer.close()
        await writer.wait_closed()


def _request(step: Mapping[str, Any], extra: Sequence[tuple[str, str]]) -> bytes:
    headers = [*map(tuple, step["headers"]), *extra]
    if not any(name.lower() == "host" for name, _ in headers):
        headers.insert(0, ("Host", "test.local"))
    body = step.get("body", "").encode()
    if "body" in step:
        headers.append(("Content-Length", str(len(body))))
    lines = [f"{step['method']} {step['abs']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _read(reader: asyncio.StreamReader, method: str) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    match = _STATUS_LINE.fullmatch(first)
    assert match is not None, first
    pairs = [line.partition(":") for line in lines]
    headers = [[name, value.strip().encode("latin-1").decode("utf-8", "replace")] for name, _, value in pairs]
    answer = Answer(match[1], int(match[2]), match[3], headers)
    if method == "HEAD" or answer.status in _BODYLESS:
        return answer
    if "chunked" in (answer.header("transfer-encoding") or "").lower():
        answer.framing, answer.body = "chunked", await _chunks(reader)
    elif (length := answer.header("content-length")) is not None:
        answer.framing, answer.body = "content-length", await reader.readexactly(int(length))
    else:
        answer.framing, answer.body = "close", await reader.read()
    return answer


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    return b"".join(parts)
