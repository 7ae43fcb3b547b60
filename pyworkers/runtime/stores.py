"""Where the data of a project's bindings lives, shared by its workers.

An engine is made when the first binding asks for it and opens its files at first use, so that a project which never
touches R2 never imports moto. Two bindings that name the same namespace, database or bucket share one engine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from pyworkers.clock import Clock
from pyworkers.config.model import Project
from pyworkers.config.tables import AnalyticsEngineDataset, D1Database, KVNamespace, R2Bucket, RateLimit
from pyworkers.errors import ConfigError

if TYPE_CHECKING:
    from pyworkers.bindings.ai.service import AIService
    from pyworkers.bindings.ratelimit import RateCounters
    from pyworkers.engines.durable.pool import Pool
    from pyworkers.engines.durable.protocol import DurableEngine
    from pyworkers.engines.r2.s3_client import S3Settings

# Binding kind → engine name → where its class is. The first is the default.
ENGINES: Final[dict[str, dict[str, str]]] = {
    "kv": {
        "sqlite": "pyworkers.engines.kv.sqlite_engine:SqliteKVEngine",
        "redis": "pyworkers.engines.kv.redis_engine:RedisKVEngine",
    },
    "d1": {
        "sqlite": "pyworkers.engines.d1.sqlite_engine:SqliteD1Engine",
        "aiosqlite": "pyworkers.engines.d1.aiosqlite_engine:AiosqliteD1Engine",
    },
    "r2": {
        "moto": "pyworkers.engines.r2.moto_engine:MotoR2Engine",
        "s3": "pyworkers.engines.r2.s3_engine:S3R2Engine",
    },
    "analytics_engine": {"sqlite": "pyworkers.engines.analytics.sqlite_engine:SqliteAnalyticsEngine"},
    "cache": {"sqlite": "pyworkers.engines.cache.sqlite_engine:SqliteCacheEngine"},
    "durable_objects": {"sqlite": "pyworkers.engines.durable.sqlite_engine:SqliteDurableEngine"},
    "workflows": {"sqlite": "pyworkers.engines.workflows.sqlite_engine:SqliteWorkflowEngine"},
    "queues": {
        "sqlite": "pyworkers.engines.queues.sqlite_engine:SqliteQueueEngine",
        "redis": "pyworkers.engines.queues.redis_engine:RedisQueueEngine",
    },
}
# Binding kind → the keys of its table that name what it binds to, the first that is there counts; else the binding.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "kv": ("id",),
    "d1": ("database_name", "database_id"),
    "r2": ("bucket_name",),
    "analytics_engine": ("dataset",),
    "queues": ("queue",),
    "workflows": ("name",),
}


class Engine(Protocol):
    """What every engine has in common."""

    async def close(self) -> None:
        """Give everything back; idempotent."""
        ...


class Stores:
    """The engines of one project.

    Args:
        state_dir: the folder that holds everything; None keeps everything in memory, and what must be a file in a
            folder that `close` removes.
        project: says which engines were chosen, and where its files are.
        clock: what decides when something expires.
        scratch_dir: where files go that ``state_dir=None`` cannot avoid; a new temporary folder by default.
    """

    def __init__(
        self, state_dir: Path | None, project: Project, clock: Clock, *, scratch_dir: Path | None = None
    ) -> None:
        self.state_dir = state_dir
        self._project = project
        self.clock = clock
        self._scratch_dir = scratch_dir
        self._owns_scratch = False
        self._engines: dict[tuple[str, str], Any] = {}
        self._ai: AIService | None = None
        self._object_files: Pool | None = None
        self._rate_counters: dict[str, RateCounters] = {}

    # ---- the objects that bindings are

    def kv_binding(self, config: KVNamespace) -> Any:
        """Return the object of a KV binding."""
        from pyworkers.bindings.kv import KvNamespace

        return KvNamespace(self.engine("kv", resource_name("kv", config)), self.clock)

    def d1_binding(self, config: D1Database) -> Any:
        """Return the object of a D1 binding."""
        from pyworkers.bindings.d1 import D1Database as Binding

        return Binding(self.engine("d1", resource_name("d1", config)))

    def r2_binding(self, config: R2Bucket) -> Any:
        """Return the object of an R2 binding."""
        from pyworkers.bindings.r2 import R2Bucket as Binding

        return Binding(self.engine("r2", resource_name("r2", config)))

    def analytics_binding(self, config: AnalyticsEngineDataset) -> Any:
        """Return the object of an Analytics Engine binding."""
        from pyworkers.bindings.analytics import AnalyticsEngineDataset as Binding

        return Binding(self.engine("analytics_engine", "events"), config.dataset or config.binding)

    def cache_storage(self, worker: str) -> Any:
        """Return what ``caches`` is in a worker; each worker has its own."""
        from pyworkers.bindings.cache import CacheStorage

        return CacheStorage(partial(self.engine, "cache", worker), self.clock)

    def rate_limit_binding(self, config: RateLimit) -> Any:
        """Return the object of a rate limit binding; those of one namespace count together."""
        from pyworkers.bindings.ratelimit import RateCounters, Ratelimit

        counters = self._rate_counters.setdefault(config.namespace_id, RateCounters(self.clock))
        return Ratelimit(counters, limit=config.simple.limit, period_s=config.simple.period)

    def ai_binding(self) -> Any:
        """Return the object of the AI binding."""
        from pyworkers.bindings.ai.binding import Ai

        return Ai(self.ai_service())

    # ---- engines

    def engine(self, kind: str, name: str) -> Any:
        """Return the engine of one namespace, database, bucket or table file, made at the first call.

        Raises:
            ConfigError: the project chose an engine that does not exist.
        """
        key = kind, name
        if key not in self._engines:
            engine_class = self._engine_class(kind)
            if self.engine_name(kind) == "redis":
                self._engines[key] = engine_class.connect(self._project.tools.redis.url, name, clock=self.clock)
            elif self.engine_name(kind) == "s3":
                self._engines[key] = engine_class(self._s3_settings(), self._project.tools.s3.buckets.get(name, name))
            else:
                self._engines[key] = engine_class(self.path_of(kind, name), clock=self.clock)
        return self._engines[key]

    def use_engine(self, kind: str, name: str, engine: Engine) -> None:
        """Keep the data of one namespace, database, bucket or table file in another engine; `close` closes it."""
        self._engines[kind, name] = engine

    async def release(self, kind: str, name: str) -> None:
        """Close one engine; the next call for it makes another."""
        engine = self._engines.pop((kind, name), None)
        if engine is not None:
            await engine.close()

    def durable_engine(self, key: str) -> DurableEngine:
        """Return where the Durable Objects of a class store, by the class's unique key."""
        name = "durable_objects", key
        if name not in self._engines:
            from pyworkers.engines.sqlite import file_name

            if self._object_files is None:
                from pyworkers.engines.durable.pool import Pool

                self._object_files = Pool()
            self._engines[name] = self._engine_class("durable_objects")(
                self.durable_folder / file_name(key),
                clock=self.clock,
                pool=self._object_files,
                is_durable=self.state_dir is not None,
            )
        engine: DurableEngine = self._engines[name]
        return engine

    def delete_durable_objects(self, key: str) -> None:
        """Delete everything that the objects of a class have stored."""
        from pyworkers.engines.sqlite import file_name

        engine = self._engines.pop(("durable_objects", key), None)
        if engine is not None:
            engine.close_now()
        shutil.rmtree(self.durable_folder / file_name(key), ignore_errors=True)

    @property
    def durable_folder(self) -> Path:
        """Where Durable Objects store."""
        return self._folder() / "do"

    def path_of(self, kind: str, name: str) -> Path | None:
        """Return where an engine keeps its data; None is memory."""
        from pyworkers.engines.sqlite import file_name

        if kind == "r2":
            return self._folder() / "r2" / file_name(name)
        if self.state_dir is None:
            return None
        folder = {"analytics_engine": "analytics"}.get(kind, kind)
        return self.state_dir / folder / f"{file_name(name)}.sqlite"

    def ai_service(self) -> AIService:
        """Return what answers for Workers AI, one a project."""
        if self._ai is None:
            from pyworkers.bindings.ai.service import AIService
            from pyworkers.engines.ai.settings import AISettings

            settings = AISettings.from_config(self._project.tools.ai, root=self._project.root)
            self._ai = AIService(settings, clock=self.clock)
        return self._ai

    def use_ai_service(self, service: AIService) -> None:
        """Answer for Workers AI with another service; it is closed with the stores."""
        self._ai = service

    def describe(self, kind: str, config: Any) -> str:
        """Return one line for the start-up table: the engine and where its data is."""
        if kind == "ai":
            return "; ".join(self.ai_service().describe())
        place = "in memory" if self.state_dir is None else str(_shown(self.state_dir))
        if self.engine_name(kind) == "redis":
            place = urlsplit(self._project.tools.redis.url).netloc.rpartition("@")[2]  # without user and password
        elif self.engine_name(kind) == "s3":
            place = self._project.tools.s3.endpoint_url or "Amazon S3"
        return f"{resource_name(kind, config)}  {self.engine_name(kind)}, {place}"

    def describe_durable_objects(self) -> str:
        """Return the engine of Durable Objects and where their data is."""
        place = "in memory" if self.state_dir is None else str(_shown(self.state_dir))
        return f"{self.engine_name('durable_objects')}, {place}"

    async def close(self) -> None:
        """Close every engine; what was acknowledged stays."""
        engines, self._engines = list(self._engines.values()), {}
        for engine in engines:
            await engine.close()
        service, self._ai = self._ai, None
        if service is not None:
            await service.close()
        if self._owns_scratch and self._scratch_dir is not None:
            shutil.rmtree(self._scratch_dir, ignore_errors=True)
            self._scratch_dir = None

    def engine_name(self, kind: str) -> str:
        """Return the short name of the engine that holds the data of one kind of binding."""
        chosen: str | None = getattr(self._project.tools.engines, kind)
        return chosen or next(iter(ENGINES[kind]))

    def _s3_settings(self) -> S3Settings:
        from pyworkers.engines.r2.s3_client import S3Settings

        config = self._project.tools.s3
        return S3Settings(
            endpoint_url=config.endpoint_url,
            region=config.region,
            access_key_id=os.environ.get(config.access_key_id_env),
            secret_access_key=os.environ.get(config.secret_access_key_env),
        )

    def _engine_class(self, kind: str) -> Any:
        name = self.engine_name(kind)
        known = ENGINES[kind]
        if name not in known:
            raise ConfigError(
                f'[tool.pyworkers.engines] {kind} = "{name}": there is no such engine; there are {", ".join(known)}',
                key=f"tool.pyworkers.engines.{kind}",
                hint="leave the key out for the default",
            )
        module, _, attribute = known[name].partition(":")
        try:
            return getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f'[tool.pyworkers.engines] {kind} = "{name}" needs the package {error.name}, which is not installed',
                key=f"tool.pyworkers.engines.{kind}",
                hint=f"run: pip install 'pyworkers-runtime[{name}]'",
            ) from error

    def _folder(self) -> Path:
        if self.state_dir is not None:
            return self.state_dir
        if self._scratch_dir is None:
            self._scratch_dir = Path(tempfile.mkdtemp(prefix="pyworkers-"))
            self._owns_scratch = True
        return self._scratch_dir


def resource_name(kind: str, config: Any) -> str:
    """Return the name that an engine's data goes by: two bindings that name the same thing share it."""
    return next((str(name) for key in _NAMES[kind] if (name := getattr(config, key))), str(config.binding))


def _shown(path: Path) -> Path:
    """A path relative to the current folder where it lies in it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
