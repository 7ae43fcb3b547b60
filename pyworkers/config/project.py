"""Find the workers that one command runs: those it is told, and all that they bind to.

A worker is looked for by the name a binding uses, first among the workers that are loaded, then in the folders of
``[tool.pyworkers] workers`` or, without it, in the folders beside the primary worker's.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyworkers.clock import Clock, SystemClock
from pyworkers.config.load import CONFIG_NAMES, LoadOptions, find_config, load_worker
from pyworkers.config.model import MissingService, Project, ToolConfig, WorkerConfig
from pyworkers.config.source import Source, nearest, read_source
from pyworkers.config.tools import find_tool_config
from pyworkers.config.values import worker_names
from pyworkers.errors import ConfigError


def load_project(
    folder: Path,
    configs: Sequence[Path] = (),
    *,
    environment: str | None = None,
    env_files: Sequence[Path] = (),
    allow_unknown: bool = False,
    needs_main: bool = True,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Project:
    """Load the workers that a command run in ``folder`` means.

    Args:
        configs: wrangler files or their folders, relative to ``folder``, the primary worker's first; () takes the
            nearest in ``folder`` or above it, as wrangler does.
        environment: applies to every worker that defines it, and must exist in the primary one if that has any;
            None takes ``CLOUDFLARE_ENV``, "" the top level.
        env_files: read these, relative to each configuration file, in place of ``.dev.vars`` and ``.env``.
        allow_unknown: unknown keys are warnings.
        needs_main: the workers are to run; False is for what only reads their bindings.
        environ: the process environment; None takes ``os.environ``.

    Raises:
        ConfigError: a file is missing or wrong, or two workers have one name.
    """
    folder = folder.absolute()
    environ = dict(os.environ) if environ is None else environ
    environment = environ.get("CLOUDFLARE_ENV") if environment is None else environment
    options = LoadOptions(tuple(env_files), allow_unknown, needs_main, environ, clock or SystemClock())
    paths = [_config_path(folder / path) for path in configs] or [_nearest_config(folder)]
    tools, tools_path = find_tool_config(paths[0].parent)
    root = tools_path.parent if tools_path else paths[0].parent
    search = _Search(_candidate_paths(tools, root, paths[0]), environment or None, options)
    search.load_all(paths)
    _check_env_files(env_files, search.workers)
    return Project(
        root=root,
        workers=tuple(search.workers),
        environment=environment or None,
        tools=tools,
        tools_path=tools_path,
        aliases=search.aliases,
        missing=tuple(search.missing),
        warnings=tuple(search.warnings),
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A configuration that may be needed: its deployed names by environment, and the queues it consumes."""

    path: Path
    names: Mapping[str | None, str]
    queues: frozenset[str]


class _Search:
    def __init__(self, paths: Sequence[Path], environment: str | None, options: LoadOptions) -> None:
        self.environment = environment
        self.options = options
        self.workers: list[WorkerConfig] = []
        self.aliases: dict[str, str] = {}
        self.missing: list[MissingService] = []
        self.warnings: list[str] = []
        self._paths = paths
        self._candidates: list[_Candidate] | None = None
        self._unreadable: list[str] = []

    def load_all(self, paths: Sequence[Path]) -> None:
        """Load ``paths``, the first one primary, then whatever they bind to."""
        for index, path in enumerate(dict.fromkeys(paths)):
            defines = index == 0 or self.environment in worker_names(read_source(path))
            self._load(path, self.environment if defines else None)
        without_consumer: list[str] = []
        # The list grows while it is walked: what a worker brings in is looked at in its turn.
        for worker in self.workers:
            for binding, name in _targets(worker):
                if self._find(name) is None:
                    near = nearest(name, self._known_names())
                    self.missing.append(MissingService(worker.name, binding, name, near))
            without_consumer += [queue for queue in _queues(worker) if not self._find_consumer(queue)]
        if self.missing or without_consumer:
            # One of these may be what was looked for; where everything was found, they are nobody's business.
            self.warnings += self._unreadable

    def _find(self, name: str) -> WorkerConfig | None:
        """Return the worker a binding means by ``name``; it is loaded if need be."""
        loaded = {worker.name: worker for worker in self.workers}
        by_top_name = {worker.top_level_name: worker for worker in reversed(self.workers)}
        worker = loaded.get(name) or by_top_name.get(name) or self._load_by_name(name)
        if worker is not None and worker.name != name:
            self.aliases[name] = worker.name
        return worker

    def _load_by_name(self, name: str) -> WorkerConfig | None:
        """Load the candidate with that name: in the project's environment, at the top level, then in any other."""
        for pick in (self._name_here, _top_name):
            found = [candidate for candidate in self._all_candidates() if pick(candidate) == name]
            if found:
                _check_one(name, [candidate.path for candidate in found])
                return self._load(found[0].path, self._environment_for(found[0]))
        for candidate in self._all_candidates():
            for environment, other in candidate.names.items():
                if other == name:
                    return self._load(candidate.path, environment)
        return None

    def _find_consumer(self, queue: str) -> bool:
        """Tell whether a worker consumes the queue; it is loaded if need be."""
        if any(consumer.queue == queue for worker in self.workers for consumer in worker.queues.consumers):
            return True
        loaded = {worker.config_path for worker in self.workers}
        for candidate in self._all_candidates():
            if queue in candidate.queues and candidate.path not in loaded:
                self._load(candidate.path, self._environment_for(candidate))
                return True
        return False

    def _load(self, path: Path, environment: str | None) -> WorkerConfig:
        worker = load_worker(path, environment, self.options)
        same = [other for other in self.workers if other.name == worker.name]
        _check_one(worker.name, [*(other.config_path for other in same), worker.config_path])
        self.workers.append(worker)
        return worker

    def _environment_for(self, candidate: _Candidate) -> str | None:
        return self.environment if self.environment in candidate.names else None

    def _name_here(self, candidate: _Candidate) -> str | None:
        return candidate.names.get(self._environment_for(candidate))

    def _known_names(self) -> list[str]:
        names = [worker.name for worker in self.workers]
        return names + [name for candidate in self._all_candidates() for name in candidate.names.values()]

    def _all_candidates(self) -> list[_Candidate]:
        if self._candidates is None:
            loaded = {worker.config_path for worker in self.workers}
            paths = [path for path in self._paths if path not in loaded]
            self._candidates = [found for path in paths if (found := self._peek(path)) is not None]
        return self._candidates

    def _peek(self, path: Path) -> _Candidate | None:
        try:
            source = read_source(path)
        except ConfigError as error:
            self._unreadable.append(f"{path} is passed over: {error.message}")
            return None
        return _Candidate(path, worker_names(source), _consumed(source))


