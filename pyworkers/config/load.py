"""Read one worker's configuration file in one environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pyworkers.clock import Clock, SystemClock
from pyworkers.config.assets import check_assets
from pyworkers.config.bindings import binding_names, bucket_warnings, check_bindings, other_bindings
from pyworkers.config.compat import check_compat, today
from pyworkers.config.envfiles import load_secrets
from pyworkers.config.keys import USED
from pyworkers.config.model import WorkerConfig
from pyworkers.config.reader import Reader
from pyworkers.config.source import Source, dotted, nearest, read_source
from pyworkers.config.tables import DurableObjects, RateLimit, Route, Secrets, Triggers
from pyworkers.config.unsafe import unsafe_rate_limits
from pyworkers.config.values import Values, read_values
from pyworkers.config.workflows import check_workflows, workflow_warnings

# The order in which wrangler looks. Source: wrangler 4.164.0, `findWranglerConfig`
CONFIG_NAMES = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")

_NAME = re.compile(r"|[a-z0-9_][a-z0-9-_]*")
_SPECIAL = frozenset({"name", "main", "base_dir", "secrets", "durable_objects", "triggers", "route", "routes"})


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What a command says about every worker it loads.

    Attributes:
        env_files: read these in place of ``.dev.vars`` and ``.env``.
        allow_unknown: unknown keys and compatibility flags become warnings.
        needs_main: the worker is to run; False is for what only reads its bindings.
        environ: the process environment.
        clock: tells which compatibility dates are in the future.
    """

    env_files: tuple[Path, ...] = ()
    allow_unknown: bool = False
    needs_main: bool = True
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Clock = field(default_factory=SystemClock)


def find_config(folder: Path) -> Path | None:
    """Return the configuration file of ``folder`` by wrangler's precedence: json, then jsonc, then toml."""
    return next((folder / name for name in CONFIG_NAMES if (folder / name).is_file()), None)


def load_worker(path: Path, environment: str | None = None, options: LoadOptions | None = None) -> WorkerConfig:
    """Read a worker's configuration.

    Args:
        path: a wrangler file, or a folder that holds one.
        environment: its ``[env.X]`` table is put over the top level, by wrangler's rules of inheritance.

    Raises:
        ConfigError: with the file and, where there is one, the key and line.
    """
    path = path.absolute()
    options = options or LoadOptions()
    config_path = (find_config(path) or path) if path.is_dir() else path
    reader = Reader(read_source(config_path), allow_unknown=options.allow_unknown)
    values = read_values(reader, environment)
    check_bindings(reader.source, binding_names(values.found), values.places)
    reader.warnings += bucket_warnings(values.found.get("r2_buckets", ()))
    _warn_shadowed(reader)
    config = WorkerConfig(
        name=_name(reader, values),
        config_path=config_path,
        root=config_path.parent,
        main=_main(reader.source, values) if options.needs_main else None,
        environment=environment,
        environments=values.environments,
        top_level_name=values.top_level_name,
        other_bindings=other_bindings(values.found),
        **{**_plain_fields(reader.source, values), "ratelimits": _rate_limits(reader, values)},
    )
    if config.assets is not None:
        check_assets(reader.source, values, config.assets, has_main="main" in values.found)
    check_workflows(reader.source, values, config.workflows)
    reader.warnings += workflow_warnings(config.workflows)
    config = _with_secrets(reader.source, values, config, options)
    config = _with_compat(reader, values, config, options)
    return replace(config, no_effect=tuple(reader.no_effect), warnings=tuple(reader.warnings))


def _warn_shadowed(reader: Reader) -> None:
    path = reader.source.path
    others = [name for name in CONFIG_NAMES if name != path.name and (path.parent / name).is_file()]
    if path.name in CONFIG_NAMES and others:
        reader.warnings.append(f"{path.name} is read; {' and '.join(others)} beside it is not.")


def _plain_fields(source: Source, values: Values) -> dict[str, Any]:
    """Return the fields that are taken as they were read, and those that are unwrapped."""
    known = {entry.name for entry in fields(WorkerConfig)}
    found = values.found
    plain = {name: found[name] for name in USED if name in found and name in known - _SPECIAL}
    return {
        **plain,
        "required_secrets": found.get("secrets", Secrets()).required,
        "durable_objects": found.get("durable_objects", DurableObjects()).bindings,
        "crons": found.get("triggers", Triggers()).crons,
        "routes": _routes(source, values),
        "base_dir": (source.path.parent / found["base_dir"]).resolve() if "base_dir" in found else None,
    }


