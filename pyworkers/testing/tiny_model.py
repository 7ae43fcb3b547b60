"""Writes a real language model of 850 KB in a few hundredths of a second, for tests.

It is a bigram model in the clothes of a one-layer llama: embeddings are one-hot, attention and feed-forward are zeroed,
and the output matrix is the logarithm of the bigram table of CORPUS. llama.cpp runs it like any model: it streams, it
stops by itself, it keeps to grammars. Greedy, it answers every chat with ANSWER; with a temperature it babbles.
"""

from __future__ import annotations

import math
import random
import re
import struct
from collections import Counter
from itertools import pairwise
from pathlib import Path

__all__ = ["ANSWER", "CORPUS", "TINY_CONTEXT_TOKENS", "write_tiny_model"]

ANSWER = "Hello! I am happy to the user."
CORPUS = (
    "Hello! I am a tiny local model used to test pyworkers. Workers run close to the user. "
    "A worker handles a request and returns a response. The cache stores a response for the user. "
    "The queue sends a message to the worker. The database returns a row for the request. "
    "I am happy to help. The model returns a response to the user. "
)
TINY_CONTEXT_TOKENS = 2048
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_MERGES = 120
_HEAD, _FEED_FORWARD = 32, 64
_WORDS = re.compile(r" ?[A-Za-z]+| ?\d+| ?[^\sA-Za-z\d]+|\s+")
_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _INT32 = 4, 6, 7, 8, 9, 5
_F32, _F16 = 0, 1
_ALIGNMENT = 32
_STEADY = 500.0  # so much likelier, in logits, is the likeliest token of a steady model


def write_tiny_model(path: Path, *, random_weights: bool = False, seed: int = 0, is_steady: bool = False) -> Path:
    """Write the model to ``path`` and return it; the same bytes every time.

    Args:
        random_weights: write output weights that know nothing, to test what holds whatever a model says.
        seed: for those weights.
        is_steady: answer every chat with ANSWER at every temperature, for tests that do not choose one.
    """
    tokens, merges = _vocabulary()
    size = len(tokens)
    head = _random_head(size, seed) if random_weights else _bigram_head(tokens, merges, is_steady=is_steady)
    tensors = _tensors(size, head)
    path.write_bytes(_gguf(_metadata(tokens, merges), tensors))
    return path


# -- tokenizer: byte-level BPE, learnt from the corpus ------------------------------------------------


