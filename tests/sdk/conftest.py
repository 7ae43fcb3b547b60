"""Workers for these tests: a folder of tests/sdk/workers, or one source file with a compatibility date of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

WORKERS = Path(__file__).parent / "workers"


@dataclass(frozen=True)
class Dated:
    """One source file as a worker of a compatibility date.

    Attributes:
        source: the file, below ``tests/sdk/workers``.
        date: ``yyyy-mm-dd``.
        flags: compatibility flags beside ``python_workers``.
        more: further lines of its configuration.
    """

    source: str
    date: str = "2026-09-10"
    flags: tuple[str, ...] = ()
    more: str = ""

    def write(self, folder: Path) -> Path:
        """Write the worker into a folder; return its wrangler file."""
        source = WORKERS / self.source
        (folder / source.name).write_text(source.read_text())
        flags = ", ".join(f'"{flag}"' for flag in ("python_workers", *self.flags))
        config = folder / "wrangler.toml"
        config.write_text(
            f'name = "{source.stem.replace("_", "-")}"\nmain = "{source.name}"\ncompatibility_date = "{self.date}"\n'
            f"compatibility_flags = [{flags}]\n{self.more}"
        )
        return config


@pytest.fixture
def worker_config(request, tmp_path):
    """What the test's ``worker_config`` marker names: folders of tests/sdk/workers, and `Dated` sources."""
    given = getattr(request, "param", None) or request.node.get_closest_marker("worker_config").args
    given = given if isinstance(given, tuple) else (given,)
    paths = []
    for index, each in enumerate(given):
        if isinstance(each, Dated):
            folder = tmp_path / f"worker{index}"
            folder.mkdir()
            paths.append(each.write(folder))
        else:
            paths.append(request.config.rootpath / each)
    return paths
