"""V8's serialization format: what a stored value and a WebSocket's attachment are as bytes.

The same bytes as the platform's, so that limits count alike and other tools can read the files. Version 15.

Source: v8 src/objects/value-serializer.cc; sizes recorded, contracts/do, do.rpc.large
"""

from __future__ import annotations

import struct
from typing import Any, Final

from pyworkers.js.buffers import ArrayBuffer, ArrayBufferView
from pyworkers.js.clone import structured_clone
from pyworkers.js.collections import JsMap, JsSet
from pyworkers.js.data_view import DataView
from pyworkers.js.dates import Date
from pyworkers.js.headers import Headers
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsBigInt, jsnull, number, typeof
from pyworkers.js.regexp import RegExp
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject, JsProxy, dom_exception, get_property

HEADER: Final = b"\xff\x0f"
_VIEWS: Final = {
    "Int8Array": b"b", "Uint8Array": b"B", "Uint8ClampedArray": b"C", "Int16Array": b"w", "Uint16Array": b"W",
    "Int32Array": b"d", "Uint32Array": b"D", "Float32Array": b"f", "Float64Array": b"F", "BigInt64Array": b"q",
    "BigUint64Array": b"Q", "DataView": b"?",
}  # fmt: skip
_VIEW_NAMES: Final = {tag[0]: name for name, tag in _VIEWS.items()}
_ERRORS: Final = {
    "EvalError": b"E", "RangeError": b"R", "ReferenceError": b"F", "SyntaxError": b"S", "TypeError": b"T",
    "URIError": b"U",
}  # fmt: skip
_ERROR_NAMES: Final = {tag[0]: name for name, tag in _ERRORS.items()}
_REGEXP_FLAGS: Final = "gimyusdv"
_DOM_EXCEPTION: Final = b"\\X"
_HEADERS: Final = b"\\H"  # a platform object that storage can hold


def serialize(value: Any) -> bytes:
    """Return a value as bytes.

    Raises:
        JsException: DataCloneError, with the platform's text.
    """
    writer = _Writer()
    writer.write(value)
    return bytes(writer.data)


