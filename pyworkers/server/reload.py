"""Watches the project's files and replaces the isolates that a change concerns, in place.

Only folders that hold a worker's code or configuration are watched, none of them below a folder of installed packages.
In them modules, configuration and env files count, and nothing else: what a worker writes, or what
``pyworkers dev > log.txt`` prints, must not reload it. ``build.watch_dir`` names folders in which every file counts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from pyworkers.config.model import Project, WorkerConfig
from pyworkers.errors import PyworkersError, WorkerLoadError
from pyworkers.runtime.handlers import describe_flaws
from pyworkers.server.errors import describe_load_error
from pyworkers.server.terminal import Output

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

    from pyworkers.runtime.runtime import Runtime

IGNORED_FOLDERS: Final = frozenset(
    {"__pycache__", "build", "dist", "node_modules", "python_modules", "venv"}  # and those that start with a dot
)
CODE_SUFFIXES: Final = frozenset((".py", ".so"))
MAX_FOLDERS: Final = 2_000
_log = logging.getLogger("pyworkers.server")

# Measured: a change is seen after 16 ms; the watcher's defaults need 53 ms.
_STEP_MS: Final = 10
_DEBOUNCE_MS: Final = 50


class Reloader:
    """Reloads what changes.

    Args:
        runtime: whose isolates are replaced.
        read_project: reads the configuration again.
        output: where to tell of it.
        reconfigured: called with the project after its configuration changed.
    """

    def __init__(
        self,
        runtime: Runtime,
        read_project: Callable[[], Project],
        output: Output,
        *,
        reconfigured: Callable[[Project], None] | None = None,
    ) -> None:
        self._runtime = runtime
        self._read_project = read_project
        self._output = output
        self._reconfigured = reconfigured
        self._project = runtime.project
        self._stop = threading.Event()
        self.watched: list[Path] = []
        self.ready = asyncio.Event()
        self.applied = asyncio.Event()

    async def run(self) -> None:
        """Watch until `stop`. ``ready`` is set once the files are watched, ``applied`` after every change."""
        self.watched = self.folders()
        watcher = _watcher_of(self.watched)
        try:
            self.ready.set()
            while await self._watch(watcher):
                before, self.watched = self.watched, self.folders()
                previous, watcher = watcher, _watcher_of(self.watched)
                with previous:  # until the next one watched, this one did: no save falls between the two
                    await self._wait(previous, timeout_ms=_STEP_MS)
                # What was saved into a new folder before it was watched.
                new = set(self.watched) - set(before)
                self._changed(file for folder in new for file in folder.iterdir() if file.is_file())
                self.ready.set()
        finally:
            watcher.close()

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    async def _watch(self, watcher: RustNotify) -> bool:
        """Apply changes until a folder comes or goes; return False at `stop`."""
        while self.folders() == self.watched:
            if not await self._wait(watcher):
                return False
        return not self._stop.is_set()

    async def _wait(self, watcher: RustNotify, *, timeout_ms: int = 0) -> bool:
        """Apply the next changes, or none after a time; return False at `stop`."""
        changes = await asyncio.to_thread(watcher.watch, _DEBOUNCE_MS, _STEP_MS, timeout_ms, self._stop)
        if isinstance(changes, set):
            self._changed(Path(path) for _, path in changes)
        return changes not in ("stop", "signal")

    def _changed(self, paths: Iterable[Path]) -> None:
        try:
            self.apply(paths)
        except Exception:
            _log.exception("a change could not be applied")
        self.applied.set()

    def folders(self) -> list[Path]:
        """Return the folders to watch, each without its subfolders."""
        roots: set[Path] = set()
        single: set[Path] = set()
        for config in self._project.workers:
            single.add(config.config_path.parent)
            if config.main is not None:
                roots.add(config.main.parent)
            for watched in _watch_dirs(config):
                roots.add(watched)
            isolate = self._runtime.isolates.get(config.name)
            if isolate is not None:
                single |= {file.parent for file in isolate.namespace.files()}
        found = {folder for root in roots for folder in _walk(root)} | single
        return sorted(folder for folder in found if folder.is_dir())[:MAX_FOLDERS]

    def apply(self, paths: Iterable[Path]) -> None:
        """Reload what these changed files belong to."""
        paths = {path for path in paths if self._matters(path)}
        configs = [path for path in paths if self._is_config(path)]
        if configs:
            self._reconfigure(sorted(configs))
        for name in self._affected(paths):
            self._reload(name, sorted(paths))

    def _affected(self, paths: set[Path]) -> list[str]:
        """Return the workers to load anew, in the project's order."""
        names: set[str] = set()
        for path in paths:
            users = [name for name, isolate in self._runtime.isolates.items() if path in isolate.namespace.files()]
            if not users and not self._is_config(path):
                users = self._nearest(path)
            names.update(users)
            if path.suffix in CODE_SUFFIXES:
                # What failed to load may have needed any of the worker's modules.
                names.update(name for name in self._runtime.load_errors if self._may_hold(name, path))
        return [config.name for config in self._project.workers if config.name in names]

    def _nearest(self, path: Path) -> list[str]:
        """Return the workers whose code lies closest above a file that no worker has loaded."""
        depths = {
            config.name: len(root.parts)
            for config in self._project.workers
            for root in _roots(config)
            if path.is_relative_to(root)
        }
        return [name for name, depth in depths.items() if depth == max(depths.values())]

    def _may_hold(self, name: str, path: Path) -> bool:
        config = next((config for config in self._project.workers if config.name == name), None)
        return config is not None and any(path.is_relative_to(root) for root in _roots(config))

    def _matters(self, path: Path) -> bool:
        if path.name.startswith(("#", ".#")) or path.name.endswith(("~", ".swp")):
            return False  # an editor's
        return path.suffix in CODE_SUFFIXES or self._is_config(path) or self._is_watched(path)

    def _is_watched(self, path: Path) -> bool:
        """Tell whether the file lies in a folder that a worker's ``build.watch_dir`` names."""
        folders = [folder for config in self._project.workers for folder in _watch_dirs(config)]
        return any(path.is_relative_to(folder) for folder in folders)

    def _is_config(self, path: Path) -> bool:
        if path == self._project.tools_path:
            return True
        folders = {config.config_path.parent for config in self._project.workers}
        configs = {config.config_path for config in self._project.workers}
        return path in configs or (path.parent in folders and path.name.startswith((".dev.vars", ".env")))

    def _reload(self, name: str, paths: list[Path]) -> None:
        started_s = perf_counter()
        try:
            self._check_main(name)
            self._runtime.load(name)
        except WorkerLoadError as error:
            self._report(name, error)
            return
        milliseconds = (perf_counter() - started_s) * 1000
        shown = ", ".join(path.name for path in paths[:3]) + (" ..." if len(paths) > 3 else "")
        self._output.line(self._output.style(f"Reloaded {name} ({shown}, {milliseconds:.0f} ms)", "cyan"))
        isolate = self._runtime.isolates[name]
        for line in describe_flaws(isolate.handlers, isolate.config):
            self._output.warn(f"{name}: {line}")

    def _check_main(self, name: str) -> None:
        main = next(config.main for config in self._project.workers if config.name == name)
        if main is not None and not main.is_file():
            raise WorkerLoadError(
                f"{main.name} is not there any more", worker=name, file=main, hint='put it back, or change "main"'
            )

    def _reconfigure(self, paths: Sequence[Path]) -> None:
        try:
            project = self._read_project()
        except PyworkersError as error:
            self._output.line(self._output.style(_config_problem(error), "red"), "error")
            return
        before = {config.name: config for config in self._project.workers}
        after = {config.name: config for config in project.workers}
        if _needs_restart(self._project, project, before, after):
            self._output.warn("The workers or engines of this project changed: restart to apply")
            return
        self._project = project
        for name, config in after.items():
            if config == before[name]:
                continue
            try:
                self._runtime.reconfigure(config)
                shown = ", ".join(path.name for path in paths)
                self._output.line(self._output.style(f"Reloaded {name} ({shown})", "cyan"))
            except WorkerLoadError as error:
                self._report(name, error)
        if self._reconfigured is not None:
            self._reconfigured(project)

    def _report(self, name: str, error: WorkerLoadError) -> None:
        text = describe_load_error(error).rstrip()
        if name in self._runtime.isolates:
            text += "\nThe last code that loaded goes on answering."
        self._output.line(self._output.style(text, "red"), "error")


