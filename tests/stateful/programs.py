"""What the random programs share: how many are run, and a worker whose Durable Objects run what a test gives them."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = int(os.environ.get("PYWORKERS_PROGRAMS", "200"))
STEPS = 50
MANY = 600 + 5 * PROGRAMS  # seconds: a guard against hanging
# Eviction collects garbage, and hypothesis keeps ever more: so often it is put out of the collector's sight.
_PAUSE = 20

_CONFIG = """
name = "w"
main = "entry.py"
compatibility_date = "2026-08-01"
compatibility_flags = ["python_workers_314"]
[[durable_objects.bindings]]
name = "DO"
class_name = "Obj"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Obj"]
"""
_ENTRY = """
from workers import DurableObject

CODE = {}

class Obj(DurableObject):
    async def step(self):
        return await CODE["step"](self.ctx._ctx)

    async def alarm(self, info):
        await CODE["alarm"](self.ctx._ctx, info)
"""


@contextmanager
def worker_in(folder: Path) -> Iterator[None]:
    """Write the worker into a folder, which is removed at the end of the block."""
    (folder / "wrangler.toml").write_text(_CONFIG)
    (folder / "entry.py").write_text(_ENTRY)
    try:
        yield
    finally:
        gc.unfreeze()
        shutil.rmtree(folder)  # thousands of small files


def collect_before(number: int) -> None:
    """Put what earlier programs left out of the collector's sight, before some of the programs."""
    if number % _PAUSE == 0:
        gc.collect()
        gc.freeze()
