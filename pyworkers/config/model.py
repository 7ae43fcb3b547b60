"""What a worker's and a project's configuration says, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pyworkers.config.compat import Compat, resolve_compat
from pyworkers.config.tables import (
    AIBinding,
    AnalyticsEngineDataset,
    Assets,
    BindingName,
    Build,
    D1Database,
    Dev,
    DurableObjectBinding,
    Hyperdrive,
    JsonValue,
    KVNamespace,
    Limits,
    Migration,
    ModuleRule,
    Observability,
    PythonModules,
    Queues,
    R2Bucket,
    RateLimit,
    Route,
    SecretsStoreSecret,
    SendEmail,
    ServiceBinding,
    TailConsumer,
    VectorizeIndex,
    WorkflowBinding,
)

__all__ = [
    "AIBinding",
    "AIConfig",
    "AnalyticsEngineDataset",
    "Assets",
    "BindingName",
    "Build",
    "D1Database",
    "Dev",
    "DevSettings",
    "DurableObjectBinding",
    "Engines",
    "Hyperdrive",
    "JsonValue",
    "KVNamespace",
    "Limits",
    "Migration",
    "MissingService",
    "ModuleRule",
    "NoEffect",
    "Observability",
    "OtherBinding",
    "Project",
    "PythonModules",
    "Queues",
    "R2Bucket",
    "RateLimit",
    "Route",
    "Secret",
    "SecretsStoreSecret",
    "SendEmail",
    "ServiceBinding",
    "TailConsumer",
    "ToolConfig",
    "VectorizeIndex",
    "WorkerConfig",
    "WorkflowBinding",
]


@dataclass(frozen=True, slots=True)
class Secret:
    """A value from ``.dev.vars``, ``.env`` or the process, never printed by ``repr``.

    Args:
        file: the file it came from, or None for the process environment.
    """

    value: str = field(repr=False)
    file: Path | None


@dataclass(frozen=True, slots=True)
class OtherBinding:
    """A binding that has no local simulator, such as ``browser``: its name exists, its use fails with ``note``."""

    kind: str
    binding: str
    note: str


@dataclass(frozen=True, slots=True)
class NoEffect:
    """A key that was accepted though it does nothing locally; ``note`` says why in one line."""

    key: str
    note: str

    def __str__(self) -> str:
        return f'"{self.key}" has no local effect: {self.note}'


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """One worker: a wrangler file read in one environment.

    Attributes:
        name: the deployed name: in environment ``staging`` it is ``<name>-staging`` unless that table names it.
        main: absolute path of the entry module, or None for a worker of static assets only.
        root: absolute folder of ``config_path``; relative paths in the file start there.
        environment: the environment in force, None for the top level.
        secrets: values from ``.dev.vars`` or ``.env``; each wins over the var of the same name.
        other_bindings: bindings without a local simulator.
        no_effect: keys that were accepted and do nothing.
        warnings: sentences to print at start.
    """

    name: str
    config_path: Path
    root: Path
    main: Path | None = None
    environment: str | None = None
    environments: tuple[str, ...] = ()
    top_level_name: str | None = None
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    vars: Mapping[str, JsonValue] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    required_secrets: tuple[str, ...] = ()
    kv_namespaces: tuple[KVNamespace, ...] = ()
    d1_databases: tuple[D1Database, ...] = ()
    r2_buckets: tuple[R2Bucket, ...] = ()
    analytics_engine_datasets: tuple[AnalyticsEngineDataset, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    ai: AIBinding | None = None
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    migrations: tuple[Migration, ...] = ()
    exports: Mapping[str, JsonValue] = field(default_factory=dict)
    queues: Queues = field(default_factory=Queues)
    workflows: tuple[WorkflowBinding, ...] = ()
    crons: tuple[str, ...] = ()
    assets: Assets | None = None
    limits: Limits = field(default_factory=Limits)
    version_metadata: BindingName | None = None
    ratelimits: tuple[RateLimit, ...] = ()
    vectorize: tuple[VectorizeIndex, ...] = ()
    hyperdrive: tuple[Hyperdrive, ...] = ()
    secrets_store_secrets: tuple[SecretsStoreSecret, ...] = ()
    send_email: tuple[SendEmail, ...] = ()
    tail_consumers: tuple[TailConsumer, ...] = ()
    other_bindings: tuple[OtherBinding, ...] = ()
    routes: tuple[Route, ...] = ()
    workers_dev: bool = True
    dev: Dev = field(default_factory=Dev)
    rules: tuple[ModuleRule, ...] = ()
    base_dir: Path | None = None
    find_additional_modules: bool | None = None
    python_modules: PythonModules = field(default_factory=PythonModules)
    build: Build = field(default_factory=Build)
    observability: Observability = field(default_factory=Observability)
    no_effect: tuple[NoEffect, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def compat(self) -> Compat:
        """Return the runtime behaviours that the date and the flags turn on; a Python entry implies Python."""
        implied = ("python_workers",) if self.main is not None and self.main.suffix == ".py" else ()
        return resolve_compat(self.compatibility_date, (*implied, *self.compatibility_flags))

    @property
    def values(self) -> dict[str, JsonValue]:
        """Return what ``env`` holds as plain values: ``vars``, with secrets in place of vars of the same name."""
        return {**self.vars, **{name: secret.value for name, secret in self.secrets.items()}}

    @property
    def durable_object_classes(self) -> dict[str, Literal["sqlite", "kv"]]:
        """Return the Durable Object classes this worker defines and their storage, after all migrations."""
        classes: dict[str, Literal["sqlite", "kv"]] = {}
        for step in self.migrations:
            classes.update(dict.fromkeys(step.new_classes, "kv"))
            classes.update(dict.fromkeys(step.new_sqlite_classes, "sqlite"))
            for renamed in step.renamed_classes:
                classes[renamed.to] = classes.pop(renamed.from_, "kv")
            classes.update({moved.to: "kv" for moved in step.transferred_classes})
            for name in step.deleted_classes:
                classes.pop(name, None)
        for name, export in self.exports.items():
            if isinstance(export, Mapping) and export.get("type") == "durable-object" and "storage" in export:
                classes[name] = "sqlite" if export["storage"] == "sqlite" else "kv"
        return classes


@dataclass(frozen=True, slots=True, kw_only=True)
class AIConfig:
    """``[tool.pyworkers.ai]``: what answers for Workers AI.

    Attributes:
        engine: None takes whichever is installed.
        models: Cloudflare's model name to a file path or an address.
        default_model: what answers for a model that ``models`` does not name.
        base_url: the server of the ``openai`` engine.
        api_key_env: the process variable that holds that server's key.
    """

    engine: Literal["xllamacpp", "llama_cpp", "openai"] | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    default_model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """``[tool.pyworkers.engines]``: the engine's short name for each binding, None for the default."""

    kv: str | None = None
    r2: str | None = None
    d1: str | None = None
    durable_objects: str | None = None
    queues: str | None = None
    workflows: str | None = None
    cache: str | None = None
    ai: str | None = None
    analytics_engine: str | None = None
    vectorize: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Config:
    """``[tool.pyworkers.s3]``: the endpoint of the R2 engine ``s3``.

    Attributes:
        endpoint_url: None is Amazon's.
        region: as the endpoint names it.
        access_key_id_env: the process variable that holds the access key; where it is not set, boto3 looks for one.
        secret_access_key_env: the process variable that holds its secret.
        buckets: a bucket's name here to its name there, where the two differ.
    """

    endpoint_url: str | None = None
    region: str = "auto"
    access_key_id_env: str = "AWS_ACCESS_KEY_ID"
    secret_access_key_env: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
    buckets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevSettings:
    """``[tool.pyworkers.dev]``: what stands between a client and the primary worker.

    Attributes:
        front: ``wrangler`` is what ``wrangler dev`` shows a worker and a client; ``runtime`` is the runtime without
            wrangler's proxy: hop-by-hop request headers arrive, and a request that announces no body has none.
        cf: properties of ``request.cf`` that replace the local ones.
    """

    front: Literal["wrangler", "runtime"] = "wrangler"
    cf: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig:
    """``[tool.pyworkers.redis]``: the Redis or Valkey server of every engine called ``redis``.

    Attributes:
        url: such as ``redis://user:password@host:6379/0``; ``rediss://`` is TLS.
    """

    url: str = "redis://127.0.0.1:6379/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolConfig:
    """``[tool.pyworkers]`` of pyproject.toml.

    Attributes:
        workers: globs of folders that hold wrangler files; () looks at the primary worker's siblings.
        state_dir: where the embedded engines keep their data, relative to the file's folder.
    """

    workers: tuple[str, ...] = ()
    state_dir: str = ".pyworkers/state"
    engines: Engines = Engines()
    redis: RedisConfig = RedisConfig()
    ai: AIConfig = AIConfig()
    dev: DevSettings = field(default_factory=DevSettings)
    s3: S3Config = field(default_factory=S3Config)


