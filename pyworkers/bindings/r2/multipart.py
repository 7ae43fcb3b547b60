"""Uploads in parts.

Source: workerd src/workerd/api/r2-multipart.c++; recorded, contracts/r2, r2.mp.*
"""

from __future__ import annotations

from typing import Any

from pyworkers.bindings.arguments import optional_int32
from pyworkers.bindings.r2.bodies import body_source, closing
from pyworkers.bindings.r2.errors import engine_errors
from pyworkers.bindings.r2.objects import HeadResult
from pyworkers.bindings.r2.options import check_key, value_argument
from pyworkers.bindings.r2.text import wire_text
from pyworkers.engines.r2 import R2Engine, R2Part
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.promise import js_async
from pyworkers.js.values import JsObject, JsProxy, type_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, option_reader

MAX_PART_NUMBER = 10_000
_CLASS = "R2MultipartUpload"


class R2MultipartUpload(JsProxy, js_name="R2MultipartUpload", read_only="key uploadId"):
    """An upload in parts, which may or may not exist.

    Args:
        engine: holds the bucket.
        key: what the parts will become.
        upload_id: as `R2Bucket.createMultipartUpload` named it.
    """

    def __init__(self, engine: R2Engine, key: str, upload_id: str) -> None:
        self._engine = engine
        self.key = key
        self.uploadId = upload_id

    def own_properties(self) -> dict[str, object]:
        """Return the properties, in the platform's order."""
        return {"uploadId": self.uploadId, "key": self.key}

    @js_async
    async def uploadPart(self, partNumber: Any = MISSING, value: Any = MISSING, _options: Any = None) -> JsObject:
        """Store a part: ``{partNumber, etag}``.

        Args:
            partNumber: 1 to 10,000.
            value: a string, a buffer, a Blob or a stream of known length.
        """
        if partNumber is MISSING:
            raise argument_error(_CLASS, "uploadPart", 1, "integer")
        number = optional_int32(partNumber) or 0
        data = value_argument(value, _CLASS, "uploadPart", may_be_null=False)
        _check_number(number)
        source = body_source("uploadPart", data)
        check_key("uploadPart", self.key)
        async with closing(source):
            with engine_errors("uploadPart"):
                part = await self._engine.put_part(self.key, self.uploadId, number, source)
        return JsObject({"partNumber": part.number, "etag": part.etag})

    @js_async
    async def complete(self, uploadedParts: Any = MISSING) -> HeadResult:
        """Make the parts the object; ``uploadedParts`` is an array of what `uploadPart` returned."""
        if not isinstance(uploadedParts, JsArray):
            raise argument_error(_CLASS, "complete", 1, "Array")
        parts = [_part(item, index) for index, item in enumerate(uploadedParts.items_)]
        for part in parts:
            _check_number(part.number)
        check_key("completeMultipartUpload", self.key)
        with engine_errors("completeMultipartUpload"):
            return HeadResult(await self._engine.complete_upload(self.key, self.uploadId, parts))

    @js_async
    async def abort(self) -> None:
        """Drop the parts; after the upload is over, nothing."""
        check_key("abortMultipartUpload", self.key)
        with engine_errors("abortMultipartUpload"):
            await self._engine.abort_upload(self.key, self.uploadId)


def _part(value: Any, index: int) -> R2Part:
    if not is_nullish(value) and not is_object(value):
        raise type_error(f"Incorrect type for array element {index}: the provided value is not of type 'UploadedPart'.")
    option = option_reader(value)
    return R2Part(optional_int32(option("partNumber")) or 0, wire_text(to_string(option("etag"))))


def _check_number(number: int) -> None:
    if not 1 <= number <= MAX_PART_NUMBER:
        raise type_error(f"Part number must be between 1 and {MAX_PART_NUMBER} (inclusive). Actual value was: {number}")
