"""A project's buckets, as the S3 API finds them: those of the configurations, and those that were made through it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pyworkers.engines.r2.store import BucketStore
from pyworkers.server.s3.errors import S3Error

if TYPE_CHECKING:
    from pyworkers.engines.r2.moto_backend import DurableBackend
    from pyworkers.engines.r2.moto_engine import MotoR2Engine
    from pyworkers.runtime.runtime import Runtime


class ProjectBuckets:
    """The buckets of a project, in one of moto's backends.

    Args:
        runtime: whose configurations name buckets, and whose engines hold them.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._backend: DurableBackend | None = None

    @property
    def names(self) -> frozenset[str]:
        """The buckets that are there."""
        return self.bound | {unquote(folder.name) for folder in self._folders()}

    @property
    def bound(self) -> frozenset[str]:
        """The buckets that a worker is bound to."""
        configs = self._runtime.project.workers
        return frozenset(one.bucket_name or one.binding for config in configs for one in config.r2_buckets)

    async def backend(self) -> DurableBackend:
        """Return moto's backend; the first call imports moto.

        Raises:
            S3Error: the project keeps its objects somewhere else.
        """
        if self._runtime.stores.engine_name("r2") != "moto":
            raise S3Error(
                "NotImplemented",
                "This project keeps its objects on another S3 endpoint, see [tool.pyworkers.s3]: use that one.",
                501,
            )
        if self._backend is None:
            self._backend = await asyncio.to_thread(_make_backend)
        return self._backend

    async def open(self, name: str) -> BucketStore:
        """Return an open bucket, attached to the backend; it is made where it is missing."""
        backend = await self.backend()
        engine: MotoR2Engine = self._runtime.stores.engine("r2", name)
        store = await engine.store()
        found = backend.buckets.get(name)
        if found is None or getattr(found, "store", None) is not store:
            await asyncio.to_thread(backend.attach, name, store)
        return store

    async def remove(self, name: str) -> None:
        """Remove a bucket that is empty."""
        path = self._runtime.stores.path_of("r2", name)
        await self._runtime.stores.release("r2", name)
        if path is not None:
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    def _folders(self) -> list[Path]:
        path = self._runtime.stores.path_of("r2", "any")
        if path is None or not path.parent.is_dir():
            return []
        return [folder for folder in path.parent.iterdir() if (folder / "objects.sqlite").is_file()]


def _make_backend() -> DurableBackend:
    from pyworkers.engines.r2.moto_backend import DurableBackend
    from pyworkers.server.s3 import protocol  # noqa: F401 - the rest of moto, while nobody waits on the loop

    return DurableBackend()
