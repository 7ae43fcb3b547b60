"""`env.KV`: a KV namespace.

Arguments are converted before anything else happens. What fails there, and a bad key name given to
`getWithMetadata`, is thrown by `get` and `getWithMetadata` themselves; everything else rejects the promise.

Source: workerd src/workerd/api/kv.c++; miniflare src/workers/kv; recorded, contracts/kv
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from typing import Any, Final

from pyworkers.bindings.arguments import check_option_bag, is_well_formed, joined_text, optional_int32, wire_text
from pyworkers.clock import Clock
from pyworkers.engines.kv.protocol import KVEngine, KVEntry, KVPage
from pyworkers.errors import EngineError
from pyworkers.js.buffers import ArrayBuffer, JsBuffer
from pyworkers.js.json import parse, stringify
from pyworkers.js.objects import JsArray, JsMap
from pyworkers.js.primitives import is_nullish, jsnull, to_string, typeof
from pyworkers.js.promise import JsPromise, js_async
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, JsObject, JsProxy, js_method, type_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, option_reader, text_of

__all__ = ["KvNamespace"]

MAX_KEY_BYTES: Final = 512
MAX_VALUE_BYTES: Final = 25 * 1024 * 1024
MAX_METADATA_BYTES: Final = 1_024
MAX_BULK_KEYS: Final = 100
MAX_BULK_CHARACTERS: Final = 25 * 1024 * 1024
MAX_LIST_KEYS: Final = 1_000
MIN_EXPIRATION_TTL_S: Final = 60
MIN_CACHE_TTL_S: Final = 30

_CLASS: Final = "KvNamespace"
_UNKNOWN_TYPE: Final = 'Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".'
_NOT_A_VALUE: Final = "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values."
_NOT_BASE64: Final = re.compile("[^A-Za-z0-9+/]")
_MAX_ARRAY_INDEX: Final = 2**32 - 2


class KvNamespace(JsProxy, js_name="KvNamespace"):
    """A KV namespace.

    Args:
        engine: holds the entries.
        clock: what expirations are counted from.
    """

    def __init__(self, engine: KVEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    @js_method
    def get(self, name: Any = MISSING, options: Any = None) -> JsPromise:
        """Return the promise of a value: text, or what the type says; of a Map for an array of keys; null for none.

        Raises:
            JsException: TypeError, when an argument cannot be converted.
        """
        if type(name) is str and options is None and name.isascii():  # what is usual
            return JsPromise.run(self._get(name, "text", None))
        if name is MISSING:
            raise argument_error(_CLASS, "get", 1, "string or Array")
        keys, key = _key_or_keys(name)
        kind, cache_ttl_s = _get_options(options)
        if keys is not None:
            return JsPromise.run(self._get_bulk(keys, kind, cache_ttl_s, with_metadata=False))
        return JsPromise.run(self._get(key, kind, cache_ttl_s))

    @js_method
    def getWithMetadata(self, name: Any = MISSING, options: Any = None) -> JsPromise:
        """As `get`, of ``{value, metadata, cacheStatus}``.

        Raises:
            JsException: also for a key name that is not allowed.
        """
        if name is MISSING:
            raise argument_error(_CLASS, "getWithMetadata", 1, "Array or string")
        keys, key = _key_or_keys(name)
        kind, cache_ttl_s = _get_options(options)
        if keys is not None:
            return JsPromise.run(self._get_bulk(keys, kind, cache_ttl_s, with_metadata=True))
        _check_key("GET", key)
        return JsPromise.run(self._get_with_metadata(key, kind, cache_ttl_s))

    @js_async
    async def put(self, name: Any = MISSING, value: Any = MISSING, options: Any = None) -> None:
        """Store a value.

        Args:
            value: a string, a buffer or a stream of bytes; any other primitive is stored as its text.
            options: ``expiration`` in seconds since the Unix epoch, ``expirationTtl`` in seconds, ``metadata``.
        """
        if name is MISSING:
            raise argument_error(_CLASS, "put", 1, "string")
        key = _text(name)
        if value is MISSING:
            raise argument_error(_CLASS, "put", 2, "string or Object")
        check_option_bag(options, _CLASS, "put", 3, "PutOptions")
        option = option_reader(options)
        expiration, ttl_s = optional_int32(option("expiration")), optional_int32(option("expirationTtl"))
        _check_key("PUT", key)
        _check_key_text("PUT", key)
        metadata, has_metadata = option("metadata"), not is_nullish(option("metadata"))
        metadata_text = stringify(metadata) if has_metadata else None
        source = _put_source(value)
        expires_at_s = self._expiry(expiration, ttl_s)
        if has_metadata:
            _check_metadata(metadata_text)
        data = await _put_bytes(source)
        try:
            await self._engine.put(key, data, metadata=metadata_text, expires_at_s=expires_at_s)
        except EngineError as error:
            raise _internal("PUT") from error

    @js_async
    async def delete(self, name: Any = MISSING) -> None:
        """Remove a key, which need not be there."""
        if name is MISSING:
            raise argument_error(_CLASS, "delete", 1, "string")
        key = _text(name)
        _check_key("DELETE", key)
        _check_key_text("DELETE", key)
        try:
            await self._engine.delete(key)
        except EngineError as error:
            raise _internal("DELETE") from error

    @js_async
    async def list(self, options: Any = None) -> JsObject:
        """List keys in order: ``{keys, list_complete, cursor?, cacheStatus}``; options ``prefix, limit, cursor``."""
        check_option_bag(options, _CLASS, "list", 1, "ListOptions")
        option = option_reader(options)
        limit = optional_int32(option("limit"))
        prefix = "" if is_nullish(option("prefix")) else wire_text(_text(option("prefix")))
        cursor = None if is_nullish(option("cursor")) else _after(to_string(option("cursor")))
        if limit is None or limit <= 0:
            limit = MAX_LIST_KEYS
        if limit > MAX_LIST_KEYS:
            raise _failure(
                "GET",
                f"400 Invalid key_count_limit of {limit}. Please specify an integer less than {MAX_LIST_KEYS}.",
            )
        _check_key_length("GET", prefix)
        try:
            page = await self._engine.list_keys(prefix=prefix, after=cursor or None, limit=limit)
        except EngineError as error:
            raise _internal("GET") from error
        return _listing(page)

    # ---- reading

    async def _get(self, key: str, kind: str, cache_ttl_s: int | None) -> Any:
        if not (2 < len(key) <= MAX_KEY_BYTES and key.isascii()):
            _check_key("GET", key)
            _check_key_text("GET", key)
        if cache_ttl_s is not None:
            _check_cache_ttl("GET", cache_ttl_s)
        try:
            entry = await self._engine.get(key)
        except EngineError as error:
            raise _internal("GET") from error
        if entry is None:
            return jsnull
        return entry.value.decode("utf-8", "replace") if kind == "text" else _value(entry, kind)

    async def _get_with_metadata(self, key: str, kind: str, cache_ttl_s: int | None) -> JsObject:
        _check_key_text("GET", key)
        if cache_ttl_s is not None:
            _check_cache_ttl("GET", cache_ttl_s)
        try:
            entry = await self._engine.get(key)
        except EngineError as error:
            raise _internal("GET") from error
        value: Any = jsnull
        metadata: Any = jsnull
        if entry is not None:
            value = _value(entry, kind)
            metadata = jsnull if entry.metadata is None else parse(entry.metadata)
        return JsObject({"value": value, "metadata": metadata, "cacheStatus": jsnull})

    async def _get_bulk(self, keys: Sequence[str], kind: str, cache_ttl_s: int | None, *, with_metadata: bool) -> JsMap:
        if kind not in ("", "text", "json"):
            raise _failure("GET_BULK", f'400 "{kind}" is not a valid type. Use "json" or "text"')
        if len(keys) > MAX_BULK_KEYS:
            raise _failure("GET_BULK", f"400 You can request a maximum of {MAX_BULK_KEYS} keys")
        if not keys:
            raise _failure("GET_BULK", "400 You must request a minimum of 1 key")
        valid, refusal = _valid_prefix(keys, cache_ttl_s)
        try:
            entries = await self._engine.get_many(valid)
        except EngineError as error:
            raise _internal("GET_BULK") from error
        values = {
            key: jsnull if entry is None else _bulk_value(entry, kind, with_metadata=with_metadata)
            for key, entry in zip(valid, entries, strict=True)
        }
        if refusal is not None:
            raise refusal
        size = sum(_utf16_length(text_of(entry.value)) for entry in entries if entry is not None)
        if size > MAX_BULK_CHARACTERS:
            limit_mb = MAX_BULK_CHARACTERS // 1024 // 1024
            raise _failure("GET_BULK", f"413 Total size of request exceeds the limit of {limit_mb}MB")
        # The platform reads the reply's named properties only, so that a key such as "7" is left out, and sets them on
        # an object, where one name means something else.
        return JsMap([(key, value) for key, value in values.items() if key != "__proto__" and not _is_array_index(key)])

    def _expiry(self, expiration: int | None, ttl_s: int | None) -> int | None:
        """Return when an entry expires, in seconds since the Unix epoch; a time to live wins over a time."""
        now_s = math.floor(self._clock.now_s())
        if ttl_s is not None:
            if ttl_s <= 0:
                raise _failure("PUT", f"400 Invalid expiration_ttl of {ttl_s}. Please specify integer greater than 0.")
            if ttl_s < MIN_EXPIRATION_TTL_S:
                raise _failure(
                    "PUT",
                    f"400 Invalid expiration_ttl of {ttl_s}. Expiration TTL must be at least {MIN_EXPIRATION_TTL_S}.",
                )
            return now_s + ttl_s
        if expiration is None:
            return None
        if expiration <= now_s:
            raise _failure(
                "PUT",
                f"400 Invalid expiration of {expiration}. Please specify integer greater than the current number of "
                "seconds since the UNIX epoch.",
            )
        if expiration < now_s + MIN_EXPIRATION_TTL_S:
            raise _failure(
                "PUT",
                f"400 Invalid expiration of {expiration}. Expiration times must be at least {MIN_EXPIRATION_TTL_S} "
                "seconds in the future.",
            )
        return expiration


# ---- arguments


def _text(value: object) -> str:
    return joined_text(value if type(value) is str else to_string(value))


def _key_or_keys(name: object) -> tuple[Sequence[str] | None, str]:
    """Return the keys of an array, or one key."""
    if type(name) is not str and isinstance(name, JsArray):
        return [wire_text(_text(item)) for item in name.items_], ""
    return None, _text(name)


def _get_options(options: object) -> tuple[str, int | None]:
    """Return the response type and the cache's time to live in seconds."""
    if is_nullish(options):
        return "text", None
    if not is_object(options) or typeof(options) == "symbol":
        return _text(options), None
    option = option_reader(options)
    cache_ttl_s, kind = optional_int32(option("cacheTtl")), option("type")
    return "text" if kind is None else _text(kind), cache_ttl_s


