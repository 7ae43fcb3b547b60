"""Which isolates a saved file concerns."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pyworkers.config.model import Project, WorkerConfig
from pyworkers.config.tables import Build
from pyworkers.errors import ConfigError, WorkerLoadError
from pyworkers.runtime.handlers import Handlers
from pyworkers.server.reload import Reloader
from pyworkers.server.terminal import Output, Style


class FakeRuntime:
    """Notes what is loaded."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.loaded: list[str] = []
        self.reconfigured: list[WorkerConfig] = []
        self.load_errors: dict[str, WorkerLoadError] = {}
        self.failing: WorkerLoadError | None = None
        self.isolates: dict[str, Any] = {
            config.name: SimpleNamespace(
                namespace=SimpleNamespace(files=self._files_of(config)), handlers=Handlers(), config=config
            )
            for config in project.workers
        }

    @staticmethod
    def _files_of(config: WorkerConfig) -> Callable[[], set[Path]]:
        assert config.main is not None
        files = {config.main, config.main.with_name("lib.py")}
        return lambda: files

    def load(self, name: str) -> None:
        self.loaded.append(name)
        if self.failing is not None:
            self.load_errors[name] = self.failing
            raise self.failing

    def reconfigure(self, config: WorkerConfig) -> None:
        self.reconfigured.append(config)


class Bench:
    """Two workers, ``api`` in the project's root and ``streaming`` in a folder below it, and a reloader."""

    def __init__(self, root: Path) -> None:
        self.api = self._worker(root, "api")
        self.streaming = self._worker(root / "streaming", "streaming")
        self.project = Project(root=root, workers=(self.api, self.streaming))
        self.runtime = FakeRuntime(self.project)
        self.stream = io.StringIO()
        self.next_project: Project | ConfigError = self.project
        output = Output(self.stream, style=Style(enabled=False))
        self.reloader = Reloader(self.runtime, self._read, output)  # type: ignore[arg-type]  # a fake

    def _worker(self, folder: Path, name: str) -> WorkerConfig:
        folder.mkdir(exist_ok=True)
        for file in ("entry.py", "lib.py", "wrangler.toml"):
            (folder / file).touch()
        return WorkerConfig(name=name, config_path=folder / "wrangler.toml", root=folder, main=folder / "entry.py")

    def _read(self) -> Project:
        if isinstance(self.next_project, ConfigError):
            raise self.next_project
        return self.next_project


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("file", "loaded"),
    [
        ("entry.py", ["api"]),
        ("lib.py", ["api"]),
        ("streaming/lib.py", ["streaming"]),
        ("streaming/new.py", ["streaming"]),
        ("new.py", ["api"]),
        ("templates/page.html", []),
        ("streaming/out.txt", []),
        ("entry.py~", []),
        (".entry.py.swp", []),
        ("notes.log", []),
        (".#lib.py", []),
    ],
)
def test_a_file_reloads_the_worker_it_belongs_to(bench: Bench, tmp_path: Path, file: str, loaded: list[str]) -> None:
    bench.reloader.apply([tmp_path / file])
    assert bench.runtime.loaded == loaded


def test_every_file_counts_in_a_folder_that_the_configuration_names(bench: Bench, tmp_path: Path) -> None:
    changed = replace(bench.api, build=Build(watch_dir="templates"))
    bench.runtime.project = replace(bench.project, workers=(changed, bench.streaming))
    reloader = Reloader(bench.runtime, lambda: bench.project, Output(io.StringIO()))  # type: ignore[arg-type]  # a fake
    reloader.apply([tmp_path / "templates/page.html", tmp_path / "out.txt"])
    reloader.apply([tmp_path / "templates/page.html~", tmp_path / "other/page.html"])
    assert bench.runtime.loaded == ["api"]


def test_one_save_of_two_workers_reloads_both_in_order(bench: Bench, tmp_path: Path) -> None:
    bench.reloader.apply([tmp_path / "streaming/entry.py", tmp_path / "entry.py"])
    assert bench.runtime.loaded == ["api", "streaming"]


