"""Which KV namespace a command means: ``--binding`` or ``--namespace-id``, and ``--preview``."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import click

from pyworkers.cli.place import Place, completes, find_bound, not_found
from pyworkers.config.tables import KVNamespace
from pyworkers.errors import UsageError
from pyworkers.runtime.stores import resource_name

if TYPE_CHECKING:
    from pyworkers.engines.kv import KVEngine
    from pyworkers.runtime.stores import Stores

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace.

    Attributes:
        id: what its data goes by.
        title: as messages name it.
        option: how to name it in a command.
    """

    id: str
    title: str
    option: str

    def engine(self, stores: Stores) -> KVEngine:
        """Return what holds it."""
        engine: KVEngine = stores.engine("kv", self.id)
        return engine

    def is_new(self, stores: Stores) -> bool:
        """Tell whether nothing was ever written to it: reading must not make its file."""
        path = stores.path_of("kv", self.id) if stores.engine_name("kv") == "sqlite" else None
        return path is not None and not path.exists()

    async def put(
        self,
        stores: Stores,
        key: str,
        data: bytes,
        *,
        ttl_s: int | None = None,
        expires_at_s: int | None = None,
        metadata: str | None = None,
    ) -> None:
        """Write a value as a worker would.

        Args:
            metadata: JSON text.

        Raises:
            JsException: the platform's own, for what is not allowed.
        """
        from pyworkers.js.buffers import ArrayBuffer
        from pyworkers.js.json import parse
        from pyworkers.js.values import JsObject

        options = {
            "expirationTtl": ttl_s,
            "expiration": expires_at_s,
            "metadata": None if metadata is None else parse(metadata),
        }
        given = {name: value for name, value in options.items() if value is not None}
        await self._binding(stores).put(key, ArrayBuffer(data), JsObject(given))

    async def delete(self, stores: Stores, key: str) -> None:
        """Delete a key as a worker would.

        Raises:
            JsException: the platform's own, for what is not allowed.
        """
        await self._binding(stores).delete(key)

    def _binding(self, stores: Stores) -> Any:
        return stores.kv_binding(KVNamespace(binding=self.id, id=self.id))


def namespace_options(*, is_writing: bool) -> Callable[[Function], Function]:
    """Give a command the options that say which namespace, as its argument ``namespace``.

    Args:
        is_writing: with two ids in the file, one must be chosen; reading takes the one of production.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def named(
            *, place: Place, binding: str | None, namespace_id: str | None, preview: bool | None, **options: Any
        ) -> Any:
            chosen = preview if preview is not None or is_writing else False
            return function(place=place, namespace=_find(place, binding, namespace_id, preview=chosen), **options)

        for option in (
            click.option("--preview/--no-preview", default=None, help="The namespace of preview_id."),
            click.option("--namespace-id", metavar="ID", help="The namespace, by its id."),
            click.option(
                "--binding",
                metavar="NAME",
                help="The namespace, by its name in the wrangler file.",
                shell_complete=completes(lambda worker: [config.binding for config in worker.kv_namespaces]),
            ),
        ):
            named = option(named)
        return named  # type: ignore[return-value]  # click puts the option values in

    return decorate


def namespaces(place: Place) -> list[dict[str, object]]:
    """Return every namespace that is configured or has data, as wrangler prints them."""
    found: dict[str, dict[str, object]] = {}
    for worker in place.project.workers:
        for config in worker.kv_namespaces:
            ids = {resource_name("kv", config): config.binding}
            if config.preview_id:
                ids[config.preview_id] = f"{config.binding}_preview"
            for name, title in ids.items():
                row = {"id": name, "title": f"{worker.name}-{title}", "supports_url_encoding": True}
                found.setdefault(name, row)
    for file in sorted((place.state_dir / "kv").glob("*.sqlite")):
        name = unquote(file.stem)
        found.setdefault(name, {"id": name, "title": name, "supports_url_encoding": True})
    return list(found.values())


def parse_metadata(text: str) -> dict[str, Any]:
    """Return the object that ``--metadata`` is.

    Raises:
        UsageError: it is no JSON object.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--metadata must be valid JSON. Received: {text}", hint="quote it: --metadata '{\"a\": 1}'"
        ) from error
    if not isinstance(value, dict):
        raise UsageError(f"--metadata must be a JSON object. Received: {text}", hint="write --metadata '{\"a\": 1}'")
    return value


def _find(place: Place, binding: str | None, namespace_id: str | None, *, preview: bool | None) -> Namespace:
    if (binding is None) == (namespace_id is None):
        raise UsageError(
            "--binding and --namespace-id exclude each other" if binding else "no namespace is named",
            hint="pass --binding NAME, its name in the wrangler file, or --namespace-id ID",
        )
    if namespace_id is not None:
        return Namespace(namespace_id, f'id: "{namespace_id}"', f"--namespace-id {namespace_id}")
    assert binding is not None
    project = place.project
    found = find_bound(project, lambda worker: worker.kv_namespaces, lambda config: config.binding == binding)
    if not found:
        known = [config.binding for worker in project.workers for config in worker.kv_namespaces]
        raise not_found("KV namespace", binding, project, known, key="kv_namespaces")
    ids = {_id(config, preview=preview) for _, config in found}
    if len(ids) > 1:
        files = " or -c ".join(str(worker.config_path) for worker, _ in found)
        raise UsageError(f'several workers bind "{binding}" to different namespaces', hint=f"choose one: -c {files}")
    name = ids.pop()
    return Namespace(name, f'binding: "{binding}" (id: "{name}")', f"--binding {binding}")


def _id(config: KVNamespace, *, preview: bool | None) -> str:
    if preview:
        if config.preview_id is None:
            raise UsageError(
                f'the binding "{config.binding}" has no "preview_id"',
                hint="add one to the wrangler file, or leave --preview out",
            )
        return config.preview_id
    if preview is None and config.id is not None and config.preview_id is not None:
        raise UsageError(
            f'The binding "{config.binding}" has both an "id" and a "preview_id" configured.',
            hint='pass "--preview false" for the one that `pyworkers dev` uses, or --preview for the other',
        )
    return resource_name("kv", config)
