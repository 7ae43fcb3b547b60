"""The published clients, installed once from the lock file into a folder of this machine's caches."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import platformdirs

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", ".npmrc")
SCRIPTS = (
    "ai_sdk",
    "ai_sdk_older",
    "apollo",
    "graphql_audit",
    "inference_ui_ai_engine",
    "inference_ui_events",
    "inference_ui_react",
    "js_sdk",
    "node_sdk",
    "urql",
)
STORAGE = "@react-native-async-storage/async-storage"
MIN_NODE = 20
INSTALL_S = 300


class Unavailable(Exception):
    """Why the clients cannot be run here."""


def node_path() -> str:
    """Return the node command.

    Raises:
        Unavailable: there is none, or it is too old.
    """
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise Unavailable("node and npm are not installed")
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=120, check=True)
    version = shown.stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < MIN_NODE:
        raise Unavailable(f"the clients need node {MIN_NODE} or newer, this is {version}")
    return node


def installed_packages() -> Path:
    """Return the folder that holds node_modules, as the lock file says; it is made where it is missing.

    Raises:
        Unavailable: the packages cannot be had.
    """
    digest = hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    folder = Path(platformdirs.user_cache_dir("pyworkers")) / "test-clients" / digest
    if not (folder / "node_modules").is_dir():
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=folder.parent))
    try:
        for name in FILES:
            shutil.copy(HERE / name, making)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(command, cwd=making, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"npm did not install the clients within {INSTALL_S} s") from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it did not say why"]
            raise Unavailable(f"npm cannot install the clients: {lines[-1]}")
        with contextlib.suppress(OSError):  # another run was faster
            making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def bundle_scripts(packages: Path, into: Path) -> None:
    """Bundle the scripts with the packages, as an application would: some packages load in a bundler only."""
    command = [
        str(packages / "node_modules" / ".bin" / "esbuild"),
        *(str(HERE / "scripts" / f"{name}.mjs") for name in SCRIPTS),
        "--bundle",
        "--platform=node",
        "--format=cjs",
        "--conditions=module,import",
        "--out-extension:.js=.cjs",
        '--define:process.env.NODE_ENV="production"',
        f"--alias:{STORAGE}={HERE / 'scripts' / 'storage.mjs'}",
        "--log-level=warning",
        f"--outdir={into}",
    ]
    environ = {**os.environ, "NODE_PATH": str(packages / "node_modules")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
