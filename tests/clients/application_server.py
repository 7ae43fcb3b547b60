"""The application as its users meet it: `pyworkers dev` as a process, a chat model that fits a test, one account."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyworkers.testing.tiny_model import write_tiny_model

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "e2e"))

from dev_process import COMMAND, HANG_S, Dev, clean_environ  # noqa: E402  # found by the line above

KEY = "sk_test_" + "TheKeyOfTheTestsOfRealClients123"
EMAIL = "owner@example.com"
SCOPES = ("read", "write", "events", "stream", "assets", "admin")

PROJECT = """[tool.pyworkers]
workers = ["workers/*"]

[tool.pyworkers.ai]
engine = "xllamacpp"
default_model = "tiny.gguf"
"""
SECRETS = """JWT_SECRET="a secret for tests, of 32 characters or more"
ANONYMOUS_LIMIT_FACTOR="1000"
"""


@dataclass(frozen=True, slots=True)
class Application:
    """A running server.

    Attributes:
        url: without a slash at its end.
        key: an API key of a tenant without limits.
        folder: the project's.
    """

    url: str
    key: str
    dev: Dev
    folder: Path


@contextmanager
def running_application(folder: Path) -> Iterator[Application]:
    """Run the application in a folder of its own, with its state beside it."""
    write_project(folder)
    dev = Dev(folder, ["--port", "0"], {})
    try:
        dev.wait_ready()
        add_account(dev, folder)
        yield Application(str(dev.client.base_url).rstrip("/"), KEY, dev, folder)
    finally:
        dev.close()


def write_project(folder: Path) -> None:
    """Write a project of the application's own files."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (folder / ".dev.vars").write_text(SECRETS, encoding="utf-8")
    shutil.copy(ROOT / "wrangler.toml", folder)
    (folder / "workers").symlink_to(ROOT / "workers")
    write_tiny_model(folder / "tiny.gguf", is_steady=True)  # clients do not all choose a temperature


def add_account(dev: Dev, folder: Path) -> None:
    """Store a tenant, its user and its key, and the demo tenant of `make dev`, with the command that people use."""
    event = {"id": "first", "event": "first"}
    assert dev.client.post("/events", json=event).status_code == 200  # the first request makes the tables
    scopes = json.dumps(SCOPES)
    hashed = hashlib.sha256(KEY.encode()).hexdigest()
    script = f"""INSERT INTO tenants (id, name, tier, created_at_ms, updated_at_ms)
  VALUES ('tenant-clients', 'Clients', 'enterprise', 1700000000000, 1700000000000);
INSERT INTO users (id, tenant_id, email, scopes, created_at_ms, updated_at_ms)
  VALUES ('user-clients', 'tenant-clients', '{EMAIL}', '{scopes}', 1700000000000, 1700000000000);
INSERT INTO api_keys (id, tenant_id, user_id, key_hash, key_prefix, name, scopes, created_at_ms)
  VALUES ('key-clients', 'tenant-clients', 'user-clients', '{hashed}', '{KEY[:16]}', 'first', '{scopes}',
    1700000000000);
"""
    (folder / "account.sql").write_text(script, encoding="utf-8")
    for file in ("account.sql", "workers/api/seed.sql"):
        run_pyworkers(folder, "d1", "execute", "DB", "--yes", "--file", file)


def run_pyworkers(folder: Path, *arguments: str) -> None:
    """Run the command, which has to succeed."""
    done = subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
