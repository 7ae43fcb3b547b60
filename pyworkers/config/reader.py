"""Check the values of a file against types, and build the dataclasses of `pyworkers.config.model` from them.

Source: wording of the messages, wrangler 4.164.0, workers-utils/src/config/validation-helpers.ts
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pyworkers.config.jsonc import KeyPath
from pyworkers.config.model import NoEffect
from pyworkers.config.source import Source, describe, dotted
from pyworkers.errors import ConfigError

T = TypeVar("T")

_NAMES = {str: "string", bool: "boolean", int: "number", float: "number"}


class Reader:
    """Reads one file; gathers what is worth a line at start but is no error.

    Args:
        allow_unknown: an unknown key becomes a warning.
    """

    def __init__(self, source: Source, *, allow_unknown: bool = False) -> None:
        self.source = source
        self.allow_unknown = allow_unknown
        self.no_effect: list[NoEffect] = []
        self.warnings: list[str] = []

    def read(self, kind: type[T], value: object, key: KeyPath) -> T:
        """Return ``value`` as ``kind``: a plain type, Literal, union, tuple, Mapping, or a dataclass.

        ``object`` stands for any JSON value.

        Raises:
            ConfigError: the value is of another type, or a key of a table is unknown or missing.
        """
        return cast(T, self._read(kind, value, key))

    def unknown(self, key: KeyPath, known: Sequence[str]) -> None:
        """Report a key that means nothing.

        Raises:
            ConfigError: unless unknown keys are allowed.
        """
        error = self.source.unknown_key(key, known)
        if not self.allow_unknown:
            raise error
        self.warnings.append(f"{self.source.path.name}:{error.line}: {error.message}; {error.next_step}")

    def require_string(self, table: Mapping[str, object], name: str, key: KeyPath) -> None:
        """Check that ``table``, which stands at ``key``, has a string ``name``.

        Raises:
            ConfigError: it has none, or another type.
        """
        if name not in table:
            raise self._missing(name, key)
        self._read(str, table[name], (*key, name))

    def _read(self, kind: object, value: object, key: KeyPath) -> object:
        origin = get_origin(kind)
        if kind is object:
            return self._json(value, key)
        if origin in (Union, UnionType):
            return self._union(get_args(kind), value, key)
        if origin is Literal:
            return self._choice(get_args(kind), value, key)
        if origin is tuple:
            return self._items(get_args(kind)[0], value, key)
        if dataclasses.is_dataclass(kind):
            return self._record(cast(type, kind), value, key)
        if not _fits(kind, value):
            raise self._wrong_type([kind], value, key)
        if origin is not None:
            item = get_args(kind)[1]
            table = cast(Mapping[str, object], value)
            return {name: self._read(item, entry, (*key, name)) for name, entry in table.items()}
        return int(cast(float, value)) if kind is int else value

    def _union(self, kinds: tuple[object, ...], value: object, key: KeyPath) -> object:
        for kind in kinds:
            if _fits(kind, value):
                return value if kind is NoneType else self._read(kind, value, key)
        wanted = [kind for kind in kinds if kind is not NoneType]
        if len(wanted) == 1:
            return self._read(wanted[0], value, key)
        raise self._wrong_type(wanted, value, key)

    def _choice(self, choices: tuple[object, ...], value: object, key: KeyPath) -> object:
        if value in choices and not isinstance(value, bool):
            return value
        raise self.source.error(
            f'Expected "{dotted(key)}" field to be one of {describe(list(choices))} but got {describe(value)}.',
            key,
            hint=f"Use one of: {', '.join(map(str, choices))}.",
        )

    def _items(self, kind: object, value: object, key: KeyPath) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise self._wrong_type([tuple], value, key)
        return tuple(self._read(kind, item, (*key, index)) for index, item in enumerate(value))

    def _record(self, kind: type, value: object, key: KeyPath) -> object:
        if not isinstance(value, Mapping):
            raise self._wrong_type([dict], value, key)
        fields = {spelling(field): field for field in dataclasses.fields(kind)}
        for name in value:
            if name not in fields:
                self.unknown((*key, name), list(fields))
        hints = _hints(kind)
        found = {}
        for name, field in fields.items():
            if name in value:
                found[field.name] = self._read(hints[field.name], value[name], (*key, name))
                self._note(field, found[field.name], (*key, name))
            elif _is_required(field):
                raise self._missing(name, key)
        return kind(**found)

    def _note(self, field: dataclasses.Field[object], value: object, key: KeyPath) -> None:
        note = field.metadata.get("no_effect")
        if note is not None and value != field.default:
            self.no_effect.append(NoEffect(dotted(key), note))

    def _json(self, value: object, key: KeyPath) -> object:
        if isinstance(value, Mapping):
            return {name: self._json(entry, (*key, name)) for name, entry in value.items()}
        if isinstance(value, list):
            return [self._json(item, (*key, index)) for index, item in enumerate(value)]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise self.source.error(
            f'The field "{dotted(key)}" is a TOML date, which is not supported. '
            f'Please use a string instead, e.g. {key[-1]} = "{value}".',
            key,
            hint="Put the value in double quotes.",
        )

    def _missing(self, name: str, key: KeyPath) -> ConfigError:
        message = f'"{dotted((*key, name))}" is a required field.'
        return self.source.error(message, key, hint=f'Add "{name}" here.')

    def _wrong_type(self, kinds: list[object], value: object, key: KeyPath) -> ConfigError:
        name = " or ".join(dict.fromkeys(_type_name(kind) for kind in kinds))
        article = "an" if name[0] in "ao" else "a"
        hint = f"Give {article} {name}" + (", in double quotes." if kinds == [str] else ".")
        message = f'Expected "{dotted(key)}" to be of type {name} but got {describe(value)}.'
        return self.source.error(message, key, hint=hint)


def spelling(field: dataclasses.Field[object]) -> str:
    """Return the key by which a file spells a dataclass field."""
    return str(field.metadata.get("key", field.name))


@cache
def _hints(kind: type) -> dict[str, object]:
    # Any JSON value is `object` here: the alias is recursive, and resolving it would not end.
    return get_type_hints(kind, localns={"JsonValue": object})


def _is_required(field: dataclasses.Field[object]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _fits(kind: object, value: object) -> bool:
    """Return whether ``value`` is of the outer type of ``kind``."""
    origin = get_origin(kind) or kind
    if origin is bool:
        return isinstance(value, bool)
    if origin is int:
        return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin is str:
        return isinstance(value, str)
    if origin is NoneType:
        return value is None
    if origin is tuple:
        return isinstance(value, list)
    if origin is Literal:
        return value in get_args(kind)
    return isinstance(value, Mapping)


def _type_name(kind: object) -> str:
    origin = get_origin(kind) or kind
    if origin is tuple:
        return "array"
    if origin is Literal:
        return _type_name(type(get_args(kind)[0]))
    return _NAMES.get(cast(type, origin), "object")
