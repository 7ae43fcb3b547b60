"""``TextEncoderStream`` and ``TextDecoderStream``.

Source: encoding.spec.whatwg.org, section 7; recorded, contracts/fetchapi, fetchapi.streams.textdecoder
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyworkers.js.buffers import JsBuffer
from pyworkers.js.encoding import IncrementalDecoder, decoder_arguments, encode_utf8
from pyworkers.js.encoding_labels import encoding_of
from pyworkers.js.primitives import to_string
from pyworkers.js.streams.channel import ByteChannelSource, ChannelSource, Transform
from pyworkers.js.streams.transform import TransformStream
from pyworkers.js.values import JsProxy, type_error


class _Encode(Transform):
    def __init__(self) -> None:
        self._high = ""  # the first half of a surrogate pair whose second half may come with the next chunk

    def push(self, chunk: Any) -> Iterable[bytes]:
        text = self._high + to_string(chunk)
        self._high = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        data = encode_utf8(text[: len(text) - len(self._high)])
        return (data,) if data else ()

    def flush(self) -> Iterable[bytes]:
        return (encode_utf8(self._high),) if self._high else ()


class _Decode(Transform):
    def __init__(self, decoder: IncrementalDecoder) -> None:
        self._decoder = decoder

    def push(self, chunk: Any) -> Iterable[str]:
        if not isinstance(chunk, JsBuffer):
            raise type_error("This TransformStream is being used as a byte stream, but received a value that is "
                             "not a BufferSource.")  # fmt: skip
        text = self._decoder.decode(bytes(chunk.view), final=False)
        return (text,) if text else ()

    def flush(self) -> Iterable[str]:
        text = self._decoder.decode(b"", final=True)
        return (text,) if text else ()


class TextEncoderStream(TransformStream):
    """Text in, UTF-8 out."""

    @property
    def encoding(self) -> str:
        """Always ``utf-8``."""
        return "utf-8"

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """``new TextEncoderStream()``."""
        return cls(ByteChannelSource(_Encode()))


class TextDecoderStream(TransformStream, read_only="encoding fatal ignoreBOM"):
    """Bytes in, text out; a character may be split over chunks."""

    def __init__(self, label: str, *, fatal: bool, ignore_bom: bool) -> None:
        self.encoding = encoding_of(label)
        self.fatal = fatal
        self.ignoreBOM = ignore_bom
        super().__init__(ChannelSource(_Decode(IncrementalDecoder(self.encoding, fatal=fatal, ignore_bom=ignore_bom))))

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new TextDecoderStream(label, {fatal, ignoreBOM})``."""
        label, options = decoder_arguments("TextDecoderStream", args)
        return cls(label, **options)
