"""JSON over HTTP: reading bodies, answering, saying what is wrong, CORS.

This file is the same in every worker: each is deployed on its own, with the files of its own folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from workers import Request, Response

MAX_AGE_S = 86_400
EXPOSED_HEADERS = (
    "Content-Type, Content-Length, Content-Range, ETag, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, "
    "X-Request-Id, X-Inference-Cache, X-Inference-Model, X-Vercel-AI-UI-Message-Stream, X-Vercel-AI-Data-Stream"
)
DEFAULT_ALLOWED_HEADERS = "Content-Type, Authorization, X-API-Key, x-inference-key"
MAX_JSON_DEPTH = 64


class HttpError(Exception):
    """An answer other than 2xx.

    Args:
        status: the HTTP status.
        message: what the client is told.
        field: the part of the request that is wrong, such as `messages[0].role`.
        code: a name that programs can test for, such as `RATE_LIMITED`.
        details: further members of the answer.
        headers: further headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        field: str | None = None,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.code = code
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer: `{"error": message}`, with `code`, `field` and the details where there are any."""
        named = {"code": self.code, "field": self.field}
        body = {"error": self.message, **{name: value for name, value in named.items() if value is not None}}
        return json_response({**body, **self.details}, status=self.status, headers=self.headers)


def invalid(field: str, problem: str) -> HttpError:
    """Return the 400 for a field: `Invalid request: <field> <problem>`."""
    return HttpError(400, f"Invalid request: {field} {problem}", field=field)


def json_response(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return compact JSON."""
    return Response(_encode(data), status=status, headers={"content-type": "application/json", **(headers or {})})


async def read_json(request: Request, *, max_bytes: int) -> Any:
    """Return the request's body as JSON values; text without lone surrogates, finite numbers.

    Raises:
        HttpError: 400 it is no JSON, 413 it is longer than ``max_bytes``.
    """
    return parse_json(await read_body(request, max_bytes=max_bytes))


def parse_json(raw: bytes) -> Any:
    """Return JSON values.

    Raises:
        HttpError: 400.
    """
    if not raw.strip():
        raise HttpError(400, "Invalid request: body must be JSON, it is empty", field="body")
    try:
        data = _DECODER.decode(raw.decode(json.detect_encoding(raw), "surrogatepass"))
    except RecursionError:
        raise HttpError(400, "Invalid request: body is nested too deeply", field="body") from None
    except ValueError as error:
        raise HttpError(400, f"Invalid request: body must be JSON: {_problem(error)}", field="body") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_JSON_DEPTH and is_deeper(data, MAX_JSON_DEPTH):
        raise HttpError(400, "Invalid request: body is nested too deeply", field="body")
    if rb"\ud" in raw or rb"\uD" in raw:
        # A lone surrogate is valid JSON and no valid text: it becomes U+FFFD, as in JavaScript's encoder.
        text = json.dumps(data, ensure_ascii=False)
        data = json.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    return data


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Return the request's body.

    Raises:
        HttpError: 413 it is longer than ``max_bytes``; nothing beyond that is read.
    """
    too_long = HttpError(413, f"Request body is too large: at most {max_bytes} bytes", field="body")
    length = header(request, "content-length")
    if length is not None and length.isdigit():
        if int(length) > max_bytes:
            raise too_long
        return bytes(await request.bytes())
    if not request.body:
        return b""
    reader = request.body.getReader()
    body = bytearray()
    while not (part := await reader.read()).done:
        body += part.value.to_bytes()
        if len(body) > max_bytes:
            await reader.cancel()
            raise too_long
    return bytes(body)


def header(request: Request, name: str) -> str | None:
    """Return a request's header, or None."""
    value = request.js_object.headers.get(name)
    return value if isinstance(value, str) else None  # a missing one is JavaScript's null


def preflight(request: Request, methods: str) -> Response:
    """Answer OPTIONS. The headers asked for are allowed by name: `*` does not cover Authorization."""
    allowed = header(request, "access-control-request-headers") or DEFAULT_ALLOWED_HEADERS
    headers = {
        "access-control-allow-methods": methods,
        "access-control-allow-headers": allowed,
        "access-control-max-age": str(MAX_AGE_S),
        "vary": "Access-Control-Request-Headers",
    }
    return with_cors(Response(None, status=200, headers=headers))


def with_cors(response: Response) -> Response:
    """Let pages of every origin read an answer; its headers must not be those of a fetched response."""
    headers = response.js_object.headers
    headers.set("access-control-allow-origin", "*")
    headers.set("access-control-expose-headers", EXPOSED_HEADERS)
    return response


def is_deeper(value: Any, depth: int) -> bool:
    """Tell whether arrays and objects lie in each other more than ``depth`` deep; level by level, not recursive."""
    level = [value] if isinstance(value, dict | list) else []
    while level and depth > 0:
        inner = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
        level = [item for item in inner if isinstance(item, dict | list)]
        depth -= 1
    return bool(level)


def _problem(error: ValueError) -> str:
    """Return what is wrong with JSON; what is not the parser's own is about a number of thousands of digits."""
    is_known = isinstance(error, json.JSONDecodeError | UnicodeDecodeError | _NotJson)
    return str(error) if is_known else "a number has too many digits"


class _NotJson(ValueError):
    pass


def _refuse_constant(name: str) -> Any:
    raise _NotJson(f"{name} is not JSON")


def _finite(text: str) -> float:
    """Return a number; one like 1e999 would become infinite, for which JSON has no text."""
    number = float(text)
    if math.isinf(number):
        raise _NotJson(f"{text[:20]} is out of range")
    return number


# `json.dumps` and `json.loads` would make these at every call.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
