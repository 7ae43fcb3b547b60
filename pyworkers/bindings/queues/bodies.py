"""A message's body as bytes, and back.

Source: recorded, contracts/queues, queues.send.content-type and queues.consume.types
"""

from __future__ import annotations

from typing import Any, Final

from pyworkers.js import json
from pyworkers.js.buffers import ArrayBuffer, ArrayBufferView
from pyworkers.js.primitives import typeof
from pyworkers.js.serialization import deserialize, serialize
from pyworkers.js.values import type_error
from pyworkers.js.webidl import text_of, utf8

CONTENT_TYPES: Final = frozenset({"text", "bytes", "json", "v8"})
# What is written for a value that has no JSON form; it is no JSON, so that nobody takes it.
_NO_JSON: Final = b"undefined"


def encode_body(value: Any, content_type: str) -> bytes:
    """Return a body as it is stored.

    Raises:
        JsException: TypeError, when the value is not of the type; DataCloneError, when it cannot be cloned.
    """
    if content_type == "json":
        text = json.stringify(value)
        return _NO_JSON if text is None else utf8(text)
    if content_type == "v8":
        return serialize(value)
    if content_type == "text":
        if not isinstance(value, str):
            raise _wrong_type("text", "string", value)
        return utf8(value)
    if not isinstance(value, ArrayBufferView):
        raise _wrong_type("bytes", "ArrayBufferView", value)
    return value.to_bytes()


def is_sendable(body: bytes, content_type: str) -> bool:
    """Tell whether a queue with a consumer takes the body."""
    return not (content_type == "json" and body == _NO_JSON)


def decode_body(body: bytes, content_type: str) -> Any:
    """Return a body as the consumer sees it; each call makes a new one."""
    if content_type == "json":
        return json.parse(text_of(body))
    if content_type == "v8":
        return deserialize(body)
    if content_type == "text":
        return text_of(body)
    return ArrayBuffer(body)


def _wrong_type(content_type: str, expected: str, value: object) -> Exception:
    return type_error(
        f'Content Type "{content_type}" requires a value of type {expected}, but received: {typeof(value)}'
    )
