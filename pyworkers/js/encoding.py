"""``TextEncoder``, ``TextDecoder``, ``atob`` and ``btoa``.

Source: encoding.spec.whatwg.org; recorded, contracts/fetchapi, fetchapi.streams.textdecoder2, fetchapi.globals.base64
"""

from __future__ import annotations

import binascii
import codecs
import re
from typing import Any, Final

from pyworkers.js.buffers import ArrayBuffer, JsBuffer, Uint8Array
from pyworkers.js.encoding_labels import codec_of, encoding_of
from pyworkers.js.primitives import is_nullish, to_boolean, to_string
from pyworkers.js.values import (
    JsObject,
    JsProxy,
    dom_exception,
    get_property,
    js_function,
    js_method,
    range_error,
    type_error,
)
from pyworkers.js.webidl import MISSING, argument_error, constructor_error, is_object

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_BAD_BASE64: Final = (
    "atob() called with invalid base64-encoded data. (Only whitespace, '+', '/', alphanumeric ASCII, and up to two "
    "terminal '=' signs when the input data length is divisible by 4 are allowed.)"
)


class TextEncoder(JsProxy):
    """Encodes text as UTF-8."""

    @property
    def encoding(self) -> str:
        """Always ``utf-8``."""
        return "utf-8"

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """``new TextEncoder()``."""
        return cls()

    @js_method
    def encode(self, text: object = None) -> Uint8Array:
        """Return the text's bytes; a lone surrogate becomes U+FFFD."""
        return uint8_array(encode_utf8("" if text is None else to_string(text)))

    @js_method
    def encodeInto(self, text: object = None, target: object = None) -> JsObject:
        """Write as many whole characters as fit; ``read`` counts UTF-16 units, ``written`` bytes."""
        if not isinstance(target, Uint8Array):
            raise argument_error("TextEncoder", "encodeInto", 2, "JsUint8Array")
        view = target.view
        read = written = 0
        for character in encode_utf8(to_string(text)).decode():
            data = character.encode()
            if written + len(data) > len(view):
                break
            view[written : written + len(data)] = data
            written += len(data)
            read += 2 if ord(character) > 0xFFFF else 1
        return JsObject({"read": read, "written": written})


class TextDecoder(JsProxy, read_only="encoding fatal ignoreBOM"):
    """Decodes bytes of one encoding."""

    def __init__(self, label: str = "utf-8", *, fatal: bool = False, ignore_bom: bool = False) -> None:
        self.encoding = encoding_of(label)
        self.fatal = fatal
        self.ignoreBOM = ignore_bom
        self._decoder = IncrementalDecoder(self.encoding, fatal=fatal, ignore_bom=ignore_bom)

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new TextDecoder(label, {fatal, ignoreBOM})``."""
        label, options = decoder_arguments("TextDecoder", args)
        return cls(label, **options)

    @js_method
    def decode(self, data: object = None, options: object = None) -> str:
        """Decode; with ``stream`` an incomplete character waits for the next call.

        Raises:
            JsException: TypeError, when ``fatal`` and the bytes are wrong, or for what is no buffer.
        """
        if data is not None and not isinstance(data, JsBuffer):
            raise argument_error("TextDecoder", "decode", 1, "Array")
        stream = to_boolean(get_property(options, "stream"))
        return self._decoder.decode(b"" if data is None else bytes(data.view), final=not stream)


class IncrementalDecoder:
    """Decodes piece by piece, and drops the byte order mark unless told to keep it."""

    def __init__(self, encoding: str, *, fatal: bool, ignore_bom: bool) -> None:
        name, errors = codec_of(encoding, fatal=fatal)
        self._decoder = codecs.getincrementaldecoder(name)(errors)
        self._drops_bom = not ignore_bom and encoding.startswith("utf-")
        self._at_start = True

    def decode(self, data: bytes, *, final: bool) -> str:
        """Decode the next piece; ``final`` starts over afterwards."""
        try:
            text = self._decoder.decode(data, final)
        except UnicodeError:
            self._restart()
            raise type_error("Failed to decode input.") from None
        if self._at_start and text:
            self._at_start = False
            if self._drops_bom and text[0] == "\ufeff":
                text = text[1:]
        if final:
            self._restart()
        return text

    def _restart(self) -> None:
        self._decoder.reset()
        self._at_start = True


def decoder_arguments(class_name: str, args: tuple[Any, ...]) -> tuple[str, dict[str, bool]]:
    """Read the arguments of a decoder's constructor: a label and its options.

    Raises:
        JsException: RangeError, for an unknown label; TypeError, for options that are no object.
    """
    label = to_string(args[0]) if args and args[0] is not None else "utf-8"
    options = args[1] if len(args) > 1 else None
    if not is_nullish(options) and not is_object(options):
        raise constructor_error(class_name, 2, "ConstructorOptions")
    if encoding_of(label) == "":
        raise range_error(f'"{label}" is not a valid encoding.')
    return label, {
        "fatal": to_boolean(get_property(options, "fatal")),
        "ignore_bom": to_boolean(get_property(options, "ignoreBOM")),
    }


def encode_utf8(text: str) -> bytes:
    """Encode text; surrogate pairs are joined, a lone surrogate becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def uint8_array(data: bytes) -> Uint8Array:
    """Return a Uint8Array over a copy of ``data``."""
    return Uint8Array(ArrayBuffer(data))


@js_function
def btoa(text: object = MISSING) -> str:
    """Encode a binary string as base64."""
    if text is MISSING:
        raise argument_error("ServiceWorkerGlobalScope", "btoa", 1, "JsString")
    try:
        return binascii.b2a_base64(to_string(text).encode("latin-1"), newline=False).decode()
    except UnicodeEncodeError:
        raise dom_exception(
            "InvalidCharacterError", "btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range."
        ) from None


@js_function
def atob(text: object = MISSING) -> str:
    """Decode base64 to a binary string."""
    if text is MISSING:
        raise argument_error("ServiceWorkerGlobalScope", "atob", 1, "string")
    data = re.sub(r"[\t\n\f\r ]", "", to_string(text))
    if len(data) % 4 == 0:
        data = data[:-2] if data.endswith("==") else data.removesuffix("=")
    if "=" in data or len(data) % 4 == 1 or not _BASE64.fullmatch(data):
        raise dom_exception("InvalidCharacterError", _BAD_BASE64)
    return binascii.a2b_base64(data + "=" * (-len(data) % 4)).decode("latin-1")
