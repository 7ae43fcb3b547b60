"""A worker with Durable Objects whose methods run what a test gives them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

CONFIG = """
name = "w"
main = "entry.py"
compatibility_date = "2026-08-01"
compatibility_flags = ["python_workers_314"]

[[durable_objects.bindings]]
name = "DO"
class_name = "Obj"

[[durable_objects.bindings]]
name = "BARE"
class_name = "Bare"

[[durable_objects.bindings]]
name = "BROKEN"
class_name = "Broken"

[[durable_objects.bindings]]
name = "OTHER"
class_name = "Elsewhere"
script_name = "other"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Obj", "Bare", "Broken"]
"""

ENTRY = """
from workers import DurableObject, Response, WorkerEntrypoint

CODE = {}
BORN = []


class Obj(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        BORN.append(str(ctx.id.name))
        if "born" in CODE:
            CODE["born"](self)

    async def do(self, key, *args):
        return await CODE[key](self, *args)

    async def fetch(self, request):
        return await CODE["fetch"](self, request)

    async def alarm(self, info):
        return await CODE["alarm"](self, info)

    async def webSocketMessage(self, socket, message):
        return await CODE["message"](self, socket, message)

    async def webSocketClose(self, socket, code, reason, was_clean):
        return await CODE["close"](self, socket, code, reason, was_clean)

    def echo(self, value):
        return value


class Bare(DurableObject):
    async def do(self, key):
        return await CODE[key](self)


class Broken(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        raise ValueError("born dead")

    def hello(self):
        return 1


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("hello")

    def hi(self):
        return "hi"
"""

OTHER = """
from workers import DurableObject, Response


class Elsewhere(DurableObject):
    async def where(self):
        await self.ctx.storage.put("k", 1)
        return ["other", await self.ctx.storage.get("k")]


async def fetch(request):
    return Response("other")
"""

OTHER_CONFIG = """
name = "other"
main = "entry.py"
compatibility_date = "2026-08-01"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Elsewhere"]
"""


@pytest.fixture
def worker_config(tmp_path):
    paths = []
    for name, config, entry in (("w", CONFIG, ENTRY), ("other", OTHER_CONFIG, OTHER)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "wrangler.toml").write_text(config)
        (folder / "entry.py").write_text(entry)
        paths.append(folder / "wrangler.toml")
    return paths


@pytest.fixture
def code(runtime: Any) -> dict[str, Any]:
    """What the objects' methods run, by key."""
    found: dict[str, Any] = runtime.primary.namespace.import_module("entry").CODE
    return found


@pytest.fixture
def born(runtime: Any) -> list[str]:
    """The names of the objects whose constructors ran."""
    found: list[str] = runtime.primary.namespace.import_module("entry").BORN
    return found


@pytest.fixture
def inside(runtime: Any, code: dict[str, Any]) -> Callable[..., Awaitable[Any]]:
    """Run a function inside of an object: it gets the raw ``ctx``; returns what it returns."""

    async def run(function: Callable[[Any], Awaitable[Any]], *, name: str = "a", binding: str = "DO") -> Any:
        results: list[Any] = []

        async def body(target: Any) -> None:
            results.append(await function(target.ctx._ctx))

        code["inside"] = body
        await getattr(runtime.primary.env, binding).getByName(name).do("inside")
        return results[0]

    return run
