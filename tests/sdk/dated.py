"""One source file as a worker, with a compatibility date of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
