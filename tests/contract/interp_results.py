"""The results of steps as JSON, and how a result is compared with a recorded one.

The form is that of the recorder's ``enc``: null and ``{"$undef": true}`` differ, bytes are base64, long values are a
length and a SHA-256, platform objects carry ``$type`` and what can be seen of them. A recorded text in angle brackets
stands for a value of that form.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Callable
from typing import Any, Final

from interp_values import class_name, iterate, settled

from pyworkers.js.buffers import ArrayBuffer, ArrayBufferView, Uint8Array
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import jsnull, typeof
from pyworkers.js.values import JsException, JsProxy, own_properties_of

BIG: Final = 2_048
MAX_DEPTH: Final = 12
_STUBS: Final = frozenset(
    {"Fetcher", "JsRpcStub", "RpcStub", "RpcPromise", "RpcProperty", "JsRpcPromise", "JsRpcProperty"}
    | {"DurableObject", "DurableObjectStub", "WorkerRpc"}
)
_R2_FIELDS: Final = (
    *("key", "version", "size", "etag", "httpEtag", "uploaded", "httpMetadata", "customMetadata", "range"),
    *("storageClass", "ssecKeyMd5"),
)
_URL_FIELDS: Final = (
    *("href", "origin", "protocol", "username", "password", "host", "port", "pathname", "search", "hash"),
)
# Attributes of an exception object that are not JavaScript properties of their own.
_ERROR_INNARDS: Final = frozenset({"name", "message", "kind", "stack", "cause", "errors"})
_HOST_ONLY: Final = frozenset({"typeof", "constructor", "length"})


# ---- values to JSON


async def encode(value: Any, depth: int = 0, seen: tuple[int, ...] = ()) -> Any:
    """Return a value as JSON."""
    simple = _encode_primitive(value)
    if simple is not _NO:
        return simple
    if depth > MAX_DEPTH:
        return {"$deep": True}
    name = class_name(value)
    if name in _STUBS:
        return {"$type": name}
    if typeof(value) == "function":
        return {"$function": getattr(value, "name", None) or getattr(value, "__name__", "")}
    if id(value) in seen:
        return {"$circularRef": True}
    seen = (*seen, id(value))

    async def inner(item: Any) -> Any:
        return await encode(item, depth + 1, seen)

    if isinstance(value, ArrayBuffer | ArrayBufferView):
        return _encode_buffer(value)
    if isinstance(value, JsArray):
        return [await inner(item) for item in value]
    if isinstance(value, JsMap):
        return {"$map": [[await inner(key), await inner(item)] for key, item in value.items()]}
    if isinstance(value, JsSet):
        return {"$set": [await inner(item) for item in value]}
    if isinstance(value, BaseException):
        return {"$error": await encode_error(value)}
    if name in _PLATFORM:
        return await _PLATFORM[name](value, inner)
    if hasattr(value, "httpEtag") and hasattr(value, "checksums"):
        return await _encode_r2_object(value, inner)
    if hasattr(value, "uploadId") and hasattr(value, "complete"):
        return {"$type": "R2MultipartUpload", "key": value.key, "uploadId": value.uploadId}
    return await _encode_object(value, name, inner)


async def encode_error(error: Any) -> dict[str, Any]:
    """Return a thrown value as JSON: name, message, class, and its own properties."""
    if not isinstance(error, JsException):
        return {"name": type(error).__name__, "message": str(error), "python": True}
    result: dict[str, Any] = {"name": error.name, "message": error.message}
    kind = error.constructor.name
    if kind == "DOMException":
        result["domException"] = True
    if kind != error.name:
        result["class"] = kind
    for name, value in vars(error).items():
        if name not in _ERROR_INNARDS and name[:1] != "_" and value is not None:
            result[name] = await (encode_error if isinstance(value, JsException) else encode)(value)
    if error.cause is not None:
        result["cause"] = await (encode_error if isinstance(error.cause, JsException) else encode)(error.cause)
    return result


_NO: Final = object()


def _encode_primitive(value: Any) -> Any:
    if value is None:
        return {"$undef": True}
    if value is jsnull:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _encode_text(value)
    if typeof(value) == "bigint":
        return {"$bigint": str(int(value))}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$num": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, float) and value == 0 and math.copysign(1, value) < 0:
        return {"$num": "-0"}
    if isinstance(value, int | float):
        return value
    if typeof(value) == "symbol":
        return {"$symbol": value.toString()}
    return _NO


def _encode_text(text: str) -> Any:
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) // 2 > BIG:
        data = units.decode("utf-16-le", "replace").encode()
        head = units[:32].decode("utf-16-le", "surrogatepass")
        return {"$bigstr": {"length": len(units) // 2, "sha256": hashlib.sha256(data).hexdigest(), "head": head}}
    joined = units.decode("utf-16-le", "surrogatepass")
    return {"$lone": [ord(char) for char in joined]} if re.search("[\ud800-\udfff]", joined) else joined


def _encode_buffer(value: ArrayBuffer | ArrayBufferView) -> Any:
    data = value.to_bytes()
    short = {ArrayBuffer: "ab", Uint8Array: "u8"}.get(type(value))
    if short is not None and len(data) > BIG:
        return {f"$big{short}": {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}}
    return {f"${short or value.js_name}": base64.b64encode(data).decode()}


async def _encode_object(value: Any, name: str | None, inner: Callable[[Any], Any]) -> Any:
    result: dict[str, Any] = {} if name in (None, "Object") else {"$type": name}
    for key, item in own_properties_of(value).items():
        result[f"\\{key}" if key[:1] == "$" else key] = await inner(item)
    if len(result) == 1 and "$type" in result and isinstance(value, JsProxy):
        for key in _accessors(value):
            try:
                item = getattr(value, key)
            except Exception:
                continue  # as the recorder: what throws is not seen
            if item is None or item is jsnull or isinstance(item, str | bool | int | float):
                result[key] = await inner(item)
    return result


def _accessors(value: JsProxy) -> list[str]:
    """Return what may be an accessor of the JavaScript class: properties and plain attributes."""
    names = [name for base in type(value).__mro__ for name, item in vars(base).items() if isinstance(item, property)]
    return [name for name in dict.fromkeys((*names, *vars(value))) if "_" not in name and name not in _HOST_ONLY]


# ---- platform objects


async def _headers(value: Any, _inner: Any) -> Any:
    return {"$type": "Headers", "entries": _pairs(value), "setCookie": list(value.getSetCookie())}


async def _response(value: Any, _inner: Any) -> Any:
    result = {"$type": "Response", "headers": _pairs(value.headers), "hasBody": value.body is not jsnull}
    for name in ("status", "statusText", "ok", "bodyUsed"):
        result[name] = getattr(value, name)
    for name in ("redirected", "url"):
        if getattr(value, name):
            result[name] = getattr(value, name)
    if getattr(value, "webSocket", None) not in (None, jsnull):
        result["webSocket"] = True
    return result


async def _request(value: Any, _inner: Any) -> Any:
    result = {"$type": "Request", "headers": _pairs(value.headers), "hasBody": value.body is not jsnull}
    return {**result, **{name: getattr(value, name) for name in ("method", "url", "bodyUsed", "redirect")}}


async def _url(value: Any, _inner: Any) -> Any:
    return {"$type": "URL", **{name: getattr(value, name) for name in _URL_FIELDS}}


async def _search_params(value: Any, _inner: Any) -> Any:
    return {"$type": "URLSearchParams", "entries": _pairs(value), "string": value.toString()}


async def _form_data(value: Any, inner: Any) -> Any:
    return {"$type": "FormData", "entries": [[key, await inner(item)] for key, item in iterate(value)]}


async def _blob(value: Any, _inner: Any) -> Any:
    return {"$type": "Blob", "type": value.type, "size": value.size, "text": await settled(value.text())}


async def _file(value: Any, inner: Any) -> Any:
    return {"$type": "File", "name": value.name, **(await _blob(value, inner) | {"$type": "File"})}


async def _stream(value: Any, _inner: Any) -> Any:
    return {"$type": "ReadableStream", "locked": value.locked}


async def _date(value: Any, _inner: Any) -> Any:
    return {"$date": "Invalid" if math.isnan(value.getTime()) else value.toISOString()}


async def _regexp(value: Any, _inner: Any) -> Any:
    return {"$regexp": value.toString()}


async def _object_id(value: Any, inner: Any) -> Any:
    return {"$type": "DurableObjectId", "id": value.toString(), "name": await inner(getattr(value, "name", None))}


async def _encode_r2_object(value: Any, inner: Any) -> Any:
    has_body = hasattr(value, "body")
    result: dict[str, Any] = {"$type": "R2ObjectBody" if has_body else "R2Object"}
    for name in _R2_FIELDS:
        try:
            item = getattr(value, name, None)
        except JsException as error:
            item = {"threw": error.message}
        if item is not None:
            result[name] = item if isinstance(item, dict) else await inner(item)
    # The recorder keeps this object as it is, and JSON has no undefined.
    sums = own_properties_of(value.checksums.toJSON())
    result["checksums"] = {name: text for name, text in sums.items() if text is not None}
    if has_body:
        result["bodyUsed"] = value.bodyUsed
    return result


_PLATFORM: Final = {
    "Headers": _headers,
    "Response": _response,
    "Request": _request,
    "URL": _url,
    "URLSearchParams": _search_params,
    "FormData": _form_data,
    "Blob": _blob,
    "File": _file,
    "ReadableStream": _stream,
    "Date": _date,
    "RegExp": _regexp,
    "DurableObjectId": _object_id,
}


def _pairs(value: Any) -> list[list[Any]]:
    return [list(pair) for pair in iterate(value)]


# ---- comparing

_FORMS: Final = {
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "hex16": r"[0-9a-f]{16}",
    "hex32": r"[0-9a-f]{32}",
    '"hex32"': r'"[0-9a-f]{32}"',
    "hex64": r"[0-9a-f]{64}",
    "hexlong": r"[0-9a-f]{128,}",
    "isodate": r"\d{4}-\d\d-\d\dT[\d:.]+Z",
    "httpdate": r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT",
    "token": r"[A-Za-z0-9+/_=-]{16,}",
    "etag": r'"[0-9a-f]{32}"',
    "stack": r"(?:\n    at .*)*",
}
# Stand for a value of any type.
_ANYTHING: Final = ("any", "varies", "varies-string", "string", "duration", "timings", "date", "colo", "time")
_PLACEHOLDER: Final = re.compile("<({})>".format("|".join(map(re.escape, (*_FORMS, "number", *_ANYTHING)))))


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Return what differs, one line each; an empty list for a match."""
    if expected == {"omitted": True} and not path:
        return []
    if isinstance(expected, str):
        return [] if _matches_text(expected, actual) else [_line(path, expected, actual)]
    if isinstance(expected, dict) and isinstance(actual, dict):
        lines = []
        for key in dict.fromkeys((*expected, *actual)):
            if key not in expected or key not in actual:
                lines.append(_line(f"{path}.{key}", expected.get(key, _ABSENT), actual.get(key, _ABSENT)))
            else:
                lines += differences(expected[key], actual[key], f"{path}.{key}")
        return lines
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in differences(one, other, f"{path}[{index}]")]
    is_same = _double(expected) == _double(actual) and isinstance(expected, bool) == isinstance(actual, bool)
    return [] if is_same else [_line(path, expected, actual)]


def _double(value: Any) -> Any:
    """Return a number as JavaScript has it: what a recording prints need not be all of a large one's digits."""
    return float(value) if type(value) is int else value


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


_ABSENT: Final = _Absent()


def _matches_text(expected: str, actual: Any) -> bool:
    if expected == actual and isinstance(actual, str):
        return True
    whole = _PLACEHOLDER.fullmatch(expected)
    if whole is not None and whole[1] in _ANYTHING:
        return True
    if whole is not None and whole[1] == "number":
        return isinstance(actual, int | float) and not isinstance(actual, bool)
    if not isinstance(actual, str) or not _PLACEHOLDER.search(expected):
        return False
    pattern, end = "", 0
    for match in _PLACEHOLDER.finditer(expected):
        form = r"[\d.]+" if match[1] == "number" else _FORMS.get(match[1], ".*")
        pattern += re.escape(expected[end : match.start()]) + form
        end = match.end()
    return re.fullmatch(pattern + re.escape(expected[end:]), actual, re.DOTALL) is not None


def _line(path: str, expected: Any, actual: Any) -> str:
    return f"{path or 'result'}: recorded {str(expected)[:400]!r}, got {str(actual)[:400]!r}"
