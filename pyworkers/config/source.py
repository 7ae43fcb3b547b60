"""A configuration file: its text, its values, and where in it each value stands."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pyworkers.config.jsonc import JsoncError, KeyPath, parse_jsonc
from pyworkers.config.tables import JsonValue
from pyworkers.config.toml_lines import toml_lines
from pyworkers.errors import ConfigError

_MAX_LISTED = 20  # keys in a hint
_TOML_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Source:
    """One file that has been read and parsed.

    Attributes:
        data: the top-level table; dates and times of TOML are still Python's.
    """

    path: Path
    text: str
    data: Mapping[str, JsonValue]

    def line_of(self, key: KeyPath) -> int | None:
        """Return the 1-based line of ``key``, else of what is first inside it, else of the table around it.

        None for an empty key, and where nothing of it is in the file.
        """
        lines = self._lines()
        for length in range(len(key), 0, -1):
            inside = [line for path, line in lines.items() if path[:length] == key[:length]]
            if inside:
                return lines.get(key[:length], min(inside))
        return None

    def error(self, message: str, key: KeyPath = (), *, hint: str | None = None) -> ConfigError:
        """Return an error that points at ``key``."""
        return ConfigError(message, file=self.path, key=dotted(key) or None, line=self.line_of(key), hint=hint)

    def unknown_key(self, key: KeyPath, known: Iterable[str]) -> ConfigError:
        """Return the error for a key that means nothing, with the nearest of ``known``."""
        *table, name = key
        place = f'"{dotted(tuple(table))}"' if table else "the top level"
        names = sorted(known)
        near = nearest(str(name), names)
        hint = f"The keys there are: {', '.join(names)}."
        if near:
            hint = f'Did you mean "{near}"?'
        elif len(names) > _MAX_LISTED:
            hint = "Remove it, or pass --allow-unknown-config."
        return self.error(f'Unexpected field found in {place}: "{name}"', key, hint=hint)

    def _lines(self) -> dict[KeyPath, int]:
        if self.path.suffix == ".toml":
            return toml_lines(self.text)
        return parse_jsonc(self.text)[1]


def read_source(path: Path) -> Source:
    """Read a TOML file, or JSON with comments, by the file's ending.

    Raises:
        ConfigError: the file is missing, a folder, not UTF-8, malformed, or no table.
    """
    text = _read_text(path)
    data = _parse_toml(path, text) if path.suffix == ".toml" else _parse_json(path, text)
    if not isinstance(data, Mapping):
        raise ConfigError(
            f"{path.name} should hold an object but holds {describe(data)}.",
            file=path,
            line=1,
            hint='Start the file with "{".',
        )
    return Source(path, text, data)


def dotted(key: KeyPath) -> str:
    """Return a key as people write it: ``services[0].binding``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar of ``names``, or the first of which ``name`` is the first word; None if there is none."""
    plain = {known.lower(): known for known in names}
    found = get_close_matches(name.lower(), list(plain), n=1, cutoff=0.6)
    found = found or [known for known in plain if known.startswith(f"{name.lower()}_")]
    return plain[found[0]] if found else None


def describe(value: object) -> str:
    """Return a short JSON-like form of a value for an error text."""
    text = json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= 80 else text[:77] + "..."


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"Could not read file: {path}: it does not exist.", file=path, hint=_similar_file(path)
        ) from None
    except IsADirectoryError:
        raise ConfigError(
            f"Could not read file: {path}: it is a folder without a wrangler file.",
            file=path,
            hint="Create wrangler.toml in it, or name the configuration file.",
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path.name} is not UTF-8: byte 0x{error.object[error.start]:02x} on line {line}.",
            file=path,
            line=line,
            hint="Save the file as UTF-8.",
        ) from None
    except OSError as error:
        raise ConfigError(f"Could not read file: {path}: {error.strerror}.", file=path) from error


def _similar_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"The folder {path.parent} does not exist either."
    near = nearest(path.name, (entry.name for entry in path.parent.iterdir() if entry.is_file()))
    return f"Did you mean {path.parent / near}?" if near else "Check the path."


def _parse_toml(path: Path, text: str) -> JsonValue:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_LINE.search(str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        message = _TOML_LINE.sub("", str(error))
        raise ConfigError(
            f"{path.name} is not valid TOML: {message}.",
            file=path,
            line=line,
            hint=_look_at(text, line),
        ) from None


def _parse_json(path: Path, text: str) -> JsonValue:
    try:
        return parse_jsonc(text)[0]
    except JsoncError as error:
        raise ConfigError(
            f"{path.name} is not valid JSON: {error}.",
            file=path,
            line=error.line,
            hint=_look_at(text, error.line),
        ) from None


def _look_at(text: str, line: int) -> str:
    lines = text.split("\n")
    excerpt = lines[line - 1].strip()[:80] if line <= len(lines) else ""
    if excerpt:
        return f"Look at line {line}: {excerpt}"
    if not text.strip():
        return "The file is empty: write the worker's configuration into it."
    return f"Line {line} is empty: look above it for what is not complete."
