"""``[tool.pyworkers]`` of pyproject.toml: what is about pyworkers and not about the deployed worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyworkers.config.model import ToolConfig
from pyworkers.config.reader import Reader
from pyworkers.config.source import read_source


def find_tool_config(folder: Path) -> tuple[ToolConfig, Path | None]:
    """Return the settings of the nearest pyproject.toml that has some, and its path.

    ``folder`` and the folders above it are looked at, up to the one that holds ``.git``; a worker's own
    pyproject.toml without the table is passed over.

    Raises:
        ConfigError: the file is malformed, a key unknown or a value of a wrong type.
    """
    for place in (folder, *folder.parents):
        path = place / "pyproject.toml"
        if path.is_file() and b"pyworkers" in path.read_bytes():
            config = _read_table(path)
            if config is not None:
                return config, path
        if (place / ".git").exists():
            break
    return ToolConfig(), None


def _read_table(path: Path) -> ToolConfig | None:
    source = read_source(path)
    tool = source.data.get("tool")
    if not isinstance(tool, Mapping) or "pyworkers" not in tool:
        return None
    return Reader(source).read(ToolConfig, tool["pyworkers"], ("tool", "pyworkers"))
