"""Arguments, values and errors of KV, as they cross between a worker and a namespace.

Source: workerd src/workerd/api/kv.c++; miniflare src/workers/kv; recorded, contracts/kv
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any, Final

from pyworkers.bindings.arguments import is_well_formed, joined_text, optional_int32, wire_text
from pyworkers.bindings.failures import tell
from pyworkers.engines.kv.protocol import KVEntry, KVPage
from pyworkers.errors import EngineError
from pyworkers.js.buffers import ArrayBuffer, JsBuffer
from pyworkers.js.json import parse, stringify
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, jsnull, to_string, typeof
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject, type_error
from pyworkers.js.webidl import is_object, option_reader, text_of

MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 25 * 1024 * 1024
MAX_METADATA_BYTES: Final = 1_024
MIN_CACHE_TTL_S: Final = 30
_UNKNOWN_TYPE: Final = 'Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".'
_NOT_A_VALUE: Final = "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values."
_NOT_BASE64: Final = re.compile("[^A-Za-z0-9+/]")
_MAX_ARRAY_INDEX: Final = 2**32 - 2


# ---- arguments


def key_text(value: object) -> str:
    return joined_text(value if type(value) is str else to_string(value))


def key_or_keys(name: object) -> tuple[Sequence[str] | None, str]:
    """Return the keys of an array, or one key."""
    if type(name) is not str and isinstance(name, JsArray):
        return [wire_text(key_text(item)) for item in name.items_], ""
    return None, key_text(name)


def get_options(options: object) -> tuple[str, int | None]:
    """Return the response type and the cache's time to live in seconds."""
    if is_nullish(options):
        return "text", None
    if not is_object(options) or typeof(options) == "symbol":
        return key_text(options), None
    option = option_reader(options)
    cache_ttl_s, kind = optional_int32(option("cacheTtl")), option("type")
    return "text" if kind is None else key_text(kind), cache_ttl_s


def check_key(method: str, key: str) -> None:
    if key == "":
        raise type_error("Key name cannot be empty.")
    if key in (".", ".."):
        raise type_error(f'"{key}" is not allowed as a key name.')
    check_key_length(method, key)


def check_key_text(method: str, key: str) -> None:
    """Refuse a lone surrogate, which has no place in a URL."""
    if not key.isascii() and not is_well_formed(key):
        raise kv_failure(method, "400 Could not URL-decode key name")


def check_key_length(method: str, key: str) -> None:
    if len(key) * 4 > MAX_KEY_BYTES and (size := len(key.encode("utf-8", "surrogatepass"))) > MAX_KEY_BYTES:
        raise kv_failure(method, f"414 UTF-8 encoded length of {size} exceeds key length limit of {MAX_KEY_BYTES}.")


def check_cache_ttl(method: str, cache_ttl_s: int) -> None:
    if cache_ttl_s < MIN_CACHE_TTL_S:
        raise kv_failure(
            method, f"400 Invalid cache_ttl of {cache_ttl_s}. Cache TTL must be at least {MIN_CACHE_TTL_S}."
        )


def check_metadata(text: str | None) -> None:
    """Check metadata's JSON; None is something that has no JSON form."""
    if text is None:
        raise internal_failure("PUT")
    size = len(text.encode())
    if size > MAX_METADATA_BYTES:
        raise kv_failure("PUT", f"413 Metadata length of {size} exceeds limit of {MAX_METADATA_BYTES}.")


def put_source(value: Any) -> bytes | ReadableStream:
    if type(value) is str:
        return wire_text(value).encode()
    if isinstance(value, JsBuffer):
        return bytes(value.view)
    if isinstance(value, ReadableStream):
        return value
    if is_object(value) and typeof(value) != "symbol":
        raise type_error(_NOT_A_VALUE)
    return to_string(value).encode()


