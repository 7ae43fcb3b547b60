"""Errors about what a configuration says that only show when it is used."""

from __future__ import annotations

from collections.abc import Mapping

from pyworkers.config.jsonc import KeyPath
from pyworkers.config.model import WorkerConfig
from pyworkers.config.source import read_source
from pyworkers.errors import ConfigError


def error_at(config: WorkerConfig, key: KeyPath, message: str, *, hint: str) -> ConfigError:
    """Return an error that points at a value of a worker's file, in the table of its environment where that has it.

    Args:
        key: where the value stands in the file, without its environment.
    """
    try:
        source = read_source(config.config_path)
    except ConfigError:  # it is gone, or was changed since
        return ConfigError(message, file=config.config_path, hint=hint)
    environments = source.data.get("env")
    table = environments.get(config.environment or "") if isinstance(environments, Mapping) else None
    if config.environment is not None and isinstance(table, Mapping) and key[0] in table:
        key = ("env", config.environment, *key)
    return source.error(message, key, hint=hint)
