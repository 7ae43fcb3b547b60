"""Fixtures: the application as a server, and the published clients that call it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from application_server import Application, running_application
from npm_packages import Unavailable, bundle_scripts, installed_packages, node_path

Client = Callable[[str, str], Any]


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The application, for all tests of the session: clients must not notice each other."""
    with running_application(tmp_path_factory.mktemp("clients") / "project") as running:
        yield running


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Node, and the folder of the bundled scripts."""
    try:
        node = node_path()
        packages = installed_packages()
    except Unavailable as why:
        pytest.skip(str(why))
    folder = tmp_path_factory.mktemp("bundles")
    bundle_scripts(packages, folder)
    return node, folder


@pytest.fixture
def client(bundles: tuple[str, Path], application: Application) -> Client:
    """Run one case of a script: ``client("js_sdk", "user")`` returns what it returns."""
    node, folder = bundles

    def run(script: str, case: str) -> Any:
        environ = {**os.environ, "API_URL": application.url, "API_KEY": application.key, "NO_PROXY": "*"}
        command = [node, str(folder / f"{script}.cjs"), case]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{script} {case}:\n{done.stderr[-4000:]}"
        return json.loads(done.stdout.splitlines()[-1])

    return run