async def put_bytes(source: bytes | ReadableStream) -> bytes:
    """Return the value's bytes; of a stream whose length is not known, at most the limit is ever held."""
    if isinstance(source, bytes):
        if len(source) > MAX_VALUE_BYTES:
            raise too_large(len(source))
        return source
    if source.locked:
        raise type_error("The ReadableStream has been locked to a reader.")
    size, kept = 0, []
    async for chunk in source.chunks():
        size += len(chunk)
        if size <= MAX_VALUE_BYTES:
            kept.append(chunk)
    if size > MAX_VALUE_BYTES:
        raise too_large(size)
    return b"".join(kept)


def cursor_key(cursor: str) -> str:
    """Return the key a cursor stands for: base64, of which everything is skipped that is no base64."""
    digits = _NOT_BASE64.sub("", cursor.replace("-", "+").replace("_", "/"))
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-8", "replace")


# ---- values


def listing_object(page: KVPage) -> JsObject:
    keys = []
    for found in page.keys:
        key: dict[str, object] = {"name": found.name}
        if found.expires_at_s is not None:
            key["expiration"] = found.expires_at_s
        if found.metadata is not None:
            key["metadata"] = parse(found.metadata)
        keys.append(JsObject(key))
    result: dict[str, object] = {"keys": JsArray(keys), "list_complete": page.is_complete}
    if not page.is_complete:
        result["cursor"] = base64.b64encode(page.keys[-1].name.encode()).decode()
    return JsObject({**result, "cacheStatus": jsnull})


def value_of(entry: KVEntry, kind: str) -> Any:
    if kind == "text":
        return entry.value.decode("utf-8", "replace")
    if kind == "json":
        return parse(entry.value.decode("utf-8", "replace"))
    if kind == "arrayBuffer":
        return ArrayBuffer(entry.value)
    if kind == "stream":
        return ReadableStream.of_bytes(entry.value)
    raise type_error(_UNKNOWN_TYPE)


def bulk_value(entry: KVEntry, kind: str, *, with_metadata: bool) -> Any:
    """Return a value as the bulk reply carries it: JSON a second time, and bare where JavaScript finds it falsy."""
    value: Any = text_of(entry.value)
    if kind == "json":
        try:
            value = parse(stringify(parse(value)) or "null")
        except JsException:
            raise kv_failure(
                "GET_BULK", "400 At least one of the requested keys corresponds to a non-json value"
            ) from None
    is_falsy = value is jsnull or (isinstance(value, str | bool | int | float) and not value)
    if not with_metadata or is_falsy:
        return value
    metadata = jsnull if entry.metadata is None else parse(entry.metadata)
    return JsObject({"value": value, "metadata": metadata})


def valid_prefix(keys: Sequence[str], cache_ttl_s: int | None) -> tuple[Sequence[str], JsException | None]:
    """Return the keys before the first that is refused, and the refusal."""
    for index, key in enumerate(keys):
        if key == "":
            return keys[:index], kv_failure("GET_BULK", "400 Key names must not be empty")
        if key in (".", ".."):
            refusal = kv_failure("GET_BULK", f'400 Illegal key name "{key}". Please use a different name.')
            return keys[:index], refusal
        try:
            check_key_length("GET_BULK", key)
            if cache_ttl_s is not None:
                check_cache_ttl("GET_BULK", cache_ttl_s)
        except JsException as error:
            return keys[:index], error
    return keys, None


def is_array_index(key: str) -> bool:
    return (
        len(key) <= 10
        and key.isascii()
        and key.isdecimal()
        and (key == "0" or key[0] != "0")
        and int(key) <= _MAX_ARRAY_INDEX
    )


def utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


# ---- errors


def kv_failure(method: str, status: str) -> JsException:
    return JsException("Error", f"KV {method} failed: {status}")


def internal_failure(method: str) -> JsException:
    return kv_failure(method, "500 Internal Server Error")


def storage_failure(method: str, error: EngineError) -> JsException:
    """Make what a worker catches when its storage fails, and tell the terminal why."""
    tell(error)
    return internal_failure(method)


def too_large(size: int) -> JsException:
    return kv_failure("PUT", f"413 Value length of {size} exceeds limit of {MAX_VALUE_BYTES}.")