def test_a_worker_that_failed_to_load_is_tried_again_with_any_of_its_files(bench: Bench, tmp_path: Path) -> None:
    bench.runtime.load_errors["streaming"] = WorkerLoadError("no", worker="streaming")
    bench.reloader.apply([tmp_path / "streaming/deep/other.py"])
    assert bench.runtime.loaded == ["streaming"]


def test_a_bad_save_shows_file_and_line(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "entry.py").write_text("def f(:\n")
    bench.runtime.failing = WorkerLoadError(
        "SyntaxError: invalid syntax", worker="api", file=tmp_path / "entry.py", line=1, hint="save it again"
    )
    bench.reloader.apply([tmp_path / "entry.py"])
    assert bench.stream.getvalue() == (
        "api could not be loaded\n"
        f'  File "{tmp_path}/entry.py", line 1\n'
        "    def f(:\n"
        "SyntaxError: invalid syntax\n"
        "save it again\n"
        "The last code that loaded goes on answering.\n"
    )


def test_a_main_module_that_is_removed_keeps_the_last_good_code(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "entry.py").unlink()
    bench.reloader.apply([tmp_path / "entry.py"])
    assert bench.runtime.loaded == []
    assert bench.stream.getvalue() == (
        "api could not be loaded\n"
        "entry.py is not there any more\n"
        'put it back, or change "main"\n'
        "The last code that loaded goes on answering.\n"
    )


def test_a_changed_configuration_reconfigures_its_worker_only(bench: Bench, tmp_path: Path) -> None:
    changed = replace(bench.streaming, vars={"A": 1})
    bench.next_project = replace(bench.project, workers=(bench.api, changed))
    bench.reloader.apply([tmp_path / "streaming/wrangler.toml"])
    assert (bench.runtime.reconfigured, bench.runtime.loaded) == ([changed], [])


def test_dev_vars_are_configuration(bench: Bench, tmp_path: Path) -> None:
    changed = replace(bench.api, vars={"A": 1})
    bench.next_project = replace(bench.project, workers=(changed, bench.streaming))
    bench.reloader.apply([tmp_path / ".dev.vars"])
    assert bench.runtime.reconfigured == [changed]


def test_a_bad_configuration_keeps_the_last_good_one(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "wrangler.toml"
    bench.next_project = ConfigError("expected a value", file=file, line=3, hint="write one")
    bench.reloader.apply([file])
    assert bench.runtime.reconfigured == []
    assert bench.stream.getvalue() == (
        f"{file}:3: expected a value\nwrite one\nThe last good configuration stays in force.\n"
    )


def test_other_workers_need_a_restart(bench: Bench, tmp_path: Path) -> None:
    bench.next_project = replace(bench.project, workers=(bench.api,))
    bench.reloader.apply([tmp_path / "wrangler.toml"])
    assert bench.runtime.reconfigured == []
    assert bench.stream.getvalue() == "The workers or engines of this project changed: restart to apply\n"


def test_folders_of_packages_and_state_are_not_watched(bench: Bench, tmp_path: Path) -> None:
    for folder in (
        "templates/deep",
        "node_modules/x",
        ".venv/lib",
        ".pyworkers/state",
        "__pycache__",
        "python_modules/y",
    ):
        (tmp_path / folder).mkdir(parents=True)
    assert [str(folder.relative_to(tmp_path)) for folder in bench.reloader.folders()] == [
        ".",
        "streaming",
        "templates",
        "templates/deep",
    ]


def test_a_save_is_seen_in_a_folder_that_was_made_later(bench: Bench, tmp_path: Path) -> None:
    async def main() -> None:
        watching = asyncio.create_task(bench.reloader.run())
        try:
            await asyncio.wait_for(bench.reloader.ready.wait(), 120)
            bench.reloader.ready.clear()
            (tmp_path / "streaming" / "pkg").mkdir()
            await asyncio.wait_for(_until(lambda: len(bench.reloader.watched) == 3), 120)
            (tmp_path / "streaming" / "pkg" / "mod.py").write_text("x = 1\n")
            await asyncio.wait_for(_until(lambda: bench.runtime.loaded == ["streaming"]), 120)
        finally:
            bench.reloader.stop()
            await watching

    async def _until(condition: Callable[[], bool]) -> None:
        while not condition():
            bench.reloader.applied.clear()
            await bench.reloader.applied.wait()

    asyncio.run(main())