def _config_path(path: Path) -> Path:
    """Return the configuration file that a ``--config`` argument means; a missing one is reported on reading."""
    path = Path(os.path.normpath(path))
    return (find_config(path) or path) if path.is_dir() else path


def _nearest_config(folder: Path) -> Path:
    for place in (folder, *folder.parents):
        path = find_config(place)
        if path is not None:
            return path
    tools, tools_path = find_tool_config(folder)
    root = tools_path.parent if tools_path else folder
    globs = tools.workers or ("*", "workers/*")
    found = [Path(os.path.relpath(path, root)).as_posix() for path in _expand(globs, root)]
    hint = f"Choose one: -c {' or -c '.join(found)}" if found else "Create wrangler.toml, or name a file with -c."
    names = ", ".join(reversed(CONFIG_NAMES))
    raise ConfigError(f"No {names} found in {folder} or above.", file=folder, hint=hint)


def _candidate_paths(tools: ToolConfig, root: Path, primary: Path) -> list[Path]:
    if tools.workers:
        return list(_expand(tools.workers, root))
    return list(_expand(("*",), primary.parent.parent))


def _expand(globs: Sequence[str], root: Path) -> Iterator[Path]:
    """Yield the configuration files that globs of folders, or of files, lead to, each once."""
    seen = set()
    for pattern in globs:
        found = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207  # that one refuses "." and "/x/*"
        for match in sorted(Path(os.path.normpath(root / name)) for name in found):
            path = find_config(match) if match.is_dir() else match
            if path is not None and path not in seen and (match.is_dir() or path.name.startswith("wrangler.")):
                seen.add(path)
                yield path


def _targets(worker: WorkerConfig) -> Iterator[tuple[str, str]]:
    """Yield each binding to a worker and the deployed name of that worker."""
    for service in worker.services:
        yield service.binding, _deployed(service.service, service.environment)
    for namespace in worker.durable_objects:
        if namespace.script_name is not None:
            yield namespace.name, _deployed(namespace.script_name, namespace.environment)
    for workflow in worker.workflows:
        if workflow.script_name is not None:
            yield workflow.binding, workflow.script_name
    for index, consumer in enumerate(worker.tail_consumers):
        yield f"tail_consumers[{index}]", _deployed(consumer.service, consumer.environment)


def _deployed(service: str, environment: str | None) -> str:
    return f"{service}-{environment}" if environment else service


def _queues(worker: WorkerConfig) -> Iterator[str]:
    """Yield the queues whose messages somebody should consume."""
    for producer in worker.queues.producers:
        yield producer.queue
    for consumer in worker.queues.consumers:
        if consumer.dead_letter_queue is not None:
            yield consumer.dead_letter_queue


def _consumed(source: Source) -> frozenset[str]:
    """Return the queues a file consumes, in any environment; values of a wrong type are passed over."""
    environments = source.data.get("env")
    tables = [source.data, *(environments.values() if isinstance(environments, Mapping) else ())]
    found = set()
    for table in tables:
        queues = table.get("queues") if isinstance(table, Mapping) else None
        consumers = queues.get("consumers") if isinstance(queues, Mapping) else None
        for consumer in consumers if isinstance(consumers, list) else ():
            if isinstance(consumer, Mapping) and isinstance(consumer.get("queue"), str):
                found.add(str(consumer["queue"]))
    return frozenset(found)


def _top_name(candidate: _Candidate) -> str | None:
    return candidate.names.get(None)


def _check_one(name: str, paths: Sequence[Path]) -> None:
    if len(paths) > 1:
        raise ConfigError(
            f'Two workers are named "{name}": {paths[0]} and {paths[1]}.',
            file=paths[1],
            key="name",
            line=read_source(paths[1]).line_of(("name",)),
            hint="Give one of them another name.",
        )


def _check_env_files(env_files: Sequence[Path], workers: Sequence[WorkerConfig]) -> None:
    for file in env_files:
        if not any((worker.root / file).is_file() for worker in workers):
            path = workers[0].root / file
            raise ConfigError(f"The env file {path} does not exist.", file=path, hint="Check --env-file.")