def _check_key(method: str, key: str) -> None:
    if key == "":
        raise type_error("Key name cannot be empty.")
    if key in (".", ".."):
        raise type_error(f'"{key}" is not allowed as a key name.')
    _check_key_length(method, key)


def _check_key_text(method: str, key: str) -> None:
    """Refuse a lone surrogate, which has no place in a URL."""
    if not key.isascii() and not is_well_formed(key):
        raise _failure(method, "400 Could not URL-decode key name")


def _check_key_length(method: str, key: str) -> None:
    if len(key) * 4 > MAX_KEY_BYTES and (size := len(key.encode("utf-8", "surrogatepass"))) > MAX_KEY_BYTES:
        raise _failure(method, f"414 UTF-8 encoded length of {size} exceeds key length limit of {MAX_KEY_BYTES}.")


def _check_cache_ttl(method: str, cache_ttl_s: int) -> None:
    if cache_ttl_s < MIN_CACHE_TTL_S:
        raise _failure(method, f"400 Invalid cache_ttl of {cache_ttl_s}. Cache TTL must be at least {MIN_CACHE_TTL_S}.")


def _check_metadata(text: str | None) -> None:
    """Check metadata's JSON; None is something that has no JSON form."""
    if text is None:
        raise _internal("PUT")
    size = len(text.encode())
    if size > MAX_METADATA_BYTES:
        raise _failure("PUT", f"413 Metadata length of {size} exceeds limit of {MAX_METADATA_BYTES}.")


