"""The same calls in miniflare, Cloudflare's own emulator, on this machine: where Node.js is there.

miniflare comes from npm, once, into a folder of the user's cache.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

_SCRIPT = Path(__file__).with_name("miniflare.mjs")
_INSTALL_S = 300
_RUN_S = 600


def run_in_miniflare(worker: Path, options: Mapping[str, Any], paths: Sequence[str]) -> dict[str, float] | None:
    """Request paths of a JavaScript worker, in order, and return the seconds a call of each by its name.

    Args:
        worker: a module; ``/name?count`` makes ``count`` calls.
        options: of miniflare: the worker's bindings.
        paths: what to request.

    Returns:
        None where it cannot run; a line on stderr says why.
    """
    folder, reason = _install()
    if folder is None:
        print(f"miniflare is left out: {reason}", file=sys.stderr)
        return None
    asked = {"worker": worker.read_text(), "options": dict(options), "paths": list(paths)}
    script = folder / _SCRIPT.name
    shutil.copyfile(_SCRIPT, script)
    done = subprocess.run(
        ["node", str(script)], input=json.dumps(asked), capture_output=True, text=True, timeout=_RUN_S, cwd=folder
    )
    if done.returncode:
        print(f"miniflare is left out: {done.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _install() -> tuple[Path | None, str]:
    """Return the folder that miniflare is installed in, or None and why."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None, "there is no node and npm on the PATH"
    folder = user_cache_path("pyworkers") / "benchmarks" / "miniflare"
    if not (folder / "node_modules" / "miniflare").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "miniflare@4"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S)
        if done.returncode:
            return None, f"npm install failed: {done.stderr.strip()[-300:]}"
    return folder, ""
