"""Every top-level key of a wrangler file: the type it is read as, which environments see it, and what it does here.

Source: wrangler 4.164.0, config-schema.json (91 keys) and validation.ts (`inheritable`, `notInheritable`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from pyworkers.config import tables

Scope = Literal["inherited", "own", "top"]

# `tuple[X, ...]` and `Mapping[...]` are types to the reader but not to `type[...]`.
_Strings = cast(type, tuple[str, ...])
_Table = cast(type, Mapping[str, object])
_Tables = cast(type, tuple[Mapping[str, object], ...])


@dataclass(frozen=True, slots=True)
class Key:
    """How one key is read.

    Attributes:
        kind: what `Reader.read` makes of it.
        scope: ``inherited``: an environment takes the top level's value unless it has its own; ``own``: it never
            does; ``top``: only the top level may hold it.
        note: why the key does nothing locally, or None if it is used.
        binding: for a binding without local simulator, the key that holds its name.
        known: the keys of its table or tables, () if they are not checked.
    """

    kind: type
    scope: Scope
    note: str | None = None
    binding: str | None = None
    known: tuple[str, ...] = ()


def _many(kind: type) -> type:
    return cast(type, tuple[kind, ...])  # type: ignore[valid-type]  # built at run time, for the reader


def _idle(kind: type, scope: Scope, note: str, known: str = "") -> Key:
    return Key(kind, scope, note, None, tuple(known.split()))


def _absent(kind: type, known: str, note: str) -> Key:
    """Return the key of a binding without local simulator; the first of ``known`` holds its name."""
    names = tuple(known.split())
    return Key(kind, "own", note, names[0] if names else None, names)


_JS_ONLY = "it steers the JavaScript bundler, and Python is not bundled"
_DEPLOY = "it only matters to deploy"
_ACCOUNT = "pyworkers never contacts a Cloudflare account"
_EVERY_HOST = "every request comes to the worker, whatever its host and path"

USED: Mapping[str, Key] = {
    "name": Key(str, "inherited"),
    "main": Key(str, "inherited"),
    "compatibility_date": Key(str, "inherited"),
    "compatibility_flags": Key(_Strings, "inherited"),
    "find_additional_modules": Key(bool, "inherited"),
    "base_dir": Key(str, "inherited"),
    "workers_dev": Key(bool, "inherited"),
    "route": Key(cast(type, str | tables.Route), "inherited", _EVERY_HOST),
    "routes": Key(cast(type, tuple[str | tables.Route, ...]), "inherited", _EVERY_HOST),
    "migrations": Key(_many(tables.Migration), "inherited"),
    "exports": Key(cast(type, Mapping[str, Mapping[str, object]]), "inherited"),
    "triggers": Key(tables.Triggers, "inherited"),
    "limits": Key(tables.Limits, "inherited"),
    "rules": Key(_many(tables.ModuleRule), "inherited"),
    "build": Key(tables.Build, "inherited"),
    "assets": Key(tables.Assets, "inherited"),
    "observability": Key(tables.Observability, "inherited"),
    "python_modules": Key(tables.PythonModules, "inherited"),
    "vars": Key(_Table, "own"),
    "secrets": Key(tables.Secrets, "own"),
    "durable_objects": Key(tables.DurableObjects, "own"),
    "kv_namespaces": Key(_many(tables.KVNamespace), "own"),
    "d1_databases": Key(_many(tables.D1Database), "own"),
    "r2_buckets": Key(_many(tables.R2Bucket), "own"),
    "queues": Key(tables.Queues, "own"),
    "workflows": Key(_many(tables.WorkflowBinding), "own"),
    "services": Key(_many(tables.ServiceBinding), "own"),
    "analytics_engine_datasets": Key(_many(tables.AnalyticsEngineDataset), "own"),
    "ai": Key(tables.AIBinding, "own"),
    "vectorize": Key(_many(tables.VectorizeIndex), "own"),
    "hyperdrive": Key(_many(tables.Hyperdrive), "own"),
    "secrets_store_secrets": Key(_many(tables.SecretsStoreSecret), "own"),
    "send_email": Key(_many(tables.SendEmail), "own"),
    "ratelimits": Key(_many(tables.RateLimit), "own"),
    "version_metadata": Key(tables.BindingName, "own"),
    "tail_consumers": Key(_many(tables.TailConsumer), "own"),
    "dev": Key(tables.Dev, "top"),
}

ABSENT: Mapping[str, Key] = {
    "ai_search": _absent(_Tables, "binding instance_name remote", "AI Search runs only at Cloudflare"),
    "ai_search_namespaces": _absent(_Tables, "binding namespace remote", "AI Search runs only at Cloudflare"),
    "agent_memory": _absent(_Tables, "binding namespace remote", "Agent Memory runs only at Cloudflare"),
    "analytics": _absent(_Table, "binding remote", "query the local data points over the Analytics Engine SQL API"),
    "artifacts": _absent(_Tables, "binding namespace remote", "Artifacts runs only at Cloudflare"),
    "browser": _absent(_Table, "binding remote", "Browser Run needs Cloudflare's browsers"),
    "dispatch_namespaces": _absent(
        _Tables, "binding namespace outbound remote", "Workers for Platforms runs only at Cloudflare"
    ),
    "flagship": _absent(_Tables, "binding app_id remote", "Flagship runs only at Cloudflare"),
    "images": _absent(_Table, "binding remote", "Cloudflare Images has no local simulator"),
    "k2": _absent(_Tables, "binding stream remote", "K2 streams run only at Cloudflare"),
    "media": _absent(_Table, "binding remote", "Media Transformations run only at Cloudflare"),
    "mtls_certificates": _absent(_Tables, "binding certificate_id remote", "the certificates are kept at Cloudflare"),
    "pipelines": _absent(_Tables, "binding stream pipeline remote", "Pipelines run only at Cloudflare"),
    "stream": _absent(_Table, "binding remote", "Cloudflare Stream runs only at Cloudflare"),
    "unsafe_hello_world": _absent(_Tables, "binding enable_timer", "it is an example inside wrangler"),
    "vpc_networks": _absent(
        _Tables, "binding tunnel_id network_id remote", "private networks are reached only from Cloudflare"
    ),
    "vpc_services": _absent(_Tables, "binding service_id remote", "private networks are reached only from Cloudflare"),
    "worker_loaders": _absent(_Tables, "binding", "code made at run time is not loaded"),
}

IDLE: Mapping[str, Key] = {
    "$schema": _idle(str, "top", "it is for editors"),
    "access": _idle(_Table, "inherited", "there is no Cloudflare Access in front of a local server", "dev"),
    "account_id": _idle(str, "inherited", _ACCOUNT),
    "addresses": _idle(_Strings, "top", "every address reaches the local email handler"),
    "alias": _idle(cast(type, Mapping[str, str]), "top", _JS_ONLY),
    "cache": _idle(_Table, "inherited", "no cache stands in front of a local server", "enabled cross_version_cache"),
    "cloudchamber": _idle(_Table, "own", "containers are not run", "image location instance_type vcpu memory ipv4"),
    "compliance_region": _idle(str, "inherited", _ACCOUNT),
    "connect": _idle(
        _Tables,
        "own",
        "raw sockets are not accepted locally",
        "protocol port address idle_timeout_ms max_pending_bytes",
    ),
    "containers": _idle(_Tables, "own", "containers are not run"),
    "data_blobs": _idle(cast(type, Mapping[str, str]), "top", "read the file with the `rules` key instead"),
    "define": _idle(cast(type, Mapping[str, str]), "own", _JS_ONLY),
    "dependencies_instrumentation": _idle(_Table, "top", "nothing is collected or sent", "enabled exclude_packages"),
    "first_party_worker": _idle(bool, "inherited", _DEPLOY),
    "jsx_factory": _idle(str, "inherited", _JS_ONLY),
    "jsx_fragment": _idle(str, "inherited", _JS_ONLY),
    "keep_names": _idle(bool, "inherited", _JS_ONLY),
    "keep_vars": _idle(bool, "top", _DEPLOY),
    "logfwdr": _idle(_Table, "inherited", "nothing leaves this machine", "bindings"),
    "logpush": _idle(bool, "inherited", "nothing leaves this machine"),
    "minify": _idle(bool, "inherited", _JS_ONLY),
    "no_bundle": _idle(bool, "inherited", _JS_ONLY),
    "pages_build_output_dir": _idle(str, "top", "Pages projects are not run; use `assets`"),
    "placement": _idle(_Table, "inherited", "there is one place here", "mode hint region host hostname"),
    "preserve_file_names": _idle(bool, "inherited", _JS_ONLY),
    "preview_urls": _idle(bool, "inherited", _DEPLOY),
    "previews": _idle(_Table, "inherited", _DEPLOY),
    "send_metrics": _idle(bool, "top", "nothing is collected or sent"),
    "site": _idle(_Table, "top", "Workers Sites are not served; use `assets`", "bucket entry-point include exclude"),
    "streaming_tail_consumers": _idle(_Tables, "own", "only `tail_consumers` are called", "service"),
    "text_blobs": _idle(cast(type, Mapping[str, str]), "top", "read the file with the `rules` key instead"),
    "tsconfig": _idle(str, "inherited", _JS_ONLY),
    "unsafe": _idle(_Table, "own", "what it holds is only known to Cloudflare", "bindings metadata capnp"),
    "upload_source_maps": _idle(bool, "inherited", _DEPLOY),
    "wasm_modules": _idle(cast(type, Mapping[str, str]), "top", "WebAssembly is not run"),
}

KEYS: Mapping[str, Key] = {**USED, **ABSENT, **IDLE}

# Keys that wrangler 4 took away, and what it says instead of "unexpected".
REMOVED: Mapping[str, str] = {
    "legacy_env": 'The "legacy_env" field is no longer supported, so please remove it from your configuration file.',
    "node_compat": 'The "node_compat" field is no longer supported as of Wrangler v4. '
    "Instead, use the `nodejs_compat` compatibility flag.",
}

# What wrangler calls each kind of binding when two have one name.
FRIENDLY_NAMES: Mapping[str, str] = {
    "durable_objects": "Durable Object",
    "kv_namespaces": "KV Namespace",
    "send_email": "Send Email",
    "queues": "Queue",
    "d1_databases": "D1 Database",
    "vectorize": "Vectorize Index",
    "ai_search_namespaces": "AI Search Namespace",
    "ai_search": "AI Search Instance",
    "agent_memory": "Agent Memory",
    "hyperdrive": "Hyperdrive Config",
    "r2_buckets": "R2 Bucket",
    "services": "Worker",
    "analytics_engine_datasets": "Analytics Engine Dataset",
    "browser": "Browser Run",
    "analytics": "Analytics SQL",
    "ai": "AI",
    "images": "Images",
    "stream": "Stream",
    "media": "Media",
    "version_metadata": "Worker Version Metadata",
    "vars": "Environment Variable",
    "dispatch_namespaces": "Dispatch Namespace",
    "mtls_certificates": "mTLS Certificate",
    "workflows": "Workflow",
    "pipelines": "Pipeline",
    "k2": "K2 Stream",
    "secrets_store_secrets": "Secrets Store Secret",
    "artifacts": "Artifacts",
    "ratelimits": "Rate Limit",
    "assets": "Assets",
    "unsafe_hello_world": "Hello World",
    "flagship": "Flagship",
    "worker_loaders": "Worker Loader",
    "vpc_services": "VPC Service",
    "vpc_networks": "VPC Network",
}
