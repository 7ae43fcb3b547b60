"""Loads a worker: its SDK and its main module, and what the module offers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextvars import Context
from pathlib import Path
from types import ModuleType
from typing import Any

from pyworkers.config.model import WorkerConfig
from pyworkers.errors import WorkerLoadError
from pyworkers.js.realm import Realm
from pyworkers.runtime.failures import where
from pyworkers.runtime.handlers import NO_GLOBAL_HANDLERS, Handlers, find_handlers, old_handlers
from pyworkers.runtime.loader import ModuleNamespace


def load_worker(
    config: WorkerConfig, realm: Realm, namespace: ModuleNamespace, context: Context, *, is_site: bool
) -> tuple[Any, Handlers]:
    """Import a worker's main module; return its SDK and what the module offers.

    Args:
        namespace: where its modules are kept.
        context: what its code sees; each import runs in a copy.
        is_site: it has static assets, and needs no module.

    Raises:
        WorkerLoadError: the module cannot be imported, or offers no handler; its modules are forgotten.
    """
    main = config.main
    if main is None and is_site:
        return context.copy().run(namespace.import_module, "workers"), Handlers()
    if main is None:
        raise WorkerLoadError("the worker has no main module", worker=config.name, hint='set "main" in its config')
    if main.suffix != ".py":
        raise WorkerLoadError(
            f'"main" is {main.name}, expected a Python module',
            worker=config.name,
            file=config.config_path,
            hint='set "main" to a .py file; workers in JavaScript are not run here',
        )
    try:
        sdk, module = context.copy().run(_import, namespace, main)
    except WorkerLoadError:
        raise
    except (Exception, SystemExit) as error:
        namespace.dispose()
        raise load_error(config.name, error, namespace.roots) from error
    handlers = find_handlers(module, sdk, legacy=not realm.compat.enabled("python_no_global_handlers"))
    if handlers.is_empty:
        namespace.dispose()
        raise WorkerLoadError(
            f"{main.name} has no handler: neither a class Default(WorkerEntrypoint) nor a function fetch was found",
            worker=config.name,
            file=main,
            hint=_handler_hint(old_handlers(module)),
        )
    return sdk, handlers


def _handler_hint(old: Sequence[str]) -> str:
    if not old:
        return "add `async def fetch(request, env): ...`"
    return (
        f"{old[0]} is only called at compatibility dates before {NO_GLOBAL_HANDLERS}: "
        f"call it {old[0].removeprefix('on_')}, or set an earlier date"
    )


def roots_of(config: WorkerConfig) -> list[Path]:
    """Return where absolute imports look: beside the main module, then in what pywrangler vendored."""
    roots = [*([config.main.parent] if config.main is not None else []), config.root / "python_modules"]
    return [root for root in roots if root.is_dir()]


def load_error(worker: str, error: BaseException, roots: Sequence[str]) -> WorkerLoadError:
    """Describe an exception that a worker's module raised while it was imported.

    Args:
        roots: folders of the worker's own modules.
    """
    place = where(error, roots)
    hint = "save the corrected file to load it again"
    if isinstance(error, ModuleNotFoundError):
        hint = f"install its package beside pyworkers ({sys.executable} -m pip install ...), and save the file again"
    message = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
    return WorkerLoadError(
        message,
        worker=worker,
        file=place[0] if place else None,
        line=place[1] if place else None,
        hint=hint,
    )


def _import(namespace: ModuleNamespace, main: Path) -> tuple[Any, ModuleType]:
    sdk = namespace.import_module("workers")
    return sdk, namespace.load(main.stem)
