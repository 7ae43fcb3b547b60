"""The same calls under miniflare on this machine: installed from npm into a cache folder, where Node is there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

HERE = Path(__file__).parent
VERSION = json.loads((HERE.parent / "tests/contract/record/package.json").read_text())["dependencies"]["miniflare"]
INSTALL_S = 300
RUN_S = 120


@cache
def seconds_a_call(script: str = "miniflare.mjs") -> dict[str, float]:
    """Return what each kind of call takes; {} and a line on standard error where that cannot be found out.

    Args:
        script: in this folder; it prints the seconds by name as JSON.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        return _skipped("Node is not installed")
    folder = user_cache_path("pyworkers") / f"bench-miniflare-{VERSION}"
    try:
        if not (folder / "node_modules" / "miniflare").is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text('{"private": true, "type": "module"}')
            install = ["npm", "install", "--silent", "--no-audit", "--no-fund", f"miniflare@{VERSION}"]
            subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=INSTALL_S)
        copied = shutil.copy(HERE / script, folder)
        run = subprocess.run(["node", copied], cwd=folder, check=True, capture_output=True, timeout=RUN_S)
    except (OSError, subprocess.SubprocessError) as error:
        return _skipped(str(error))
    found: dict[str, float] = json.loads(run.stdout)
    return found


def _skipped(reason: str) -> dict[str, float]:
    print(f"not compared with miniflare: {reason}", file=sys.stderr)
    return {}


def compared(name: str, own_s: float, script: str = "miniflare.mjs") -> str:
    """Return one call's time under miniflare beside ours, for the last column of the table."""
    theirs_s = seconds_a_call(script).get(name)
    return "" if theirs_s is None else f"miniflare {theirs_s * 1e6:.0f} µs, {theirs_s / own_s:.1f} times ours"
