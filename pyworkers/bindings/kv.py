"""`env.KV`: a KV namespace.

Arguments are converted before anything else happens. What fails there, and a bad key name given to
`getWithMetadata`, is thrown by `get` and `getWithMetadata` themselves; everything else rejects the promise.

Source: workerd src/workerd/api/kv.c++; miniflare src/workers/kv; recorded, contracts/kv
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from pyworkers.bindings.arguments import check_option_bag, optional_int32, wire_text
from pyworkers.bindings.kv_values import (
    MAX_KEY_BYTES,
    bulk_value,
    check_cache_ttl,
    check_key,
    check_key_length,
    check_key_text,
    check_metadata,
    cursor_key,
    get_options,
    is_array_index,
    key_or_keys,
    key_text,
    kv_failure,
    listing_object,
    put_bytes,
    put_source,
    storage_failure,
    utf16_length,
    valid_prefix,
    value_of,
)
from pyworkers.clock import Clock
from pyworkers.engines.kv.protocol import KVEngine
from pyworkers.errors import EngineError
from pyworkers.js.collections import JsMap
from pyworkers.js.json import parse, stringify
from pyworkers.js.primitives import is_nullish, jsnull, to_string
from pyworkers.js.promise import JsPromise, js_async
from pyworkers.js.values import JsObject, JsProxy, js_method
from pyworkers.js.webidl import MISSING, argument_error, option_reader, text_of

__all__ = ["KvNamespace"]

MAX_BULK_KEYS: Final = 100
MAX_BULK_CHARACTERS: Final = 25 * 1024 * 1024
MAX_LIST_KEYS: Final = 1_000
MIN_EXPIRATION_TTL_S: Final = 60

_CLASS: Final = "KvNamespace"


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
        keys, key = key_or_keys(name)
        kind, cache_ttl_s = get_options(options)
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
        keys, key = key_or_keys(name)
        kind, cache_ttl_s = get_options(options)
        if keys is not None:
            return JsPromise.run(self._get_bulk(keys, kind, cache_ttl_s, with_metadata=True))
        check_key("GET", key)
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
        key = key_text(name)
        if value is MISSING:
            raise argument_error(_CLASS, "put", 2, "string or Object")
        check_option_bag(options, _CLASS, "put", 3, "PutOptions")
        option = option_reader(options)
        expiration, ttl_s = optional_int32(option("expiration")), optional_int32(option("expirationTtl"))
        check_key("PUT", key)
        check_key_text("PUT", key)
        metadata, has_metadata = option("metadata"), not is_nullish(option("metadata"))
        metadata_text = stringify(metadata) if has_metadata else None
        source = put_source(value)
        expires_at_s = self._expiry(expiration, ttl_s)
        if has_metadata:
            check_metadata(metadata_text)
        data = await put_bytes(source)
        try:
            await self._engine.put(key, data, metadata=metadata_text, expires_at_s=expires_at_s)
        except EngineError as error:
            raise storage_failure("PUT", error) from error

    @js_async
    async def delete(self, name: Any = MISSING) -> None:
        """Remove a key, which need not be there."""
        if name is MISSING:
            raise argument_error(_CLASS, "delete", 1, "string")
        key = key_text(name)
        check_key("DELETE", key)
        check_key_text("DELETE", key)
        try:
            await self._engine.delete(key)
        except EngineError as error:
            raise storage_failure("DELETE", error) from error

    @js_async
    async def list(self, options: Any = None) -> JsObject:
        """List keys in order: ``{keys, list_complete, cursor?, cacheStatus}``; options ``prefix, limit, cursor``."""
        check_option_bag(options, _CLASS, "list", 1, "ListOptions")
        option = option_reader(options)
        limit = optional_int32(option("limit"))
        prefix = "" if is_nullish(option("prefix")) else wire_text(key_text(option("prefix")))
        cursor = None if is_nullish(option("cursor")) else cursor_key(to_string(option("cursor")))
        if limit is None or limit <= 0:
            limit = MAX_LIST_KEYS
        if limit > MAX_LIST_KEYS:
            raise kv_failure(
                "GET",
                f"400 Invalid key_count_limit of {limit}. Please specify an integer less than {MAX_LIST_KEYS}.",
            )
        check_key_length("GET", prefix)
        try:
            page = await self._engine.list_keys(prefix=prefix, after=cursor or None, limit=limit)
        except EngineError as error:
            raise storage_failure("GET", error) from error
        return listing_object(page)

    # ---- reading

    async def _get(self, key: str, kind: str, cache_ttl_s: int | None) -> Any:
        if not (2 < len(key) <= MAX_KEY_BYTES and key.isascii()):
            check_key("GET", key)
            check_key_text("GET", key)
        if cache_ttl_s is not None:
            check_cache_ttl("GET", cache_ttl_s)
        try:
            entry = await self._engine.get(key)
        except EngineError as error:
            raise storage_failure("GET", error) from error
        if entry is None:
            return jsnull
        return entry.value.decode("utf-8", "replace") if kind == "text" else value_of(entry, kind)

    async def _get_with_metadata(self, key: str, kind: str, cache_ttl_s: int | None) -> JsObject:
        check_key_text("GET", key)
        if cache_ttl_s is not None:
            check_cache_ttl("GET", cache_ttl_s)
        try:
            entry = await self._engine.get(key)
        except EngineError as error:
            raise storage_failure("GET", error) from error
        value: Any = jsnull
        metadata: Any = jsnull
        if entry is not None:
            value = value_of(entry, kind)
            metadata = jsnull if entry.metadata is None else parse(entry.metadata)
        return JsObject({"value": value, "metadata": metadata, "cacheStatus": jsnull})

    async def _get_bulk(self, keys: Sequence[str], kind: str, cache_ttl_s: int | None, *, with_metadata: bool) -> JsMap:
        if kind not in ("", "text", "json"):
            raise kv_failure("GET_BULK", f'400 "{kind}" is not a valid type. Use "json" or "text"')
        if len(keys) > MAX_BULK_KEYS:
            raise kv_failure("GET_BULK", f"400 You can request a maximum of {MAX_BULK_KEYS} keys")
        if not keys:
            raise kv_failure("GET_BULK", "400 You must request a minimum of 1 key")
        valid, refusal = valid_prefix(keys, cache_ttl_s)
        try:
            entries = await self._engine.get_many(valid)
        except EngineError as error:
            raise storage_failure("GET_BULK", error) from error
        values = {
            key: jsnull if entry is None else bulk_value(entry, kind, with_metadata=with_metadata)
            for key, entry in zip(valid, entries, strict=True)
        }
        if refusal is not None:
            raise refusal
        size = sum(utf16_length(text_of(entry.value)) for entry in entries if entry is not None)
        if size > MAX_BULK_CHARACTERS:
            limit_mb = MAX_BULK_CHARACTERS // 1024 // 1024
            raise kv_failure("GET_BULK", f"413 Total size of request exceeds the limit of {limit_mb}MB")
        # The platform reads the reply's named properties only, so that a key such as "7" is left out, and sets them on
        # an object, where one name means something else.
        return JsMap([(key, value) for key, value in values.items() if key != "__proto__" and not is_array_index(key)])

    def _expiry(self, expiration: int | None, ttl_s: int | None) -> int | None:
        """Return when an entry expires, in seconds since the Unix epoch; a time to live wins over a time."""
        now_s = math.floor(self._clock.now_s())
        if ttl_s is not None:
            if ttl_s <= 0:
                raise kv_failure(
                    "PUT", f"400 Invalid expiration_ttl of {ttl_s}. Please specify integer greater than 0."
                )
            if ttl_s < MIN_EXPIRATION_TTL_S:
                raise kv_failure(
                    "PUT",
                    f"400 Invalid expiration_ttl of {ttl_s}. Expiration TTL must be at least {MIN_EXPIRATION_TTL_S}.",
                )
            return now_s + ttl_s
        if expiration is None:
            return None
        if expiration <= now_s:
            raise kv_failure(
                "PUT",
                f"400 Invalid expiration of {expiration}. Please specify integer greater than the current number of "
                "seconds since the UNIX epoch.",
            )
        if expiration < now_s + MIN_EXPIRATION_TTL_S:
            raise kv_failure(
                "PUT",
                f"400 Invalid expiration of {expiration}. Expiration times must be at least {MIN_EXPIRATION_TTL_S} "
                "seconds in the future.",
            )
        return expiration
