"""Arguments and options of R2's methods, with the platform's texts.

The fields of a dictionary are converted in the order the platform declares them, before anything is checked.

Source: workerd src/workerd/api/r2-bucket.h and r2-bucket.c++; recorded, contracts/r2
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any, Final

from pyworkers.bindings.arguments import optional_int32
from pyworkers.bindings.r2.conditional import date_header, date_option, read_condition
from pyworkers.bindings.r2.errors import ALGORITHMS, INVALID_NAME, METADATA_TOO_LARGE, failure
from pyworkers.bindings.r2.ranges import RangeOption, read_range
from pyworkers.bindings.r2.text import wire_text
from pyworkers.engines.r2 import R2Attributes, R2Condition, R2Digest
from pyworkers.js.blob import Blob
from pyworkers.js.buffers import JsBuffer, bytes_of
from pyworkers.js.headers import Headers
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.realm import current_realm
from pyworkers.js.streams.readable import ReadableStream
from pyworkers.js.values import JsException, range_error, type_error
from pyworkers.js.webidl import (
    MISSING,
    argument_error,
    field_error,
    is_object,
    option_reader,
    record_of,
    utf8,
)

MAX_KEY_BYTES: Final = 1_024
MAX_METADATA_BYTES: Final = 2_048
MAX_OBJECT_BYTES: Final = 5 * 1024**3 - 5 * 1024**2
MAX_LIST_KEYS: Final = 1_000
MAX_LIST_KEYS_WITH_METADATA: Final = 100

VALUE_TYPES: Final = "ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob"
HTTP_FIELDS: Final = {
    "contentType": ("content_type", "content-type"),
    "contentLanguage": ("content_language", "content-language"),
    "contentDisposition": ("content_disposition", "content-disposition"),
    "contentEncoding": ("content_encoding", "content-encoding"),
    "cacheControl": ("cache_control", "cache-control"),
}
_INCLUDES: Final = ("httpMetadata", "customMetadata")
_DIGEST_BYTES: Final = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
_NOT_HEX: Final = re.compile("[^0-9a-f]")
_NOT_BASE64: Final = re.compile("[^A-Za-z0-9+/]")


@dataclass(frozen=True, slots=True)
class GetOptions:
    """Options of ``get``."""

    condition: R2Condition | None = None
    range: RangeOption | None = None


@dataclass(frozen=True, slots=True)
class PutOptions:
    """Options of ``put``."""

    attributes: R2Attributes = R2Attributes()  # noqa: RUF009 - frozen
    digest: R2Digest | None = None
    condition: R2Condition | None = None


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of ``list``; ``limit`` None is the default."""

    limit: int | None = None
    prefix: str = ""
    delimiter: str = ""
    after: str | None = None
    includes: tuple[str, ...] = ()


def text_argument(value: Any, method: str, position: int) -> str:
    """Return a required text argument of the bucket's method; anything but a missing one has a text.

    Raises:
        JsException: TypeError, when it is missing.
    """
    if value is MISSING:
        raise argument_error("R2Bucket", method, position, "string")
    return wire_text(to_string(value))


def value_argument(value: Any, class_name: str, method: str, *, may_be_null: bool) -> bytes | ReadableStream:
    """Return a body: its bytes, or a stream.

    Raises:
        JsException: TypeError, when the argument is nothing that has bytes.
    """
    if isinstance(value, str):
        return utf8(value)
    if isinstance(value, JsBuffer | bytes | bytearray | memoryview):
        return bytes_of(value)
    if isinstance(value, Blob):
        return value.data
    if isinstance(value, ReadableStream):
        return value
    if may_be_null and is_nullish(value):
        return b""
    raise argument_error(class_name, method, 2, VALUE_TYPES)


def check_key(action: str, key: str) -> None:
    """Refuse a key that is too long."""
    if len(key) * 4 > MAX_KEY_BYTES and len(key.encode()) > MAX_KEY_BYTES:
        raise failure(action, INVALID_NAME)


def check_metadata(action: str, attributes: R2Attributes) -> None:
    """Refuse custom metadata that is too long: a text counts twice where it does not fit ISO 8859-1."""
    size = sum(_stored_length(text) for pair in attributes.custom.items() for text in pair)
    if size > MAX_METADATA_BYTES:
        raise failure(action, METADATA_TOO_LARGE)


def get_options(options: Any) -> GetOptions:
    """Read the options of ``get``."""
    if is_nullish(options):
        return GetOptions()
    option = _dictionary(options, "get", 2, "GetOptions")
    condition = read_condition(option("onlyIf"), "GetOptions")
    asked = read_range(option("range"))
    _check_customer_key(option("ssecKey"), "GetOptions")
    return GetOptions(condition, asked)


def put_options(options: Any) -> PutOptions:
    """Read the options of ``put``."""
    if is_nullish(options):
        return PutOptions()
    option = _dictionary(options, "put", 3, "PutOptions")
    condition_option = option("onlyIf")
    http, expires_ms = _http_metadata(option("httpMetadata"), "PutOptions")
    custom = _custom_metadata(option("customMetadata"), "PutOptions")
    given = {name: _digest_option(option(name), name) for name in ALGORITHMS}
    storage_class = _storage_class(option("storageClass"))
    condition = read_condition(condition_option, "PutOptions")
    digest = _digest(given)
    _check_customer_key(option("ssecKey"), "PutOptions")
    return PutOptions(R2Attributes(http, expires_ms, custom, storage_class), digest, condition)