def _byte_symbols() -> list[str]:
    """Return GPT-2's printable stand-in for each byte."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    other = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(other)) for byte in range(256)]


def _vocabulary() -> tuple[list[str], list[tuple[str, str]]]:
    symbols = _byte_symbols()
    words = Counter(tuple(symbols[byte] for byte in word.encode()) for word in _WORDS.findall(CORPUS))
    merges: list[tuple[str, str]] = []
    for _ in range(_MERGES):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        if not pairs:
            break
        best = pairs.most_common(1)[0][0]
        merges.append(best)
        words = Counter({_merge(word, best): count for word, count in words.items()})
    tokens = list(dict.fromkeys([*symbols, *(a + b for a, b in merges)]))
    tokens += ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens += [f"<|unused{index}|>" for index in range(len(tokens), -(-len(tokens) // 32) * 32)]
    return tokens, merges


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for symbol in word:
        if out and (out[-1], symbol) == pair:
            out[-1] += symbol
        else:
            out.append(symbol)
    return tuple(out)


def _encode(text: str, merges: list[tuple[str, str]]) -> list[str]:
    symbols = _byte_symbols()
    out: list[str] = []
    for word in _WORDS.findall(text):
        parts = tuple(symbols[byte] for byte in word.encode())
        for pair in merges:
            parts = _merge(parts, pair)
        out += parts
    return out


# -- weights ----------------------------------------------------------------------------------------


def _bigram_head(tokens: list[str], merges: list[tuple[str, str]], *, is_steady: bool) -> list[float]:
    """Return the output matrix, row-major (next token, this token): log P(next | this) / sqrt(width).

    The last normalisation makes a one-hot of width V into sqrt(V) at its place, hence the division.
    """
    size = len(tokens)
    index = {token: place for place, token in enumerate(tokens)}
    symbols, end = _byte_symbols(), index["<|im_end|>"]
    counts = [[1e-4] * size for _ in range(size)]
    spoken = [index[token] for token in _encode(CORPUS, merges)]
    for this, following in pairwise(spoken):
        counts[this][following] += 1
    counts[index["."]][end] += 9  # a sentence ends the answer
    newline = index[symbols[10]]
    counts[newline][index[_encode("Hello", merges)[0]]] += 5
    columns = []
    noise = random.Random(7)
    for row in counts:
        jittered = [count * (1 + 0.01 * noise.random()) for count in row]  # no ties: every engine chooses alike
        total = math.log(sum(jittered))
        logits = [math.log(count) - total for count in jittered]
        if is_steady:
            logits[logits.index(max(logits))] += _STEADY
        columns.append([logit / math.sqrt(size) for logit in logits])
    return [column[row] for row in range(size) for column in columns]


def _random_head(size: int, seed: int) -> list[float]:
    source = random.Random(seed)
    return [source.gauss(0, 0.08) for _ in range(size * size)]


def _tensors(size: int, head: list[float]) -> list[tuple[str, tuple[int, ...], int, bytes]]:
    """Return (name, GGUF dimensions, ggml type, bytes) of each tensor."""
    identity = bytearray(2 * size * size)
    for place in range(size):
        struct.pack_into("<e", identity, 2 * (place * size + place), 1.0)
    ones = struct.pack(f"<{size}f", *[1.0] * size)
    tensors = [
        ("token_embd.weight", (size, size), _F16, bytes(identity)),
        ("output_norm.weight", (size,), _F32, ones),
        ("output.weight", (size, size), _F16, struct.pack(f"<{size * size}e", *head)),
        ("blk.0.attn_norm.weight", (size,), _F32, ones),
        ("blk.0.ffn_norm.weight", (size,), _F32, ones),
    ]
    for name, dimensions in (
        ("attn_q", (size, _HEAD)),
        ("attn_k", (size, _HEAD)),
        ("attn_v", (size, _HEAD)),
        ("attn_output", (_HEAD, size)),
        ("ffn_gate", (size, _FEED_FORWARD)),
        ("ffn_up", (size, _FEED_FORWARD)),
        ("ffn_down", (_FEED_FORWARD, size)),
    ):
        tensors.append((f"blk.0.{name}.weight", dimensions, _F16, bytes(2 * dimensions[0] * dimensions[1])))
    return tensors


# -- file format ------------------------------------------------------------------------------------


def _metadata(tokens: list[str], merges: list[tuple[str, str]]) -> list[bytes]:
    size, begin = len(tokens), tokens.index("<|endoftext|>")
    kinds = [1] * begin + [3] * 3 + [5] * (size - begin - 3)  # normal, control, unused
    numbers = {
        "llama.context_length": TINY_CONTEXT_TOKENS,
        "llama.embedding_length": size,
        "llama.block_count": 1,
        "llama.feed_forward_length": _FEED_FORWARD,
        "llama.attention.head_count": 1,
        "llama.attention.head_count_kv": 1,
        "llama.attention.key_length": _HEAD,
        "llama.attention.value_length": _HEAD,
        "llama.rope.dimension_count": _HEAD,
        "llama.vocab_size": size,
        "general.file_type": 1,
        "tokenizer.ggml.bos_token_id": begin,
        "tokenizer.ggml.eos_token_id": begin + 2,
    }
    texts = {
        "general.name": "pyworkers-tiny",
        "general.license": "CC0-1.0",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.chat_template": TEMPLATE,
    }
    pair = _pair
    return [
        pair("general.architecture", _STRING, _text("llama")),
        *(pair(key, _UINT32, struct.pack("<I", value)) for key, value in numbers.items()),
        *(pair(key, _STRING, _text(value)) for key, value in texts.items()),
        pair("llama.attention.layer_norm_rms_epsilon", _FLOAT32, struct.pack("<f", 1e-5)),
        pair("tokenizer.ggml.add_bos_token", _BOOL, b"\x00"),
        pair("tokenizer.ggml.tokens", _ARRAY, _array(_STRING, [_text(token) for token in tokens])),
        pair("tokenizer.ggml.token_type", _ARRAY, _array(_INT32, [struct.pack("<i", kind) for kind in kinds])),
        pair("tokenizer.ggml.merges", _ARRAY, _array(_STRING, [_text(f"{a} {b}") for a, b in merges])),
    ]


def _gguf(pairs: list[bytes], tensors: list[tuple[str, tuple[int, ...], int, bytes]]) -> bytes:
    header = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs))
    body = bytearray()
    for name, dimensions, kind, data in tensors:
        header += _text(name) + struct.pack("<I", len(dimensions))
        header += struct.pack(f"<{len(dimensions)}Q", *dimensions) + struct.pack("<IQ", kind, len(body))
        body += data + bytes(-len(data) % _ALIGNMENT)
    return bytes(header) + bytes(-len(header) % _ALIGNMENT) + bytes(body)


def _pair(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _array(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)
