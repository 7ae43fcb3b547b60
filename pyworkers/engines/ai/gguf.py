"""Reads what a GGUF file says about itself, and whether the file is whole.

The `gguf` package does this too, but needs NumPy and takes a third of a second to import.

Source: the GGUF specification, version 3 (ggml-org/ggml, docs/gguf.md).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pyworkers.engines.ai.errors import ModelCorrupt, ModelMissing

__all__ = ["GgufInfo", "read_gguf"]

_Scalar: TypeAlias = bool | int | float | str

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# ggml type -> (elements a block, bytes a block); a type that is not here is checked by its offset only.
_BLOCKS = {
    0: (1, 4),  # F32
    1: (1, 2),  # F16
    2: (32, 18),  # Q4_0
    3: (32, 20),  # Q4_1
    6: (32, 22),  # Q5_0
    7: (32, 24),  # Q5_1
    8: (32, 34),  # Q8_0
    10: (256, 84),  # Q2_K
    11: (256, 110),  # Q3_K
    12: (256, 144),  # Q4_K
    13: (256, 176),  # Q5_K
    14: (256, 210),  # Q6_K
    30: (1, 2),  # BF16
}
_TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True, slots=True)
class GgufInfo:
    """What a GGUF file says about itself.

    Attributes:
        architecture: "llama", "bert", ...
        context_tokens: the context the model was trained for; 0 when the file does not say.
        vocabulary: the number of tokens.
        chat_template: Jinja source, or None.
        bos, eos: the texts of these tokens; empty when there are none.
        adds_bos: the tokenizer itself puts the begin token first.
        pooling: how vectors of tokens become one: 1 mean, 2 the first token's, 3 the last's.
    """

    path: Path
    architecture: str
    name: str
    context_tokens: int
    embedding_length: int
    vocabulary: int
    chat_template: str | None
    bos: str
    eos: str
    adds_bos: bool
    pooling: int
    size_bytes: int


class _Reader:
    """A cursor over the file's bytes; struct.error or IndexError at the end of them."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def number(self, code: str) -> _Scalar:
        value: _Scalar = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += struct.calcsize(code)
        return value

    def integer(self, code: str) -> int:
        return int(self.number(code))

    def text(self) -> str:
        length = self.integer("Q")
        raw = self.data[self.at : self.at + length]
        if len(raw) < length:
            raise IndexError("text is cut")
        self.at += length
        return raw.decode("utf-8", "replace")

    def skip_texts(self, count: int) -> None:
        unpack, data, at, end = struct.Struct("<Q").unpack_from, self.data, self.at, len(self.data)
        for _ in range(count):
            at += 8 + unpack(data, at)[0]
        if at > end:
            raise IndexError("texts are cut")
        self.at = at


def read_gguf(path: Path) -> GgufInfo:
    """Read a model file's description and check that none of its tensors is cut off.

    Raises:
        ModelMissing: there is no such file.
        ModelCorrupt: it is not a GGUF file, or shorter than it says.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if file.read(4) != b"GGUF":
                raise ModelCorrupt(
                    f"{path} is not a GGUF model file ({size} bytes)",
                    path=path,
                    hint="name a .gguf file of llama.cpp, or run `pyworkers models pull smollm2`",
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read(_Reader(data), path, size)
    except FileNotFoundError:
        raise ModelMissing(
            f"there is no model file at {path}", hint="correct the path, or run `pyworkers models pull smollm2`"
        ) from None
    except (struct.error, IndexError, OverflowError, ValueError):
        raise _truncated(path, "its header is cut off") from None


def _read(reader: _Reader, path: Path, size: int) -> GgufInfo:
    reader.at = 4
    version = reader.integer("I")
    if version not in (2, 3):
        raise ModelCorrupt(
            f"{path} is a GGUF file of version {version}; versions 2 and 3 can be read",
            path=path,
            hint="convert the model again with a current llama.cpp",
        )
    tensors, pairs = reader.integer("Q"), reader.integer("Q")
    values: dict[str, _Scalar] = {}
    arrays: dict[str, tuple[int, int]] = {}
    for _ in range(pairs):
        key = reader.text()
        _read_value(reader, key, values, arrays)
    _check_tensors(reader, tensors, int(values.get("general.alignment", 32)), path, size)
    architecture = str(values.get("general.architecture", ""))
    template = values.get("tokenizer.chat_template")
    return GgufInfo(
        path=path,
        architecture=architecture,
        name=str(values.get("general.name", path.stem)),
        context_tokens=int(values.get(f"{architecture}.context_length", 0)),
        embedding_length=int(values.get(f"{architecture}.embedding_length", 0)),
        vocabulary=arrays.get(_TOKENS, (0, 0))[0],
        chat_template=template if isinstance(template, str) else None,
        bos=_token(reader, arrays, values.get("tokenizer.ggml.bos_token_id")),
        eos=_token(reader, arrays, values.get("tokenizer.ggml.eos_token_id")),
        adds_bos=bool(values.get("tokenizer.ggml.add_bos_token", values.get("tokenizer.ggml.model") == "llama")),
        pooling=int(values.get(f"{architecture}.pooling_type", 0)) or 1,
        size_bytes=size,
    )


def _read_value(reader: _Reader, key: str, values: dict[str, _Scalar], arrays: dict[str, tuple[int, int]]) -> None:
    """Read one value; of an array keep only its length and where it starts."""
    kind = reader.integer("I")
    if kind == _STRING:
        values[key] = reader.text()
    elif kind != _ARRAY:
        values[key] = reader.number(_SCALARS[kind]) if kind in _SCALARS else _unknown(kind)
    else:
        item, count = reader.integer("I"), reader.integer("Q")
        arrays[key] = (count, reader.at)
        if item == _STRING:
            reader.skip_texts(count)
        else:
            reader.at += count * struct.calcsize(_SCALARS[item] if item in _SCALARS else str(_unknown(item)))


def _unknown(kind: int) -> _Scalar:
    raise ValueError(f"GGUF value type {kind}")


def _token(reader: _Reader, arrays: dict[str, tuple[int, int]], index: _Scalar | None) -> str:
    """Return the text of one token; empty when there is none."""
    count, start = arrays.get(_TOKENS, (0, 0))
    if not isinstance(index, int) or not 0 <= index < count:
        return ""
    reader.at = start
    reader.skip_texts(index)
    return reader.text()


def _check_tensors(reader: _Reader, count: int, alignment: int, path: Path, size: int) -> None:
    end = 0
    for _ in range(count):
        name = reader.text()
        elements = 1
        for _ in range(reader.integer("I")):
            elements *= reader.integer("Q")
        block, width = _BLOCKS.get(reader.integer("I"), (1, 0))
        last = reader.integer("Q") + elements // block * width
        if last > end:
            end, final = last, name
    start = -(-reader.at // alignment) * alignment
    if start + end > size:
        raise _truncated(path, f"it has {size} bytes, and its tensor {final} ends at byte {start + end}")


def _truncated(path: Path, found: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"the model file {path} is incomplete: {found}",
        path=path,
        hint="delete the file and get it again; for the default model `pyworkers models pull smollm2` does both",
    )
