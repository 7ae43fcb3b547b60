"""Rate limits, Hyperdrive and the Secrets Store, beyond the recordings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pyworkers.bindings.hyperdrive import Hyperdrive
from pyworkers.bindings.ratelimit import RateCounters, Ratelimit
from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.sockets import Sockets
from pyworkers.js.values import JsException, JsObject
from pyworkers.runtime.environment import Unavailable
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores


def allowed(limit: Ratelimit, key: str = "a", **options: Any) -> bool:
    async def call() -> bool:
        answer = await limit.limit(JsObject({"key": key, **options}))
        return bool(answer.success)

    return asyncio.run(call())


# ---- rate limits


@pytest.mark.parametrize("period_s", [10, 60])
def test_a_rate_limit_lets_calls_through_again_in_the_next_period(period_s: int) -> None:
    clock = ManualClock(6_000_000)
    limit = Ratelimit(RateCounters(clock), limit=2, period_s=period_s)
    assert [allowed(limit) for _ in range(3)] == [True, True, False]
    clock.advance(period_s - 0.001)
    assert not allowed(limit)
    clock.advance(0.001)
    assert [allowed(limit) for _ in range(3)] == [True, True, False]


def test_keys_are_counted_apart_and_bindings_of_one_namespace_together() -> None:
    counters = RateCounters(ManualClock())
    first, second = (Ratelimit(counters, limit=1, period_s=60) for _ in range(2))
    assert [allowed(first, "a"), allowed(second, "a"), allowed(second, "b")] == [True, False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"other": 1, "more": 2}, "bad rate limit options: [other,more]"),
        ({"key": 5}, "invalid key: 5"),
        ({"limit": "2"}, "limit must be a number: 2"),
        ({"period": True}, "period must be a number: true"),
        ({"period": 20}, "unsupported period: 20"),
    ],
)
def test_wrong_options_of_a_rate_limit_are_refused(options: dict[str, Any], message: str) -> None:
    limit = Ratelimit(RateCounters(ManualClock()), limit=1, period_s=60)

    async def call() -> None:
        await limit.limit(JsObject(options))

    with pytest.raises(JsException) as caught:
        asyncio.run(call())
    assert (caught.value.name, caught.value.message) == ("Error", message)


# ---- Hyperdrive


def test_a_socket_to_a_hyperdrive_host_reaches_the_local_database() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello " + await reader.readexactly(2))
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        realm = Realm()
        REALM.set(realm)
        hyperdrive = Hyperdrive(f"postgresql://u:p@127.0.0.1:{port}/db", realm.hosts)
        assert hyperdrive.connectionString == f"postgresql://u:p@{hyperdrive.host}:5432/db?sslmode=disable"
        for socket in (hyperdrive.connect(), Sockets().connect(f"{hyperdrive.host}:{hyperdrive.port}")):
            writer = socket.writable.getWriter()
            await writer.write(_bytes(b"db"))
            assert await socket.readable.read_all() == b"hello db"
            await socket.closed
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def _bytes(data: bytes) -> Any:
    from pyworkers.js.buffers import ArrayBuffer, Uint8Array

    return Uint8Array(ArrayBuffer(data))


# ---- env


def env_of(folder: Path, config: str) -> dict[str, object]:
    (folder / "entry.py").write_text("async def fetch(request, env): ...\n")
    (folder / "wrangler.toml").write_text(
        'name = "app"\nmain = "entry.py"\ncompatibility_date = "2026-11-17"\n' + config
    )

    async def main() -> dict[str, object]:
        clock = ManualClock()
        project = load_project(folder, [folder / "wrangler.toml"])
        async with Runtime(project, Stores(None, project, clock), clock=clock) as runtime:
            return runtime.primary.env.own_properties()

    return asyncio.run(main())


def test_a_hyperdrive_binding_without_a_local_database_says_how_to_give_it_one(tmp_path: Path) -> None:
    binding = env_of(tmp_path, '[[hyperdrive]]\nbinding = "HD"\nid = "x"\n')["HD"]
    assert isinstance(binding, Unavailable)
    with pytest.raises(JsException) as caught:
        _ = binding.connectionString
    assert caught.value.message == (
        "The Hyperdrive binding HD is not available locally: set its localConnectionString, or "
        "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_HD in the environment"
    )


@pytest.mark.parametrize("prefix", ["CLOUDFLARE", "WRANGLER"])
def test_the_local_database_may_be_named_in_the_environment(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{prefix}_HYPERDRIVE_LOCAL_CONNECTION_STRING_HD", "mysql://me@db.test/shop")
    binding = env_of(tmp_path, '[[hyperdrive]]\nbinding = "HD"\nid = "x"\n')["HD"]
    assert isinstance(binding, Hyperdrive)
    assert (binding.user, binding.password, binding.database) == ("me", "", "shop")


def test_a_store_s_secret_may_carry_the_name_of_its_binding(tmp_path: Path) -> None:
    (tmp_path / ".dev.vars").write_text("TOKEN=abc\n")
    table = '[[secrets_store_secrets]]\nbinding = "TOKEN"\nstore_id = "s"\nsecret_name = "api-token"\n'
    secret: Any = env_of(tmp_path, table)["TOKEN"]

    async def read() -> str:
        found: str = await secret.get()
        return found

    assert asyncio.run(read()) == "abc"


def test_version_metadata_tells_when_the_worker_was_loaded(tmp_path: Path) -> None:
    version: Any = env_of(tmp_path, '[version_metadata]\nbinding = "V"\n')["V"]
    assert (version.tag, version.timestamp) == ("", "2023-11-14T22:13:20.000Z")
