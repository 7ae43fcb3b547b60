"""The application as its tests run it: its own files, its own configuration, and a model that fits a test."""

import asyncio
import json
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from loop_time import loop_runner

from pyworkers.testing.tiny_model import write_tiny_model

ROOT = Path(__file__).parents[2]
WORKERS = ROOT / "workers"
# For the tests of the pure parts; each worker's package has a name of its own.
sys.path += [str(WORKERS / "api"), str(WORKERS / "streaming")]

PROJECT = """[tool.pyworkers]
workers = ["workers/*"]

[tool.pyworkers.ai]
engine = "xllamacpp"
default_model = "tiny.gguf"
"""

JWT_SECRET = "a secret for tests, of 32 characters or more"
EVERY_SCOPE = ("read", "write", "events", "stream", "assets", "admin")


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant with one user and one API key."""

    tenant_id: str
    user_id: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """What a request of this tenant carries."""
        return {"authorization": f"Bearer {self.key}"}


class Caller:
    """The worker as somebody with an account calls it."""

    def __init__(self, worker, account: Account) -> None:
        self.worker = worker
        self.account = account

    async def fetch(self, resource, **options):
        """Send a request with the account's key, unless it brings credentials of its own."""
        headers = {**self.account.headers, **options.pop("headers", {})}
        return await self.worker.fetch(resource, headers=headers, **options)

    def __getattr__(self, name: str):
        return getattr(self.worker, name)


async def make_account(env, name="acme", *, tier="enterprise", scopes=EVERY_SCOPE) -> Account:
    """Store a tenant, its user `<name>@example.com` and a key, as the seed does."""
    from inference_ui_api import migrations
    from inference_ui_api.secrets_text import hash_secret, new_api_key

    await migrations._apply_missing(env.DB)
    account = Account(f"tenant-{name}", f"user-{name}", new_api_key(is_test=True))
    granted, now = json.dumps(scopes), 1
    tenant = "INSERT INTO tenants (id, name, tier, created_at_ms, updated_at_ms) VALUES (?1, ?2, ?3, ?4, ?4)"
    user = (
        "INSERT INTO users (id, tenant_id, email, scopes, created_at_ms, updated_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)"
    )
    key = """INSERT INTO api_keys (id, tenant_id, user_id, key_hash, key_prefix, name, scopes, created_at_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, 'first', ?6, ?7)"""
    prepare, hashed = env.DB.prepare, hash_secret(account.key)
    await env.DB.batch(
        [
            prepare(tenant).bind(account.tenant_id, name, tier, now),
            prepare(user).bind(account.user_id, account.tenant_id, f"{name}@example.com", granted, now),
            prepare(key).bind(
                str(uuid.uuid4()), account.tenant_id, account.user_id, hashed, account.key[:16], granted, now
            ),
        ]
    )
    return account


@pytest.fixture
def event_loop_runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """The event loop of the test and its workers."""
    with loop_runner() if request.node.get_closest_marker("loop_time") else asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def account(env, event_loop_runner) -> Account:
    """An account without limits."""
    return event_loop_runner.run(make_account(env))


@pytest.fixture
def worker_config(tmp_path: Path) -> list[Path]:
    """The application in a project whose chat model is the tiny one."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    shutil.copy(ROOT / "wrangler.toml", project)
    (project / ".dev.vars").write_text(f'JWT_SECRET="{JWT_SECRET}"\n', encoding="utf-8")
    (project / "workers").symlink_to(WORKERS)
    write_tiny_model(project / "tiny.gguf")
    return [project / "wrangler.toml"]