def _rate_limits(reader: Reader, values: Values) -> tuple[RateLimit, ...]:
    return (*values.found.get("ratelimits", ()), *unsafe_rate_limits(reader, values))


def _name(reader: Reader, values: Values) -> str:
    name = values.found.get("name")
    if name is None:
        reader.warnings.append(
            f'{reader.source.path.name} has no "name": the worker is called "worker", and cannot be deployed.'
        )
        return "worker"
    if not _NAME.fullmatch(name):
        path = values.path("name")
        better = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-") or "worker"
        raise reader.source.error(
            f'Expected "{dotted(path)}" to be of type string, alphanumeric and lowercase with dashes only '
            f'but got "{name}".',
            path,
            hint=f'Name it "{better}".',
        )
    return str(name)


def _main(source: Source, values: Values) -> Path | None:
    main = values.found.get("main")
    if main is None:
        if "assets" in values.found:
            return None
        raise source.error(
            "Missing entry-point to Worker script or to assets directory.",
            hint='Add main = "src/entry.py", or [assets] with a directory.',
        )
    path = (source.path.parent / main).resolve()
    if path.is_file():
        return path
    found = "is a folder" if path.is_dir() else "was not found"
    raise source.error(
        f'The entry-point file at "{main}" {found}.',
        values.path("main"),
        hint=_nearest_module(path, source.path.parent),
    )


def _nearest_module(missing: Path, root: Path) -> str:
    """Return a hint that names the most similar Python file where entry modules are kept."""
    folders = [missing if missing.is_dir() else missing.parent, root, root / "src"]
    files = {file.name: file for folder in reversed(folders) for file in sorted(folder.glob("*.py"))}
    name = nearest(missing.name, files) or next(iter(files), None)
    if name is None:
        return "Create the file, or correct `main`."
    file = files[name]
    return f'Did you mean "{file.relative_to(root) if file.is_relative_to(root) else file}"?'


def _routes(source: Source, values: Values) -> tuple[Route, ...]:
    found = values.found
    if "route" in found and "routes" in found:
        raise source.error(
            'Expected exactly one of the following fields ["routes","route"].',
            values.path("route"),
            hint="Move the route into routes.",
        )
    routes = found.get("routes", (found["route"],) if found.get("route") else ())
    return tuple(Route(pattern=route) if isinstance(route, str) else route for route in routes)


def _with_secrets(source: Source, values: Values, config: WorkerConfig, options: LoadOptions) -> WorkerConfig:
    declared = "secrets" in values.found
    secrets = load_secrets(
        config.root,
        config.environment,
        declared=declared,
        env_files=options.env_files,
        environ=options.environ,
    )
    if not declared:
        return replace(config, secrets=secrets)
    missing = [name for name in config.required_secrets if name not in secrets]
    if missing and options.needs_main:
        raise source.error(
            f"Missing required secrets: {', '.join(missing)}.",
            values.path("secrets", "required"),
            hint="Add them to .dev.vars, .env, or set as environment variables.",
        )
    # With `secrets`, wrangler loads what is declared and nothing else of the files.
    wanted = {*config.required_secrets, *config.vars}
    return replace(config, secrets={name: secret for name, secret in secrets.items() if name in wanted})


def _with_compat(reader: Reader, values: Values, config: WorkerConfig, options: LoadOptions) -> WorkerConfig:
    is_python = config.main is not None and config.main.suffix == ".py"
    if is_python and "python_workers" not in config.compatibility_flags:
        reader.warnings.append("The `python_workers` compatibility flag is required to use Python.")
    if not config.compatibility_date:
        date = today(options.clock)
        reader.warnings.append(f"No compatibility_date was specified. Using the default compatibility date: {date}.")
        config = replace(config, compatibility_date=date)
    flags = config.compatibility_flags
    for problem in check_compat(config.compatibility_date, flags, clock=options.clock):
        if problem.kind == "redundant" or (problem.kind == "unknown" and options.allow_unknown):
            reader.warnings.append(problem.message)
        elif problem.flag is None:
            hint = "Write a past date as yyyy-mm-dd, in double quotes."
            raise reader.source.error(problem.message, values.path("compatibility_date"), hint=hint)
        else:
            hint = f'Did you mean "{problem.nearest}"?' if problem.nearest else f'Remove "{problem.flag}".'
            path = values.path("compatibility_flags", flags.index(problem.flag))
            raise reader.source.error(problem.message, path, hint=hint)
    return config