def deserialize(data: bytes) -> Any:
    """Return the value of bytes; each call makes a new one.

    Raises:
        JsException: Error, when the bytes are no value.
    """
    try:
        return _Reader(data).read()
    except Exception as error:  # whatever reading past the end, or a tag that there is not, comes to
        raise JsException("Error", "Unable to deserialize cloned data.") from error


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray(HEADER)
        self.ids: dict[int, int] = {}
        self.kept: list[Any] = []

    def varint(self, value: int) -> None:
        while value > 0x7F:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value)

    def write(self, value: Any) -> None:
        if isinstance(value, str):
            self.text(value)
        elif value is None:
            self.data += b"_"
        elif value is jsnull:
            self.data += b"0"
        elif isinstance(value, bool):
            self.data += b"T" if value else b"F"
        elif isinstance(value, int | float):
            self.number(value)
        elif id(value) in self.ids:
            self.data += b"^"
            self.varint(self.ids[id(value)])
        elif isinstance(value, JsProxy):
            self.object(value)
        else:
            structured_clone(value)  # it says what is wrong
            raise dom_exception("DataCloneError", "#<Object> could not be cloned.")

    def number(self, value: int | float) -> None:
        if isinstance(value, int):
            if isinstance(value, JsBigInt) or typeof(value) == "bigint":
                self.data += b"Z"
                self.bigint(int(value))
                return
            if -(2**31) <= value < 2**31:
                self.data += b"I"
                self.varint(value << 1 if value >= 0 else (-value << 1) - 1)
                return
        self.data += b"N" + struct.pack("<d", value)

    def bigint(self, value: int) -> None:
        size = (abs(value).bit_length() + 63) // 64 * 8
        self.varint(size << 1 | (value < 0))
        self.data += abs(value).to_bytes(size, "little")

    def text(self, value: str) -> None:
        if value.isascii():
            encoded = value.encode()
        else:
            try:
                encoded = value.encode("latin-1")
            except UnicodeEncodeError:
                wide = value.encode("utf-16-le", "surrogatepass")
                length = _varint_size(len(wide))
                if (len(self.data) + 1 + length) & 1:
                    self.data.append(0)
                self.data += b"c"
                self.varint(len(wide))
                self.data += wide
                return
        self.data += b'"'
        self.varint(len(encoded))
        self.data += encoded

    def object(self, value: JsProxy) -> None:
        if isinstance(value, ArrayBufferView) and id(value.buffer) not in self.ids:
            self.object(value.buffer)  # the buffer goes before what looks into it
        self.ids[id(value)] = len(self.ids)
        self.kept.append(value)
        if type(value) is JsObject:
            self.properties(value)
        elif isinstance(value, JsArray):
            self.array(value)
        elif isinstance(value, ArrayBuffer):
            self.data += b"B"
            self.varint(len(value.data))
            self.data += value.data
        elif isinstance(value, ArrayBufferView):
            self.view(value)
        elif isinstance(value, Date):
            self.data += b"D" + struct.pack("<d", value._ms)
        else:
            self.other(value)

    def properties(self, value: JsProxy) -> None:
        self.data += b"o"
        items = value.own_properties()
        for name, item in list(items.items()):
            if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and int(name) < 2**32 - 1:
                self.number(int(name))
            else:
                self.text(name)
            self.write(item)
        self.data += b"{"
        self.varint(len(items))

    def array(self, value: JsArray) -> None:
        items = list(value.items_)
        self.data += b"A"
        self.varint(len(items))
        for item in items:
            self.write(item)
        self.data += b"$\0"
        self.varint(len(items))

    def view(self, value: ArrayBufferView) -> None:
        self.data += b"V" + _VIEWS[value.js_name]
        for part in (value.byteOffset, value.byteLength, 0):
            self.varint(part)

    def other(self, value: JsProxy) -> None:
        if isinstance(value, JsMap):
            self.data += b";"
            entries = list(value.entries_.items())
            for key, item in entries:
                self.write(key)
                self.write(item)
            self.data += b":"
            self.varint(2 * len(entries))
        elif isinstance(value, JsSet):
            self.data += b"'"
            members = list(value)
            for member in members:
                self.write(member)
            self.data += b","
            self.varint(len(members))
        elif isinstance(value, RegExp):
            self.data += b"R"
            self.text(value.source)
            self.varint(sum(1 << _REGEXP_FLAGS.index(flag) for flag in value.flags))
        elif isinstance(value, JsException):
            if value.kind == "DOMException":
                self.data += _DOM_EXCEPTION
                self.write(JsArray((value.name, value.message)))
            else:
                self.error(value)
        elif isinstance(value, Headers):
            self.data += _HEADERS
            self.write(JsArray(JsArray(pair) for pair in value))
        elif value.js_name in ("Number", "String", "Boolean"):
            self.boxed(value.valueOf())
        else:
            _refuse(value)

    def error(self, value: JsException) -> None:
        self.data += b"r"
        if value.name in _ERRORS:
            self.data += b"p" + _ERRORS[value.name]
        self.data += b"m"
        self.text(value.message)
        if value.cause is not None:
            self.data += b"c"
            self.write(value.cause)
        self.data += b"s"
        self.text(value.stack)
        self.data += b"."

    def boxed(self, value: Any) -> None:
        if isinstance(value, bool):
            self.data += b"y" if value else b"x"
        elif isinstance(value, str):
            self.data += b"s"
            self.text(value)
        else:
            self.data += b"n" + struct.pack("<d", value)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 2
        self.objects: list[Any] = []

    def varint(self) -> int:
        data, at = self.data, self.at
        result = shift = 0
        while True:
            byte = data[at]
            at += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at
                return result
            shift += 7

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def double(self) -> int | float:
        value: float = struct.unpack("<d", self.take(8))[0]
        return value if value == 0 and str(value)[0] == "-" else number(value)

    def read(self) -> Any:
        tag = self.data[self.at]
        while tag == 0:
            self.at += 1
            tag = self.data[self.at]
        self.at += 1
        return _READERS[tag](self)

    def remember(self, value: Any) -> Any:
        self.objects.append(value)
        return value

    def int32(self) -> int:
        bits = self.varint()
        return -((bits + 1) >> 1) if bits & 1 else bits >> 1

    def bigint(self) -> JsBigInt:
        head = self.varint()
        value = int.from_bytes(self.take(head >> 1), "little")
        return JsBigInt(-value if head & 1 else value)

    def narrow(self) -> str:
        return self.take(self.varint()).decode("latin-1")

    def wide(self) -> str:
        return self.take(self.varint()).decode("utf-16-le", "surrogatepass")

    def string(self) -> str:
        value = self.read()
        if not isinstance(value, str):
            raise ValueError(value)
        return value

    def object(self) -> JsObject:
        result: JsObject = self.remember(JsObject())
        while self.data[self.at] != 0x7B:
            name = self.read()
            result.__dict__[name if isinstance(name, str) else str(name)] = self.read()
        self.at += 1
        self.varint()
        return result

    def array(self) -> JsArray:
        result: JsArray = self.remember(JsArray())
        result.items_.extend([self.read() for _ in range(self.varint())])
        self.at += 1
        self.varint()
        self.varint()
        return result

    def mapping(self) -> JsMap:
        result: JsMap = self.remember(JsMap())
        while self.data[self.at] != 0x3A:
            key = self.read()
            result.entries_[key] = self.read()
        self.at += 1
        self.varint()
        return result

    def set(self) -> JsSet:
        result: JsSet = self.remember(JsSet())
        while self.data[self.at] != 0x2C:
            result.add(self.read())
        self.at += 1
        self.varint()
        return result

    def buffer(self) -> Any:
        buffer = self.remember(ArrayBuffer(self.take(self.varint())))
        if self.at < len(self.data) and self.data[self.at] == 0x56:
            self.at += 1
            return self.view(buffer)
        return buffer

    def view(self, buffer: ArrayBuffer) -> Any:
        name = _VIEW_NAMES[self.data[self.at]]
        self.at += 1
        offset, length, _flags = self.varint(), self.varint(), self.varint()
        cls: Any = DataView if name == "DataView" else getattr(js, name).python_class
        return self.remember(cls(buffer, offset, length))

    def date(self) -> Date:
        result: Date = self.remember(Date(struct.unpack("<d", self.take(8))[0]))
        return result

    def regexp(self) -> RegExp:
        source = self.string()
        bits = self.varint()
        flags = "".join(flag for index, flag in enumerate(_REGEXP_FLAGS) if bits >> index & 1)
        result: RegExp = self.remember(RegExp(source, flags))
        return result

    def error(self) -> JsException:
        index = len(self.objects)
        self.objects.append(None)
        name, message, stack, cause = "Error", "", "", None
        while (tag := self.take(1)) != b".":
            if tag == b"p":
                name = _ERROR_NAMES[self.take(1)[0]]
            elif tag == b"m":
                message = self.string()
            elif tag == b"c":
                cause = self.read()
            else:
                stack = self.string()
        result = self.objects[index] = JsException(name, message, stack=stack)
        result.cause = cause
        return result

    def host(self) -> JsProxy:
        kind = self.data[self.at]
        self.at += 1
        index = len(self.objects)
        self.objects.append(None)
        content = self.read()
        if kind == _DOM_EXCEPTION[1]:
            result: JsProxy = dom_exception(*content.items_)
        else:
            result = Headers.js_new(content)
        self.objects[index] = result
        return result

    def reference(self) -> Any:
        found = self.objects[self.varint()]
        if isinstance(found, ArrayBuffer) and self.at < len(self.data) and self.data[self.at] == 0x56:
            self.at += 1
            return self.view(found)
        return found

    def boxed(self, value: Any) -> Any:
        name = "Boolean" if isinstance(value, bool) else "String" if isinstance(value, str) else "Number"
        return self.remember(getattr(js, name).new(value))


