"""Fixtures: a worker's folder, and servers that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from dev_process import CONFIG, Dev, StartDev


@pytest.fixture(autouse=True)
def no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command says is what it does, however long that takes on a busy machine."""
    monkeypatch.setenv("PYWORKERS_PATIENCE_S", "3600")


@pytest.fixture
def make_worker(tmp_path: Path) -> Callable[..., Path]:
    """Write a worker: ``make_worker("name", source, config="further TOML", folder=...)``; returns its folder."""

    def make(name: str, source: str, *, config: str = "", folder: str | None = None) -> Path:
        place = tmp_path / "workers" / (folder or name)
        place.mkdir(parents=True, exist_ok=True)
        (place / "wrangler.toml").write_text(CONFIG.format(name=name, main="entry.py") + config)
        (place / "entry.py").write_text(source)
        return place

    return make


@pytest.fixture
def start_dev(tmp_path: Path) -> Iterator[StartDev]:
    """Start servers that end with the test."""
    running: list[Dev] = []

    def start(*args: str, folder: Path | None = None, ready: bool = True, environ: Mapping[str, str] = {}) -> Dev:
        port = () if "--port" in args else ("--port", "0")
        dev = Dev(folder or tmp_path, [*args, *port], environ)
        running.append(dev)
        return dev.wait_ready() if ready else dev

    yield start
    for dev in running:
        dev.close()
