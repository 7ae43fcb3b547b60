"""`env.BUCKET`: an R2 bucket.

Arguments are converted before anything else happens. What fails rejects the promise.

Source: workerd src/workerd/api/r2-bucket.c++; miniflare src/workers/r2; recorded, contracts/r2
"""

from __future__ import annotations

from typing import Any

from pyworkers.bindings.r2.bodies import body_source, closing
from pyworkers.bindings.r2.errors import INVALID_LIMIT, engine_errors, failure
from pyworkers.bindings.r2.multipart import R2MultipartUpload
from pyworkers.bindings.r2.objects import GetResult, HeadResult
from pyworkers.bindings.r2.options import (
    MAX_LIST_KEYS,
    MAX_LIST_KEYS_WITH_METADATA,
    check_key,
    check_metadata,
    cursor_of,
    get_options,
    list_options,
    multipart_options,
    put_options,
    text_argument,
    value_argument,
)
from pyworkers.bindings.r2.text import wire_text
from pyworkers.engines.r2 import R2Engine
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsNull, jsnull, to_string
from pyworkers.js.promise import js_async
from pyworkers.js.values import JsObject, JsProxy, js_method
from pyworkers.js.webidl import MISSING, argument_error

__all__ = ["R2Bucket"]

_CLASS = "R2Bucket"


class R2Bucket(JsProxy, js_name="R2Bucket"):
    """An R2 bucket.

    Args:
        engine: holds the objects.
    """

    def __init__(self, engine: R2Engine) -> None:
        self._engine = engine

    @js_async
    async def head(self, key: Any = MISSING) -> HeadResult | JsNull:
        """Return an object without its body; null for none."""
        name = text_argument(key, "head", 1)
        check_key("head", name)
        with engine_errors("head"):
            found = await self._engine.head(name)
        return jsnull if found is None else HeadResult(found, (0, found.size))

    @js_async
    async def get(self, key: Any = MISSING, options: Any = None) -> GetResult | HeadResult | JsNull:
        """Return an object with its body; without it where ``onlyIf`` does not hold; null for none.

        Args:
            options: ``onlyIf``, ``range``, ``ssecKey``.
        """
        name = text_argument(key, "get", 1)
        option = get_options(options)
        check_key("get", name)
        with engine_errors("get"):
            reading = await self._engine.get(name)
        if reading is None:
            return jsnull
        found = reading.object
        try:
            if option.condition is not None and not option.condition.holds(found.etag, found.uploaded_ms):
                reading.close()
                return HeadResult(found, (0, found.size))
            part = (0, found.size) if option.range is None else option.range.resolve(found.size)
        except BaseException:
            reading.close()
            raise
        return GetResult(reading, part)

    @js_async
    async def put(self, key: Any = MISSING, value: Any = MISSING, options: Any = None) -> HeadResult | JsNull:
        """Store an object and return it; null where ``onlyIf`` does not hold.

        Args:
            value: a string, a buffer, a Blob, a stream of known length, or null for an empty body.
            options: ``onlyIf``, ``httpMetadata``, ``customMetadata``, one of ``md5, sha1, sha256, sha384, sha512``,
                ``storageClass``, ``ssecKey``.
        """
        name = text_argument(key, "put", 1)
        data = value_argument(value, _CLASS, "put", may_be_null=True)
        option = put_options(options)
        source = body_source("put", data)
        async with closing(source):
            check_key("put", name)
            check_metadata("put", option.attributes)
            with engine_errors("put"):
                found = await self._engine.put(
                    name, source, attributes=option.attributes, digest=option.digest, condition=option.condition
                )
        return jsnull if found is None else HeadResult(found)

    @js_async
    async def delete(self, keys: Any = MISSING) -> None:
        """Remove a key, or an array of keys, which need not be there."""
        if keys is MISSING:
            raise argument_error(_CLASS, "delete", 1, "string or Array")
        items = keys.items_ if isinstance(keys, JsArray) else (keys,)
        names = [wire_text(to_string(item)) for item in items]
        for name in names:
            check_key("delete", name)
        with engine_errors("delete"):
            await self._engine.delete(names)

    @js_async
    async def list(self, options: Any = None) -> JsObject:
        """List objects in order: ``{objects, truncated, cursor, delimitedPrefixes}``.

        Args:
            options: ``limit``, ``prefix``, ``cursor``, ``delimiter``, ``startAfter``, ``include``.
        """
        option = list_options(options)
        limit = MAX_LIST_KEYS if option.limit in (None, -1) else option.limit  # -1 is how the platform writes "none"
        if limit is None or not 1 <= limit <= MAX_LIST_KEYS:
            raise failure("list", INVALID_LIMIT)
        if option.includes:
            limit = min(limit, MAX_LIST_KEYS_WITH_METADATA)
        with engine_errors("list"):
            page = await self._engine.list_objects(
                prefix=option.prefix,
                delimiter=option.delimiter,
                after=option.after,
                limit=limit,
                with_attributes=bool(option.includes),
            )
        with_http, with_custom = "httpMetadata" in option.includes, "customMetadata" in option.includes
        objects = [HeadResult(found, with_http=with_http, with_custom=with_custom) for found in page.objects]
        return JsObject(
            {
                "objects": JsArray(objects),
                "truncated": page.next_after is not None,
                "cursor": None if page.next_after is None else cursor_of(page.next_after),
                "delimitedPrefixes": JsArray(page.prefixes),
            }
        )

    @js_async
    async def createMultipartUpload(self, key: Any = MISSING, options: Any = None) -> R2MultipartUpload:
        """Begin an upload in parts.

        Args:
            options: ``httpMetadata``, ``customMetadata``, ``storageClass``, ``ssecKey``.
        """
        name = text_argument(key, "createMultipartUpload", 1)
        attributes = multipart_options(options)
        check_key("createMultipartUpload", name)
        with engine_errors("createMultipartUpload"):
            return R2MultipartUpload(self._engine, name, await self._engine.create_upload(name, attributes=attributes))

    @js_method
    def resumeMultipartUpload(self, key: Any = MISSING, uploadId: Any = MISSING) -> R2MultipartUpload:
        """Return an upload by its id, which is not looked at."""
        name = text_argument(key, "resumeMultipartUpload", 1)
        return R2MultipartUpload(self._engine, name, text_argument(uploadId, "resumeMultipartUpload", 2))
