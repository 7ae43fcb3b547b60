"""Builds ``env``: what one worker's configuration says it is bound to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyworkers.config.model import JsonValue, ServiceBinding, WorkerConfig
from pyworkers.js.convert import FROM_ENTRIES, to_js
from pyworkers.js.primitives import jsnull
from pyworkers.js.values import JsObject, JsProxy, type_error
from pyworkers.runtime.events import current_event
from pyworkers.runtime.services import Fetcher
from pyworkers.runtime.stores import Stores


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


def build_env(config: WorkerConfig, stores: Stores, connect: Callable[[ServiceBinding], Fetcher]) -> Env:
    """Build a worker's ``env``.

    Args:
        stores: where data lives.
        connect: makes the object of a service binding.
    """
    values = {name: js_value(value) for name, value in config.values.items()}
    return Env(values, dict(_bindings(config, stores, connect)))


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
    if config.version_metadata is not None:
        yield config.version_metadata.binding, _version_metadata(config)
    for other in config.other_bindings:
        yield other.binding, Unavailable(other.kind, other.binding, other.note)
    for name, kind in later_bindings(config):
        yield name, Unavailable(kind, name, "this version of pyworkers does not emulate it yet; see docs/gaps.md")


def later_bindings(config: WorkerConfig) -> Iterator[tuple[str, str]]:
    """Yield name and kind of the bindings that this version does not emulate."""
    for durable_object in config.durable_objects:
        yield durable_object.name, "Durable Object"
    for producer in config.queues.producers:
        yield producer.binding, "Queue"
    for workflow in config.workflows:
        yield workflow.binding, "Workflow"
    for limit in config.ratelimits:
        yield limit.name, "rate limit"
    for index in config.vectorize:
        yield index.binding, "Vectorize"
    for hyperdrive in config.hyperdrive:
        yield hyperdrive.binding, "Hyperdrive"
    for email in config.send_email:
        yield email.name, "email"
    if config.assets is not None and config.assets.binding is not None:
        yield config.assets.binding, "assets"


def _version_metadata(config: WorkerConfig) -> JsObject:
    return JsObject({"id": f"local-{config.name}", "tag": "", "timestamp": "1970-01-01T00:00:00.000Z"})
