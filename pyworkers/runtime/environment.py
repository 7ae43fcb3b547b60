"""Builds ``env``: what one worker's configuration says it is bound to."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pyworkers.clock import Clock
from pyworkers.config.model import Hyperdrive, JsonValue, SecretsStoreSecret, ServiceBinding, WorkerConfig
from pyworkers.js.convert import FROM_ENTRIES, to_js
from pyworkers.js.dates import Date
from pyworkers.js.primitives import jsnull
from pyworkers.js.values import JsObject, JsProxy, type_error
from pyworkers.runtime.events import current_event
from pyworkers.runtime.services import Fetcher
from pyworkers.runtime.stores import Stores

if TYPE_CHECKING:
    from pyworkers.bindings.assets import AssetSite
    from pyworkers.bindings.hyperdrive import Hosts

# wrangler's variables for a binding's local database, the newer first.
_LOCAL_DATABASE: Final = (
    "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_",
    "WRANGLER_HYPERDRIVE_LOCAL_CONNECTION_STRING_",
)


class Env(JsObject, js_name="Object"):
    """``env``: reading a binding notes on the running event that it was touched.

    Args:
        values: plain values by name.
        bindings: binding objects by name.
    """

    def __init__(self, values: Mapping[str, Any], bindings: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.__dict__["_bindings"] = dict(bindings)

    def __getattr__(self, name: str) -> Any:
        binding = self.__dict__["_bindings"].get(name)
        if binding is None:
            raise AttributeError(name)
        event = current_event()
        if event is not None and type(binding) is not Fetcher:  # which counts its calls itself
            event.touch(name)
        return binding

    def __dir__(self) -> list[str]:
        return sorted(self.own_properties())

    def own_properties(self) -> dict[str, object]:
        """Return values and bindings by name."""
        values = {name: value for name, value in self.__dict__.items() if name != "_bindings"}
        return {**values, **self.__dict__["_bindings"]}

    def replace(self, name: str, value: Any) -> Any:
        """Put another object in a binding's place; returns the one that was there, or None."""
        previous = self.own_properties().get(name)
        self.__dict__.pop(name, None)
        self.__dict__["_bindings"][name] = value
        return previous


class Unavailable(JsProxy, js_name="Unavailable"):
    """A binding that nothing here stands behind: it is there, and every use of it says why it fails."""

    def __init__(self, kind: str, name: str, note: str) -> None:
        self.__dict__["_message"] = f"The {kind} binding {name} is not available locally: {note}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "then":
            raise AttributeError(name)
        raise type_error(self.__dict__["_message"])


def build_env(
    config: WorkerConfig,
    stores: Stores,
    connect: Callable[[ServiceBinding], Fetcher],
    *,
    hosts: Hosts | None = None,
    site: AssetSite | None = None,
) -> Env:
    """Build a worker's ``env``.

    Args:
        stores: where data lives.
        connect: makes the object of a service binding.
        hosts: where the host names of Hyperdrive bindings are made known; `Realm.hosts`.
        site: the worker's static assets.
    """
    values = {name: js_value(value) for name, value in config.values.items()}
    bindings = dict(_bindings(config, stores, connect))
    bindings.update(_small_bindings(config, stores, {} if hosts is None else hosts))
    if site is not None and config.assets is not None and config.assets.binding is not None:
        bindings[config.assets.binding] = _assets(site)
    return Env({name: value for name, value in values.items() if name not in bindings}, bindings)


def js_value(value: JsonValue) -> Any:
    """Return a JSON value as JavaScript holds it."""
    return jsnull if value is None else to_js(_nulls(value), dict_converter=FROM_ENTRIES)


def _nulls(value: Any) -> Any:
    if value is None:
        return jsnull
    if isinstance(value, Mapping):
        return {key: _nulls(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nulls(item) for item in value]
    return value


def _bindings(
    config: WorkerConfig, stores: Stores, connect: Callable[[ServiceBinding], Fetcher]
) -> Iterator[tuple[str, Any]]:
    for kv in config.kv_namespaces:
        yield kv.binding, stores.kv_binding(kv)
    for database in config.d1_databases:
        yield database.binding, stores.d1_binding(database)
    for bucket in config.r2_buckets:
        yield bucket.binding, stores.r2_binding(bucket)
    for dataset in config.analytics_engine_datasets:
        yield dataset.binding, stores.analytics_binding(dataset)
    if config.ai is not None:
        yield config.ai.binding, stores.ai_binding()
    for service in config.services:
        yield service.binding, connect(service)
    for other in config.other_bindings:
        yield other.binding, Unavailable(other.kind, other.binding, other.note)
    for hyperdrive in config.hyperdrive:
        if local_connection_string(hyperdrive) is None:
            yield hyperdrive.binding, Unavailable("Hyperdrive", hyperdrive.binding, no_database(hyperdrive))
    for name, kind in later_bindings(config):
        yield name, Unavailable(kind, name, "this version of pyworkers does not emulate it yet; see docs/gaps.md")


def _small_bindings(config: WorkerConfig, stores: Stores, hosts: Hosts) -> Iterator[tuple[str, Any]]:
    """Yield name and object of the bindings that need no engine."""
    if config.version_metadata is not None:
        yield config.version_metadata.binding, _version_metadata(stores.clock)
    for limit in config.ratelimits:
        yield limit.name, stores.rate_limit_binding(limit)
    for secret in config.secrets_store_secrets:
        yield secret.binding, _secret(config, secret)
    for hyperdrive in config.hyperdrive:
        connection_string = local_connection_string(hyperdrive)
        if connection_string is not None:
            yield hyperdrive.binding, _hyperdrive(connection_string, hosts)


def later_bindings(config: WorkerConfig) -> Iterator[tuple[str, str]]:
    """Yield name and kind of the bindings that this version does not emulate."""
    for index in config.vectorize:
        yield index.binding, "Vectorize"
    if config.assets is not None and config.assets.binding is not None and config.assets.directory is None:
        yield config.assets.binding, "assets"


def no_database(hyperdrive: Hyperdrive) -> str:
    """Say how to give a Hyperdrive binding its local database."""
    return f"set its localConnectionString, or {_LOCAL_DATABASE[0]}{hyperdrive.binding} in the environment"


def local_connection_string(hyperdrive: Hyperdrive) -> str | None:
    """Return where a Hyperdrive binding's local database is; the process environment wins, as in wrangler."""
    for prefix in _LOCAL_DATABASE:
        found = os.environ.get(prefix + hyperdrive.binding)
        if found is not None:
            return found
    return hyperdrive.local_connection_string


def _version_metadata(clock: Clock) -> JsObject:
    made = Date(clock.now_ms()).toISOString()
    return JsObject({"id": str(uuid.uuid4()), "tag": "", "timestamp": made})


def _secret(config: WorkerConfig, secret: SecretsStoreSecret) -> Any:
    """The value is a secret of the same name, or of the binding's."""
    from pyworkers.bindings.secrets_store import SecretsStoreSecret as Binding

    found = config.secrets.get(secret.secret_name) or config.secrets.get(secret.binding)
    return Binding(secret.secret_name, None if found is None else found.value)


def _hyperdrive(connection_string: str, hosts: Hosts) -> Any:
    from pyworkers.bindings.hyperdrive import Hyperdrive as Binding

    return Binding(connection_string, hosts)


def _assets(site: AssetSite) -> Any:
    from pyworkers.bindings.assets import AssetsFetcher

    return AssetsFetcher(site)