def _put_source(value: Any) -> bytes | ReadableStream:
    if type(value) is str:
        return wire_text(value).encode()
    if isinstance(value, JsBuffer):
        return bytes(value.view)
    if isinstance(value, ReadableStream):
        return value
    if is_object(value) and typeof(value) != "symbol":
        raise type_error(_NOT_A_VALUE)
    return to_string(value).encode()


async def _put_bytes(source: bytes | ReadableStream) -> bytes:
    """Return the value's bytes; of a stream whose length is not known, at most the limit is ever held."""
    if isinstance(source, bytes):
        if len(source) > MAX_VALUE_BYTES:
            raise _too_large(len(source))
        return source
    if source.locked:
        raise type_error("The ReadableStream has been locked to a reader.")
    size, kept = 0, []
    async for chunk in source.chunks():
        size += len(chunk)
        if size <= MAX_VALUE_BYTES:
            kept.append(chunk)
    if size > MAX_VALUE_BYTES:
        raise _too_large(size)
    return b"".join(kept)


def _after(cursor: str) -> str:
    """Return the key a cursor stands for: base64, of which everything is skipped that is no base64."""
    digits = _NOT_BASE64.sub("", cursor.replace("-", "+").replace("_", "/"))
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-8", "replace")


# ---- values


def _listing(page: KVPage) -> JsObject:
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


