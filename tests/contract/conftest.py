"""Fixtures of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def valkey_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real Valkey server."""
    from redis_servers import run_valkey

    yield from run_valkey(tmp_path_factory.mktemp("valkey"))


@pytest.fixture
def valkey(valkey_port: int) -> object:
    """What makes clients of an empty Valkey server."""
    from redis_servers import empty_valkey

    return empty_valkey(valkey_port)
