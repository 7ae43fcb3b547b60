"""A reader of GBNF that speaks random texts of a grammar: the grammar as it is written, not as its writer means it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r'\s*(?:(?P<literal>"(?:[^"\\]|\\.)*")|(?P<set>\[(?:[^\]\\]|\\.)*\])|(?P<name>[a-z][a-z0-9-]*)'
    r"|(?P<repeat>\{\d+(?:,\d*)?\}|[*+?])|(?P<mark>[()|]))"
)


@dataclass
class Node:
    kind: str
    items: tuple = ()
    least: int = 1
    most: int = 1


def read(text: str) -> dict[str, Node]:
    rules = {}
    for line in text.splitlines():
        name, _, body = line.partition(" ::= ")
        assert re.fullmatch(r"[a-z][a-z0-9-]*", name), name
        tokens = []
        at = 0
        while body[at:].strip():
            found = _TOKEN.match(body, at)
            assert found, f"cannot read {body[at : at + 60]!r} of {name}"
            tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        rules[name], rest = _either(tokens)
        assert not rest, rest
    return rules


def _either(tokens):
    branches = []
    while True:
        branch, tokens = _sequence(tokens)
        branches.append(branch)
        if not tokens or tokens[0] != ("mark", "|"):
            return Node("either", tuple(branches)), tokens
        tokens = tokens[1:]


def _sequence(tokens):
    items = []
    while tokens and tokens[0] not in (("mark", "|"), ("mark", ")")):
        (kind, text), tokens = tokens[0], tokens[1:]
        if kind == "mark":
            inner, tokens = _either(tokens)
            assert tokens[:1] == [("mark", ")")], "a parenthesis is not closed"
            item, tokens = inner, tokens[1:]
        elif kind == "literal":
            item = Node("literal", (_unescape(text[1:-1]),))
        elif kind == "set":
            item = Node("set", (_set(text),))
        else:
            assert kind == "name", text
            item = Node("name", (text,))
        while tokens and tokens[0][0] == "repeat":
            item = _repeat(item, tokens[0][1])
            tokens = tokens[1:]
        items.append(item)
    return Node("sequence", tuple(items)), tokens


def _repeat(item, text):
    if text in "*+?":
        least, most = {"*": (0, 20), "+": (1, 20), "?": (0, 1)}[text]
    else:
        parts = text[1:-1].split(",")
        least = int(parts[0])
        most = int(parts[-1]) if parts[-1] else least + 20
    assert least <= most, text
    return Node("repeat", (item,), least, most)


def _unescape(text: str) -> str:
    return re.sub(
        r"\\(x[0-9A-F]{2}|u[0-9A-F]{4}|U[0-9A-F]{8}|.)",
        lambda found: (
            chr(int(found[1][1:], 16))
            if found[1][0] in "xuU" and len(found[1]) > 1
            else {"n": "\n", "r": "\r", "t": "\t"}.get(found[1], found[1])
        ),
        text,
    )


def _set(text: str) -> list[str]:
    body = text[1:-1]
    negated = body.startswith("^")
    parts = re.findall(r"\\x[0-9A-F]{2}|\\u[0-9A-F]{4}|\\U[0-9A-F]{8}|\\.|.", body[negated:])
    codes: list[tuple[int, int]] = []
    at = 0
    while at < len(parts):
        low = ord(_unescape(parts[at]))
        if at + 2 < len(parts) and parts[at + 1] == "-":
            codes.append((low, ord(_unescape(parts[at + 2]))))
            at += 3
        else:
            codes.append((low, low))
            at += 1
    if not negated:
        return [
            chr(low + step * max(1, (high - low) // 50))
            for low, high in codes
            for step in range(min(51, high - low + 1))
        ]
    alphabet = [*map(chr, range(0x20, 0x7F)), "\x00", "\n", "\x7f", "ä", "ß", "名", "🙂", "\u2028", "\ud83d"]
    return [character for character in alphabet if not any(low <= ord(character) <= high for low, high in codes)]


def speak(rules: dict[str, Node], source: random.Random, *, extreme: float = 0.3) -> str:
    """Return one text of the grammar; repetitions are often at their bounds."""
    out: list[str] = []

    def visit(node: Node) -> None:
        if node.kind == "literal":
            out.append(node.items[0])
        elif node.kind == "set":
            out.append(source.choice(node.items[0]))
        elif node.kind == "name":
            visit(rules[node.items[0]])
        elif node.kind == "either":
            visit(source.choice(node.items))
        elif node.kind == "repeat":
            count = (
                source.choice((node.least, node.most))
                if source.random() < extreme
                else source.randint(node.least, node.most)
            )
            for _ in range(count):
                visit(node.items[0])
        else:
            for item in node.items:
                visit(item)

    visit(rules["root"])
    return "".join(out)