def _config_problem(error: PyworkersError) -> str:
    file, line = getattr(error, "file", None), getattr(error, "line", None)
    place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
    hint = f"\n{error.next_step}" if error.hint else ""
    return f"{place}{error.message}{hint}\nThe last good configuration stays in force."


def _needs_restart(
    old: Project, new: Project, before: Mapping[str, WorkerConfig], after: Mapping[str, WorkerConfig]
) -> bool:
    return list(before) != list(after) or old.tools != new.tools or dict(old.aliases) != dict(new.aliases)


def _watch_dirs(config: WorkerConfig) -> Iterator[Path]:
    watched = config.build.watch_dir
    for folder in (watched,) if isinstance(watched, str) else watched or ():
        yield config.root / folder


def _roots(config: WorkerConfig) -> list[Path]:
    return [*([config.main.parent] if config.main is not None else []), *_watch_dirs(config)]


def _walk(root: Path) -> Iterator[Path]:
    """Yield a folder and those below it, without what holds no source."""
    for folder, names, _ in os.walk(root):
        names[:] = [name for name in names if name not in IGNORED_FOLDERS and not name.startswith(".")]
        yield Path(folder)


def _watcher_of(folders: Sequence[Path]) -> RustNotify:
    """Watch folders, each without its subfolders."""
    from watchfiles._rust_notify import RustNotify  # the library's documented direct interface; no anyio

    return RustNotify(
        [str(folder) for folder in folders],
        debug=False,
        force_polling=False,
        poll_delay_ms=100,
        recursive=False,
        ignore_permission_denied=True,
    )
