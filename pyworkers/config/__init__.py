"""What a project's files say: wrangler configuration, local secrets, ``[tool.pyworkers]``.

`load_project` reads the workers of one command, `load_worker` a single one; both return frozen values.
"""

from pyworkers.config.compat import Compat, resolve_compat
from pyworkers.config.load import LoadOptions, load_worker
from pyworkers.config.model import (
    AIConfig,
    Engines,
    MissingService,
    NoEffect,
    OtherBinding,
    Project,
    Secret,
    ToolConfig,
    WorkerConfig,
)
from pyworkers.config.project import load_project

__all__ = [
    "AIConfig",
    "Compat",
    "Engines",
    "LoadOptions",
    "MissingService",
    "NoEffect",
    "OtherBinding",
    "Project",
    "Secret",
    "ToolConfig",
    "WorkerConfig",
    "load_project",
    "load_worker",
    "resolve_compat",
]
