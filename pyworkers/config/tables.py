"""The tables inside a wrangler file, as frozen values.

The classes are also the schema that `pyworkers.config.reader` reads by: a field without a default is required, its
annotation is the type that is checked, and a key that is not a field is unknown. Names are wrangler's own, so that
a file and its value read alike.

Source: wrangler 4.164.0, config-schema.json
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"


def no_effect(note: str) -> dict[str, str]:
    """Return field metadata: the key is accepted, and ``note`` says why nothing happens locally."""
    return {"no_effect": note}


def spelled(key: str) -> dict[str, str]:
    """Return field metadata: the key's spelling in the file, where it is no Python name or not in snake_case."""
    return {"key": key}


_REMOTE = no_effect("every binding is local here")
_AS_SENT = no_effect("a worker sees the address that the client asked for")


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
class SecretsStoreSecret:
    binding: str
    store_id: str
    secret_name: str


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
    local_protocol: Literal["http", "https"] = field(
        default="http", metadata=no_effect("the local server speaks plain HTTP")
    )
    upstream_protocol: Literal["http", "https"] = field(default="http", metadata=_AS_SENT)
    host: str | None = field(default=None, metadata=_AS_SENT)
    generate_types: bool = field(default=False, metadata=no_effect("run `pywrangler types`"))
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