def multipart_options(options: Any) -> R2Attributes:
    """Read the options of ``createMultipartUpload``."""
    if is_nullish(options):
        return R2Attributes()
    option = _dictionary(options, "createMultipartUpload", 2, "MultipartOptions")
    http, expires_ms = _http_metadata(option("httpMetadata"), "MultipartOptions")
    custom = _custom_metadata(option("customMetadata"), "MultipartOptions")
    storage_class = _storage_class(option("storageClass"))
    _check_customer_key(option("ssecKey"), "MultipartOptions")
    return R2Attributes(http, expires_ms, custom, storage_class)


def list_options(options: Any) -> ListOptions:
    """Read the options of ``list``."""
    everything = () if current_realm().compat.enabled("r2_list_honor_include") else _INCLUDES
    if is_nullish(options):
        return ListOptions(includes=everything)
    option = _dictionary(options, "list", 1, "ListOptions")
    limit = optional_int32(option("limit"))
    prefix, cursor, delimiter, after = (
        _plain_text(option(name), name, "ListOptions") for name in ("prefix", "cursor", "delimiter", "startAfter")
    )
    includes = _includes(option("include"))
    if cursor is not None:
        from_cursor = _key_of_cursor(cursor)
        after = from_cursor if after is None else max(after, from_cursor)
    return ListOptions(limit, prefix or "", delimiter or "", after, everything or includes)


def cursor_of(key: str) -> str:
    """Return the cursor of a listing that goes on after a key."""
    return base64.b64encode(key.encode()).decode()


def _key_of_cursor(cursor: str) -> str:
    """Return the key of a cursor: base64, of which everything is skipped that is no base64."""
    digits = _NOT_BASE64.sub("", cursor.replace("-", "+").replace("_", "/"))
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-8", "replace")


def _dictionary(options: Any, method: str, position: int, name: str) -> Any:
    if not is_object(options):
        raise argument_error("R2Bucket", method, position, name)
    return option_reader(options)


def _http_metadata(value: Any, dictionary: str) -> tuple[dict[str, str], int | None]:
    """Return the HTTP fields, and when caches drop the object, in milliseconds since the Unix epoch."""
    if is_nullish(value):
        return {}, None
    if isinstance(value, Headers):
        found = {field: value.find(header) for field, header in HTTP_FIELDS.values()}
        expires = value.find("expires")
        http = {field: text for field, text in found.items() if text is not None}
        return http, None if expires is None else date_header(expires)
    if not is_object(value):
        raise field_error(dictionary, "httpMetadata", "HttpMetadata or Headers")
    option = option_reader(value)
    http = {
        field: wire_text(to_string(option(name)))
        for name, (field, _) in HTTP_FIELDS.items()
        if option(name) is not None
    }
    return http, date_option(option("cacheExpiry"), "cacheExpiry", "HttpMetadata")


def _custom_metadata(value: Any, dictionary: str) -> dict[str, str]:
    if value is None:
        return {}
    if not is_object(value):
        raise field_error(dictionary, "customMetadata", "object")
    return {wire_text(name): wire_text(text) for name, text in record_of(value)}


def _storage_class(value: Any) -> str | None:
    return None if value is None else wire_text(to_string(value))


def _plain_text(value: Any, field: str, dictionary: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise field_error(dictionary, field, "string")
    return wire_text(value)


def _includes(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, JsArray):
        raise field_error("ListOptions", "include", "Array")
    names = list(value.items_)
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise type_error(f"Incorrect type for array element {index}: the provided value is not of type 'string'.")
    for name in names:
        if name not in _INCLUDES:
            raise range_error(f"Unsupported include value {name}")
    return tuple(str(name) for name in names)


def _digest_option(value: Any, name: str) -> bytes | str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, JsBuffer | bytes | bytearray | memoryview):
        return bytes_of(value)
    raise field_error("PutOptions", name, "JsBufferSource or string")


def _digest(given: dict[str, bytes | str | None]) -> R2Digest | None:
    found: R2Digest | None = None
    for name, value in given.items():
        if value is None:
            continue
        if found is not None:
            raise type_error("You cannot specify multiple hashing algorithms.")
        title, size = ALGORITHMS[name], _DIGEST_BYTES[name]
        if isinstance(value, bytes):
            if len(value) != size:
                raise type_error(f"{title} is {size} bytes, not {len(value)}")
            found = R2Digest(name, value)
            continue
        if len(value.encode("utf-8", "replace")) != size * 2:
            raise type_error(f"{title} is {size * 2} hex characters, not {len(value.encode('utf-8', 'replace'))}")
        if _NOT_HEX.search(value.lower()):
            raise type_error(f"Provided {title} wasn't a valid hex string")
        found = R2Digest(name, bytes.fromhex(value))
    return found


def _check_customer_key(value: Any, dictionary: str) -> None:
    """Check the form of a customer's encryption key, of which no more is made locally, as in the platform's tools."""
    if value is None:
        return
    if isinstance(value, JsBuffer | bytes | bytearray | memoryview):
        size = len(bytes_of(value)) * 2
    elif is_object(value):
        raise field_error(dictionary, "ssecKey", "JsBufferSource or string")
    else:
        text = to_string(value)
        if not text or _NOT_HEX.search(text):
            raise JsException("Error", "SSE-C Key has invalid format")
        size = len(text)
    if size != 64:
        raise JsException("Error", "SSE-C Key must be 32 bytes in length")


def _stored_length(text: str) -> int:
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return length if all(ord(character) < 256 for character in text) else length * 2
