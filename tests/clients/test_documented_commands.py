"""The curl lines of README and docs, run as they stand, but for the server's address."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from application_server import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "workers").glob("**/*.md"))]
ADDRESS = re.compile(r"(?:https?://)?(?:localhost|127\.0\.0\.1):8787")


def commands(page: Path) -> list[str]:
    """Return the commands of a page that call the application with curl; a line that ends in a backslash goes on."""
    lines = page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found = [re.sub(r"\s+", " ", line).strip().removeprefix("$ ") for line in lines]
    return [line for line in found if line.startswith("curl ") and ADDRESS.search(line) and "/cdn-cgi/" not in line]


DOCUMENTED = [
    pytest.param(command, id=f"{page.relative_to(ROOT)}:{index}")
    for page in PAGES
    for index, command in enumerate(commands(page), 1)
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", DOCUMENTED)
def test_documented_command_is_answered(application, command):
    local = ADDRESS.sub(application.url, command).replace("curl ", "curl --silent --show-error --fail-with-body ", 1)
    environ = {**os.environ, "KEY": application.key, "API_KEY": application.key, "NO_PROXY": "*"}
    done = subprocess.run(
        ["sh", "-c", local],
        cwd=application.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
    assert '"type":"error"' not in done.stdout


def test_there_are_documented_commands():
    assert DOCUMENTED