def _value(entry: KVEntry, kind: str) -> Any:
    if kind == "text":
        return entry.value.decode("utf-8", "replace")
    if kind == "json":
        return parse(entry.value.decode("utf-8", "replace"))
    if kind == "arrayBuffer":
        return ArrayBuffer(entry.value)
    if kind == "stream":
        return ReadableStream.of_bytes(entry.value)
    raise type_error(_UNKNOWN_TYPE)


def _bulk_value(entry: KVEntry, kind: str, *, with_metadata: bool) -> Any:
    """Return a value as the bulk reply carries it: JSON a second time, and bare where JavaScript finds it falsy."""
    value: Any = text_of(entry.value)
    if kind == "json":
        try:
            value = parse(stringify(parse(value)) or "null")
        except JsException:
            raise _failure(
                "GET_BULK", "400 At least one of the requested keys corresponds to a non-json value"
            ) from None
    is_falsy = value is jsnull or (isinstance(value, str | bool | int | float) and not value)
    if not with_metadata or is_falsy:
        return value
    metadata = jsnull if entry.metadata is None else parse(entry.metadata)
    return JsObject({"value": value, "metadata": metadata})


def _valid_prefix(keys: Sequence[str], cache_ttl_s: int | None) -> tuple[Sequence[str], JsException | None]:
    """Return the keys before the first that is refused, and the refusal."""
    for index, key in enumerate(keys):
        if key == "":
            return keys[:index], _failure("GET_BULK", "400 Key names must not be empty")
        if key in (".", ".."):
            refusal = _failure("GET_BULK", f'400 Illegal key name "{key}". Please use a different name.')
            return keys[:index], refusal
        try:
            _check_key_length("GET_BULK", key)
            if cache_ttl_s is not None:
                _check_cache_ttl("GET_BULK", cache_ttl_s)
        except JsException as error:
            return keys[:index], error
    return keys, None


def _is_array_index(key: str) -> bool:
    return (
        len(key) <= 10
        and key.isascii()
        and key.isdecimal()
        and (key == "0" or key[0] != "0")
        and int(key) <= _MAX_ARRAY_INDEX
    )


def _utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


# ---- errors


def _failure(method: str, status: str) -> JsException:
    return JsException("Error", f"KV {method} failed: {status}")


def _internal(method: str) -> JsException:
    return _failure(method, "500 Internal Server Error")


def _too_large(size: int) -> JsException:
    return _failure("PUT", f"413 Value length of {size} exceeds limit of {MAX_VALUE_BYTES}.")
