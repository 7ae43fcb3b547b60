"""What a project's configuration says, as frozen values.

The classes of the tables inside a wrangler file (`KVNamespace`, `QueueConsumer`, ...) are also the schema that
`pyworkers.config.reader` reads them by: a field without a default is required, its annotation is the type that is
checked, and a key that is not a field is unknown. Names are wrangler's own, so that a file and its value read alike.

Source: wrangler 4.164.0, config-schema.json
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

_NOTHING: Mapping[str, JsonValue] = MappingProxyType({})


def no_effect(note: str) -> dict[str, str]:
    """Return field metadata: the key is accepted, and ``note`` says why nothing happens locally."""
    return {"no_effect": note}


def spelled(key: str) -> dict[str, str]:
    """Return field metadata: the key's spelling in the file, where it is no Python name or not in snake_case."""
    return {"key": key}


_REMOTE = no_effect("every binding is local here")


@dataclass(frozen=True, slots=True, kw_only=True)
class KVNamespace:
    binding: str
    id: str | None = None
    preview_id: str | None = None
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class D1Database:
    """A D1 binding. ``migrations_dir`` is relative to the configuration file's folder."""

    binding: str
    database_name: str | None = None
    database_id: str | None = None
    preview_database_id: str | None = None
    migrations_dir: str = "migrations"
    migrations_table: str = "d1_migrations"
    migrations_pattern: str | None = None
    jurisdiction: str | None = field(default=None, metadata=no_effect("data stays on this machine"))
    database_internal_env: str | None = field(default=None, metadata=no_effect("internal to Cloudflare"))
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class R2Bucket:
    binding: str
    bucket_name: str | None = None
    preview_bucket_name: str | None = None
    jurisdiction: str | None = None
    local_dev: Mapping[str, JsonValue] = field(
        default_factory=dict, metadata=no_effect("the local S3 API has credentials of its own")
    )
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsEngineDataset:
    """An Analytics Engine binding; without ``dataset`` the dataset is named after the binding."""

    binding: str
    dataset: str | None = None
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceBinding:
    binding: str
    service: str
    environment: str | None = None
    entrypoint: str | None = None
    props: Mapping[str, JsonValue] = field(default_factory=dict)
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AIBinding:
    binding: str
    staging: bool = field(default=False, metadata=no_effect("models run locally"))
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableObjectBinding:
    """A Durable Object namespace; ``script_name`` names the worker that defines the class, if another one."""

    name: str
    class_name: str
    script_name: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableObjects:
    bindings: tuple[DurableObjectBinding, ...] = ()
    code_update_strategy: Mapping[str, JsonValue] = field(
        default_factory=dict, metadata=no_effect("a reload replaces the code at once")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamedClass:
    from_: str = field(metadata=spelled("from"))
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferredClass:
    from_: str = field(metadata=spelled("from"))
    from_script: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the history of a worker's Durable Object classes."""

    tag: str
    new_classes: tuple[str, ...] = ()
    new_sqlite_classes: tuple[str, ...] = ()
    renamed_classes: tuple[RenamedClass, ...] = ()
    transferred_classes: tuple[TransferredClass, ...] = ()
    deleted_classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueProducer:
    """A queue binding; ``delivery_delay`` in seconds."""

    binding: str
    queue: str
    delivery_delay: int | None = None
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConsumer:
    """A queue this worker consumes; ``max_batch_timeout`` and ``retry_delay`` in seconds, None is the default."""

    queue: str
    type: Literal["worker", "http_pull"] = "worker"
    max_batch_size: int | None = None
    max_batch_timeout: float | None = None
    max_retries: int | None = None
    dead_letter_queue: str | None = None
    max_concurrency: int | None = None
    visibility_timeout_ms: int | None = None
    retry_delay: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    producers: tuple[QueueProducer, ...] = ()
    consumers: tuple[QueueConsumer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowBinding:
    binding: str
    name: str
    class_name: str
    script_name: str | None = None
    limits: Mapping[str, JsonValue] = field(default_factory=dict)
    concurrency: Mapping[str, JsonValue] = field(default_factory=dict)
    schedules: str | tuple[str, ...] = ()
    default_retention: Mapping[str, JsonValue] = field(
        default_factory=dict, metadata=no_effect("instances are kept until the state is reset")
    )
    jurisdiction: str | None = field(default=None, metadata=no_effect("data stays on this machine"))
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """``crons``: Cloudflare's cron expressions; they are parsed where they are scheduled."""

    crons: tuple[str, ...] = ()
    events: tuple[Mapping[str, JsonValue], ...] = field(
        default=(), metadata=no_effect("Cloudflare account events do not happen here")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """Static assets. ``directory`` is relative to the configuration file's folder."""

    directory: str | None = None
    binding: str | None = None
    html_handling: Literal["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"] = (
        "auto-trailing-slash"
    )
    not_found_handling: Literal["single-page-application", "404-page", "none"] = "none"
    base_path: str | None = None
    run_worker_first: bool | tuple[str, ...] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``cpu_ms``: milliseconds of CPU for one event; ``subrequests``: how many an event may make."""

    cpu_ms: int | None = None
    subrequests: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingName:
    """A table that holds a binding's name and nothing else that matters here, as ``version_metadata``."""

    binding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleLimit:
    """``limit`` calls in ``period`` seconds."""

    limit: int
    period: Literal[10, 60]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    name: str
    namespace_id: str
    simple: SimpleLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorizeIndex:
    binding: str
    index_name: str
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperdrive:
    binding: str
    id: str
    local_connection_string: str | None = field(default=None, metadata=spelled("localConnectionString"))
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendEmail:
    name: str
    destination_address: str | None = None
    allowed_destination_addresses: tuple[str, ...] | None = None
    allowed_sender_addresses: tuple[str, ...] | None = None
    remote: bool = field(default=False, metadata=_REMOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TailConsumer:
    service: str
    environment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    pattern: str
    zone_id: str | None = None
    zone_name: str | None = None
    custom_domain: bool = False
    enabled: bool | None = field(default=None, metadata=no_effect("only ever used by deploy"))
    previews_enabled: bool | None = field(default=None, metadata=no_effect("only ever used by deploy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dev:
    """Where the local server listens; None is the command's default."""

    ip: str | None = None
    port: int | None = None
    local_protocol: Literal["http", "https"] | None = None
    upstream_protocol: Literal["http", "https"] | None = None
    host: str | None = None
    generate_types: bool = False
    inspector_port: int | None = field(default=None, metadata=no_effect("debug with breakpoint() instead"))
    inspector_ip: str | None = field(default=None, metadata=no_effect("debug with breakpoint() instead"))
    enable_containers: bool | None = field(default=None, metadata=no_effect("containers are not run"))
    container_engine: str | Mapping[str, JsonValue] | None = field(
        default=None, metadata=no_effect("containers are not run")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRule:
    type: Literal["ESModule", "CommonJS", "CompiledWasm", "Text", "Data", "PythonModule", "PythonRequirement"]
    globs: tuple[str, ...]
    fallthrough: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonModules:
    """``exclude``: globs of files below ``python_modules`` that are left out; the default is wrangler's."""

    exclude: tuple[str, ...] = ("**/*.pyc",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """``watch_dir``: one folder or several, relative to the configuration file's folder."""

    watch_dir: str | tuple[str, ...] | None = None
    command: str | None = field(default=None, metadata=no_effect("Python needs no build step"))
    cwd: str | None = field(default=None, metadata=no_effect("Python needs no build step"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservabilityPart:
    """``observability.logs`` or ``.traces``; ``head_sampling_rate`` from 0 to 1."""

    enabled: bool = False
    head_sampling_rate: float = 1.0
    invocation_logs: bool = True
    persist: bool = field(default=True, metadata=no_effect("nothing leaves this machine"))
    destinations: tuple[str, ...] = field(default=(), metadata=no_effect("nothing leaves this machine"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observability:
    enabled: bool = False
    head_sampling_rate: float = 1.0
    logs: ObservabilityPart = ObservabilityPart()
    traces: ObservabilityPart = ObservabilityPart()
    redact_query_string: bool = field(default=False, metadata=no_effect("nothing leaves this machine"))
    issues: Mapping[str, JsonValue] = field(default_factory=dict, metadata=no_effect("nothing leaves this machine"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    required: tuple[str, ...] = ()


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
    vars: Mapping[str, JsonValue] = _NOTHING
    secrets: Mapping[str, Secret] = MappingProxyType({})
    required_secrets: tuple[str, ...] = ()
    kv_namespaces: tuple[KVNamespace, ...] = ()
    d1_databases: tuple[D1Database, ...] = ()
    r2_buckets: tuple[R2Bucket, ...] = ()
    analytics_engine_datasets: tuple[AnalyticsEngineDataset, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    ai: AIBinding | None = None
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    migrations: tuple[Migration, ...] = ()
    exports: Mapping[str, JsonValue] = _NOTHING
    queues: Queues = Queues()
    workflows: tuple[WorkflowBinding, ...] = ()
    crons: tuple[str, ...] = ()
    assets: Assets | None = None
    limits: Limits = Limits()
    version_metadata: BindingName | None = None
    ratelimits: tuple[RateLimit, ...] = ()
    vectorize: tuple[VectorizeIndex, ...] = ()
    hyperdrive: tuple[Hyperdrive, ...] = ()
    send_email: tuple[SendEmail, ...] = ()
    tail_consumers: tuple[TailConsumer, ...] = ()
    other_bindings: tuple[OtherBinding, ...] = ()
    routes: tuple[Route, ...] = ()
    workers_dev: bool = True
    dev: Dev = Dev()
    rules: tuple[ModuleRule, ...] = ()
    base_dir: Path | None = None
    find_additional_modules: bool | None = None
    python_modules: PythonModules = PythonModules()
    build: Build = Build()
    observability: Observability = Observability()
    no_effect: tuple[NoEffect, ...] = ()
    warnings: tuple[str, ...] = ()

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
class ToolConfig:
    """``[tool.pyworkers]`` of pyproject.toml.

    Attributes:
        workers: globs of folders that hold wrangler files; () looks at the primary worker's siblings.
        state_dir: where the embedded engines keep their data, relative to the file's folder.
    """

    workers: tuple[str, ...] = ()
    state_dir: str = ".pyworkers/state"
    engines: Engines = Engines()
    ai: AIConfig = AIConfig()


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
    aliases: Mapping[str, str] = MappingProxyType({})
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