_READERS: Final[dict[int, Any]] = {
    ord("_"): lambda _: None,
    ord("0"): lambda _: jsnull,
    ord("T"): lambda _: True,
    ord("F"): lambda _: False,
    ord("I"): _Reader.int32,
    ord("N"): _Reader.double,
    ord("Z"): _Reader.bigint,
    ord('"'): _Reader.narrow,
    ord("c"): _Reader.wide,
    ord("o"): _Reader.object,
    ord("A"): _Reader.array,
    ord(";"): _Reader.mapping,
    ord("'"): _Reader.set,
    ord("B"): _Reader.buffer,
    ord("V"): lambda reader: reader.view(reader.objects[-1]),
    ord("D"): _Reader.date,
    ord("R"): _Reader.regexp,
    ord("r"): _Reader.error,
    ord("\\"): _Reader.host,
    ord("^"): _Reader.reference,
    ord("y"): lambda reader: reader.boxed(True),
    ord("x"): lambda reader: reader.boxed(False),
    ord("n"): lambda reader: reader.boxed(reader.double()),
    ord("s"): lambda reader: reader.boxed(reader.string()),
}


def _varint_size(value: int) -> int:
    return max(1, (value.bit_length() + 6) // 7)


def _refuse(value: JsProxy) -> None:
    """Raise the error of a value that cannot be stored."""
    if value.js_name in ("Request", "Response") and get_property(value, "body") not in (None, jsnull):
        raise dom_exception("DataCloneError", "ReadableStream can only be serialized for RPC.")
    if value.js_name in ("ReadableStream", "WritableStream"):
        raise dom_exception("DataCloneError", f"{value.js_name} can only be serialized for RPC.")
    if value.js_name in ("RpcTarget", "RpcStub"):
        raise dom_exception("DataCloneError", "Remote RPC references can only be serialized for RPC.")
    structured_clone(value)
    raise dom_exception(
        "DataCloneError",
        f'Could not serialize object of type "{value.js_name}". This type does not support serialization.',
    )