@dataclass(frozen=True, slots=True)
class MissingService:
    """A binding to a worker that no configuration defines.

    Args:
        worker: the worker that has the binding.
        binding: the binding's name, such as ``API``; for a tail consumer its key in the file.
        service: the name it asks for.
        nearest: the most similar name that exists, or None.
    """

    worker: str
    binding: str
    service: str
    nearest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What one command runs.

    Attributes:
        root: folder of the pyproject.toml with ``[tool.pyworkers]``, else of the primary worker's configuration.
        workers: the primary worker first, then those it needs, each once.
        aliases: the names bindings use to the name of the worker that answers, where the two differ.
        missing: bindings whose worker does not exist; they answer 503 when called.
    """

    root: Path
    workers: tuple[WorkerConfig, ...]
    environment: str | None = None
    tools: ToolConfig = ToolConfig()
    tools_path: Path | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[MissingService, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def primary(self) -> WorkerConfig:
        """Return the worker that plain requests go to."""
        return self.workers[0]

    @property
    def state_dir(self) -> Path:
        """Return the absolute folder of the embedded engines' data."""
        return self.root / self.tools.state_dir

    def worker(self, service: str) -> WorkerConfig | None:
        """Return the worker a binding means by ``service``, or None when it is missing."""
        name = self.aliases.get(service, service)
        return next((worker for worker in self.workers if worker.name == name), None)
