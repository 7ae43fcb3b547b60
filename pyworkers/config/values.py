"""The checked values of a wrangler file in one environment, by wrangler's rules of inheritance.

Source: wrangler 4.164.0, workers-utils/src/config/validation.ts and validation-helpers.ts
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyworkers.config.bindings import binding_names
from pyworkers.config.jsonc import KeyPath
from pyworkers.config.keys import KEYS, REMOVED
from pyworkers.config.model import NoEffect
from pyworkers.config.reader import Reader
from pyworkers.config.source import Source, nearest

_ROUTES = frozenset({"route", "routes"})


@dataclass(frozen=True, slots=True)
class Values:
    """What a file says for one environment.

    Attributes:
        found: the value of each key that is there, as `pyworkers.config.keys` says it is read.
        places: the path of the table that each key was taken from, () for the top level.
        environments: the names of the file's environments.
    """

    found: dict[str, Any]
    places: dict[str, KeyPath]
    environments: tuple[str, ...]
    top_level_name: str | None = None

    def path(self, name: str, *rest: str | int) -> KeyPath:
        """Return the path of a key in the file, for an error."""
        return (*self.places.get(name, ()), name, *rest)


@dataclass(slots=True)
class _Layer:
    found: dict[str, Any] = field(default_factory=dict)
    places: dict[str, KeyPath] = field(default_factory=dict)


def read_values(reader: Reader, environment: str | None) -> Values:
    """Return the values of the top level, or those of an environment put over it.

    What an environment loses by non-inheritance goes to ``reader.warnings``, in wrangler's words.

    Raises:
        ConfigError: a value is wrong, a key unknown, or the environment not among those of the file.
    """
    environments = _environments(reader)
    top = _read_layer(reader, reader.source.data, ())
    chosen = top
    if environment is not None and environment in environments:
        own = _read_layer(reader, environments[environment], ("env", environment))
        reader.warnings += [text for name in top.found for text in _losses(name, top, own, environment)]
        chosen = _inherit(top, own)
    elif environment is not None:
        _check_unknown_environment(reader, environment, list(environments))
    top_name = top.found.get("name")
    if environment is not None and top_name is not None and not chosen.places["name"]:
        chosen.found["name"] = f"{top_name}-{environment}"
    _note_idle_keys(reader, chosen.found)
    return Values(chosen.found, chosen.places, tuple(environments), top_name)


def worker_names(source: Source) -> dict[str | None, str]:
    """Return the deployed name of a worker at the top level (None) and in each environment of its file.

    Values of a wrong type are passed over; loading the worker reports them.
    """
    top = source.data.get("name")
    names: dict[str | None, str] = {None: top} if isinstance(top, str) else {}
    environments = source.data.get("env")
    for environment, table in environments.items() if isinstance(environments, Mapping) else ():
        own = table.get("name") if isinstance(table, Mapping) else None
        if isinstance(own, str):
            names[environment] = own
        elif isinstance(top, str):
            names[environment] = f"{top}-{environment}"
    return names


def _environments(reader: Reader) -> Mapping[str, Mapping[str, object]]:
    return reader.read(dict[str, Mapping[str, object]], reader.source.data.get("env", {}), ("env",))


def _read_layer(reader: Reader, table: Mapping[str, object], place: KeyPath) -> _Layer:
    """Read the top level or one environment; null counts as absent."""
    layer = _Layer()
    known = [name for name, key in KEYS.items() if not place or key.scope != "top"]
    for name, value in table.items():
        path = (*place, name)
        if name == "env" and not place:
            continue
        if name in REMOVED:
            raise reader.source.error(REMOVED[name], path, hint=f'Remove "{name}".')
        if name not in known:
            reader.unknown(path, known if place else [*known, "env"])
        elif value is not None:
            layer.found[name] = _read_key(reader, name, value, path)
            layer.places[name] = place
    return layer


def _read_key(reader: Reader, name: str, value: object, path: KeyPath) -> Any:
    key = KEYS[name]
    read: Any = reader.read(key.kind, value, path)
    for at, table in _tables(read, path) if key.known else ():
        for entry in table:
            if entry not in key.known:
                reader.unknown((*at, entry), key.known)
        if key.binding is not None:
            reader.require_string(table, key.binding, at)
    return read


def _tables(read: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Mapping[str, object]]]:
    if isinstance(read, tuple):
        yield from (((*path, index), table) for index, table in enumerate(read))
    else:
        yield path, read


def _inherit(top: _Layer, own: _Layer) -> _Layer:
    merged = _Layer(dict(own.found), dict(own.places))
    for name, value in top.found.items():
        # `route` and `routes` are two spellings of one thing.
        is_replaced = name in own.found or (name in _ROUTES and not _ROUTES.isdisjoint(own.found))
        if KEYS[name].scope != "own" and not is_replaced:
            merged.found[name] = value
            merged.places[name] = ()
    return merged


def _losses(name: str, top: _Layer, own: _Layer, environment: str) -> Iterator[str]:
    """Yield a warning for each thing that the environment loses of one top-level key."""
    if KEYS[name].scope != "own":
        return
    place = f"env.{environment}"
    if name not in own.found:
        yield (
            f'"{name}" exists at the top level, but not on "{place}".\n'
            f'This is not what you probably want, since "{name}" is not inherited by environments.\n'
            f'Please add "{name}" to "{place}".'
        )
        return
    kept = binding_names(own.found)[name]
    lost = [entry for entry in binding_names(top.found)[name] if entry not in kept]
    if name == "vars" and lost:
        yield (
            f'The following vars exist at the top level, but not on "{place}.vars".\n'
            'This is probably not what you want, since "vars" configuration is not inherited by environments.\n'
            f'Please add these vars to "{place}.vars":\n' + "\n".join(f"- {entry}" for entry in lost)
        )
    elif isinstance(top.found[name], tuple):
        for entry in lost:
            yield (
                f'There is a {name} binding with name "{entry}" at the top level, but not on "{place}".\n'
                f'This is not what you probably want, since "{name}" configuration is not inherited by '
                f'environments.\nPlease add a binding for "{entry}" to "{place}.{name}.bindings".'
            )


def _check_unknown_environment(reader: Reader, name: str, environments: list[str]) -> None:
    """Raise if the file has other environments; wrangler only warns if it has none."""
    message = (
        f'No environment found in configuration with name "{name}".\n'
        f"Before using `--env={name}` there should be an equivalent environment section in the configuration."
    )
    if not environments:
        reader.warnings.append(message)
        return
    names = ",".join(f'"{known}"' for known in environments)
    near = nearest(name, environments)
    raise reader.source.error(
        f"{message}\nThe available configured environment names are: [{names}]",
        ("env",),
        hint=f'Did you mean "{near}"?' if near else f"Add [env.{name}] to {reader.source.path.name}.",
    )


def _note_idle_keys(reader: Reader, found: Mapping[str, object]) -> None:
    for name in found:
        note = KEYS[name].note
        if note is not None:
            reader.no_effect.append(NoEffect(name, note))
