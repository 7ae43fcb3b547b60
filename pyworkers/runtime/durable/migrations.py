"""Which storage belongs to which class, through the migrations of the configuration.

A class keeps its unique key, from which ids and the folder's name are made, when it is renamed or transferred to
another worker. What has been applied is kept beside the storage (``classes.json``), by worker: the last migration's
tag, and the key of every class.

Source: developers.cloudflare.com/durable-objects/reference/durable-objects-migrations
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyworkers.config.model import WorkerConfig
from pyworkers.config.tables import Migration
from pyworkers.engines.files import file_errors, whole_file
from pyworkers.errors import EngineCorrupt


class ClassKeys:
    """The unique keys of the classes of a project.

    Args:
        path: where they are kept; None keeps them in memory.
        delete: deletes everything stored under a key.

    Raises:
        EngineError: they cannot be read; from its methods, they cannot be written.
    """

    def __init__(self, path: Path | None, delete: Callable[[str], None]) -> None:
        self._path = path
        self._delete = delete
        self._workers: dict[str, dict[str, Any]] = {}
        if path is not None:
            self._workers = _read(path)

    def key_of(self, worker: str, name: str) -> str:
        """Return a class's key; one that no migration names gets one when it is first asked for."""
        classes = self._worker(worker)["classes"]
        if name not in classes:
            classes[name] = self._new_key(worker, name)
            if classes[name] != f"{worker}-{name}":  # what is not kept is made anew
                self._save()
        key: str = classes[name]
        return key

    def apply(self, config: WorkerConfig) -> list[str]:
        """Apply the migrations of a worker that were not applied yet; return the classes that changed."""
        known = self._worker(config.name)
        tags = [step.tag for step in config.migrations]
        if not tags or known["tag"] == tags[-1]:
            return []
        first = tags.index(known["tag"]) + 1 if known["tag"] in tags else 0
        before = dict(known["classes"])
        for step in config.migrations[first:]:
            self._step(config.name, step)
        known["tag"] = tags[-1]
        self._save()
        after = known["classes"]
        return [name for name in {**before, **after} if before.get(name) != after.get(name)]

    def _step(self, worker: str, step: Migration) -> None:
        classes = self._worker(worker)["classes"]
        for name in (*step.new_classes, *step.new_sqlite_classes):
            self.key_of(worker, name)
        for renamed in step.renamed_classes:
            classes[renamed.to] = classes.pop(renamed.from_, None) or self._new_key(worker, renamed.from_)
        for moved in step.transferred_classes:
            others = self._worker(moved.from_script)["classes"]
            classes[moved.to] = others.pop(moved.from_, None) or self._new_key(moved.from_script, moved.from_)
        for name in step.deleted_classes:
            key = classes.pop(name, None)
            self._delete(key or f"{worker}-{name}")

    def _new_key(self, worker: str, name: str) -> str:
        used = {key for known in self._workers.values() for key in known["classes"].values()}
        key = f"{worker}-{name}"
        number = 2
        while key in used:  # a class of that name was renamed
            key, number = f"{worker}-{name}-{number}", number + 1
        return key

    def _worker(self, worker: str) -> dict[str, Any]:
        return self._workers.setdefault(worker, {"tag": None, "classes": {}})

    def _save(self) -> None:
        if self._path is None:
            return
        with file_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path) as part:
                part.write_text(json.dumps(self._workers, indent=2) + "\n")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    with file_errors(path):
        if not path.exists():
            return {}
        text = path.read_text()
    try:
        workers: dict[str, dict[str, Any]] = json.loads(text)
    except ValueError as error:
        raise EngineCorrupt(
            f"{path} is no JSON: {error}", hint="restore a copy: it says which storage belongs to which class"
        ) from error
    return workers
