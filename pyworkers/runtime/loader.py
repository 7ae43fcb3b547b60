"""One namespace of modules for each loaded worker, all in one interpreter.

A worker's modules live in ``sys.modules`` under names that start with the namespace's prefix, such as
``_w_api_1.entry``; so two workers may both have ``entry.py`` and ``lib.py``, and everything that looks a class up by
its module (dataclasses, pickle, typing, pydantic) works. The modules get builtins of their own, whose ``__import__``
looks for an absolute name among the worker's files first, as it would be found on the platform's ``sys.path``, and then
falls back to the ordinary import system: the standard library and installed packages are shared. An installed package
that imports by name (Django its settings, applications and URLs) is told the files of the worker that is running.

Limits: code that reads ``sys.modules["lib"]`` itself does not find it, and an extension module in ``python_modules``
loads once a process.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import itertools
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pyworkers.pyodide.sync_httpx import ADAPTERS

PREFIX: Final = "_w_"
_PREFIXED: Final = re.compile(rf"\b{PREFIX}\w*_\d+\.(?=\w)")
_EXTENSIONS: Final = tuple(importlib.machinery.EXTENSION_SUFFIXES)
_generations = itertools.count(1)
_namespaces: dict[str, ModuleNamespace] = {}
_plain_import = builtins.__import__
_plain_import_module = importlib.import_module


# The modules of the worker whose code runs, or is being loaded.
RUNNING: ContextVar[ModuleNamespace | None] = ContextVar("running_namespace", default=None)


class ModuleNamespace:
    """The modules of one loaded worker.

    Args:
        name: the worker's name, as part of the prefix.
        roots: folders that absolute imports look in first, in order.
    """

    def __init__(self, name: str, roots: Sequence[Path]) -> None:
        _install()
        self.roots = [str(root) for root in roots]
        self.prefix = f"{PREFIX}{re.sub(r'[^0-9A-Za-z]', '_', name)}_{next(_generations)}"
        self.builtins: dict[str, Any] = {**vars(builtins), "__import__": self._import}
        self._owned: dict[str, bool] = {}
        package = ModuleType(self.prefix)
        package.__path__ = self.roots
        package.__spec__ = ModuleSpec(self.prefix, None, is_package=True)
        package.__spec__.submodule_search_locations = self.roots
        sys.modules[self.prefix] = package
        _namespaces[self.prefix] = self

    def load(self, name: str) -> ModuleType:
        """Import the worker's module of this plain dotted name."""
        return _plain_import_module(f"{self.prefix}.{name}")

    def import_module(self, name: str) -> ModuleType:
        """Import as the worker's own ``import`` statement would: its files first, then installed packages."""
        return _plain_import_module(f"{self.prefix}.{name}" if self.owns(name.partition(".")[0]) else name)

    def owns(self, top: str) -> bool:
        """Tell whether the worker's files hold a top-level module or package of this name."""
        if top not in self._owned:
            self._owned[top] = self._find(top)
        return self._owned[top]

    def files(self) -> set[Path]:
        """Return the files of every module that was loaded, for watching."""
        return {
            Path(file)
            for name, module in list(sys.modules.items())
            if name.startswith(f"{self.prefix}.") and (file := getattr(module, "__file__", None))
        }

    def dispose(self) -> None:
        """Forget every module; those still running keep their globals."""
        for name in [name for name in sys.modules if name == self.prefix or name.startswith(f"{self.prefix}.")]:
            del sys.modules[name]
        _namespaces.pop(self.prefix, None)

    def _find(self, top: str) -> bool:
        for root in map(Path, self.roots):
            if (root / f"{top}.py").is_file() or (root / top / "__init__.py").is_file():
                return True
            if any((root / f"{top}{suffix}").is_file() for suffix in _EXTENSIONS):
                return True
        # A folder without __init__.py is a namespace package only where nothing else has the name.
        if any((Path(root) / top).is_dir() for root in self.roots):
            return not _is_installed(top)
        return False

    def _name_plainly(self, error: ModuleNotFoundError) -> None:
        """Say which module is missing as the worker's author named it."""
        if error.name is not None and error.name.startswith(f"{self.prefix}."):
            error.name = plain_name(error.name)
            error.msg = error.msg.replace(f"{self.prefix}.", "")
            error.args = (error.msg,)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002  # the signature of __import__
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0:
            top = name.partition(".")[0]
            if self.owns(top):
                try:
                    _plain_import_module(f"{self.prefix}.{name}")
                except ModuleNotFoundError as error:
                    self._name_plainly(error)
                    raise
                if fromlist:
                    return _plain_import(f"{self.prefix}.{name}", globals, locals, fromlist, 0)
                return sys.modules[f"{self.prefix}.{top}"]
        return _plain_import(name, globals, locals, fromlist or (), level)


def plain_name(name: str) -> str:
    """Return a module's name as its author wrote it, without the namespace's prefix."""
    return name.partition(".")[2] if name.startswith(PREFIX) else name


def plain_names(text: str) -> str:
    """Return a text that names classes and modules, such as a traceback, with their names as the author wrote them."""
    return _PREFIXED.sub("", text) if PREFIX in text else text


def _is_installed(top: str) -> bool:
    """Tell whether the ordinary import system has a module or package of this name; namespace packages do not count."""
    module = sys.modules.get(top)
    spec = importlib.util.find_spec(top) if module is None else module.__spec__
    if spec is None:
        return module is not None
    return spec.origin is not None or spec.submodule_search_locations is None


class _Loader(SourceFileLoader):
    """Gives a worker's module its namespace's builtins."""

    def path_stats(self, path: str) -> dict[str, int]:
        """Return the stamp of a compiled file in milliseconds: two saves within a second must not share one."""
        stat = Path(path).stat()
        return {"mtime": stat.st_mtime_ns // 1_000_000, "size": stat.st_size}

    def exec_module(self, module: ModuleType) -> None:
        namespace = _namespaces.get(module.__name__.partition(".")[0])
        if namespace is not None:
            module.__dict__["__builtins__"] = namespace.builtins
        super().exec_module(module)
        adapt = ADAPTERS.get(plain_name(module.__name__))
        if adapt is not None:  # a urllib3 or httpx that the worker brought along
            adapt(module)


class _Finder:
    """Answers for prefixed names only; every other import passes it at the price of one comparison."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        if not fullname.startswith(PREFIX):
            return None
        tail = fullname.rpartition(".")[2]
        for root in map(Path, path or ()):
            package = root / tail / "__init__.py"
            if package.is_file():
                return _spec(fullname, package, [str(package.parent)])
            module = root / f"{tail}.py"
            if module.is_file():
                return _spec(fullname, module, None)
            for suffix in _EXTENSIONS:
                if (root / f"{tail}{suffix}").is_file():
                    return importlib.util.spec_from_file_location(fullname, root / f"{tail}{suffix}")
        for root in map(Path, path or ()):
            if (root / tail).is_dir():
                spec = ModuleSpec(fullname, None, is_package=True)
                spec.submodule_search_locations = [str(root / tail)]
                return spec
        return None


def _spec(fullname: str, file: Path, locations: list[str] | None) -> ModuleSpec | None:
    loader = _Loader(fullname, str(file))
    return importlib.util.spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=locations)


def _import_module(name: str, package: str | None = None) -> ModuleType:
    """``importlib.import_module``, for the modules of workers and for what they call: the worker's files come first.

    For an installed package they come last, for it may mean another package of the same name.
    """
    if name.startswith("."):  # relative to the caller's own package
        return _plain_import_module(name, package)
    caller = sys._getframe(1).f_globals.get("__name__", "")
    namespace = _namespaces.get(caller.partition(".")[0])
    top = name.partition(".")[0]
    if namespace is None and (running := RUNNING.get()) is not None and running.owns(top) and not _is_installed(top):
        namespace = running
    if namespace is None or not namespace.owns(top):
        return _plain_import_module(name, package)
    if plain_name(caller).startswith("django."):
        _let_django_know(caller)
    try:
        return _plain_import_module(f"{namespace.prefix}.{name}", package)
    except ModuleNotFoundError as error:
        namespace._name_plainly(error)
        raise


def _let_django_know(caller: str) -> None:
    """Let Django find a model's application, by the name of the model's module: `proj.models` is of the app `proj`."""
    registry = sys.modules.get(caller[: len(caller) - len(plain_name(caller))] + "django.apps.registry")
    apps: Any = getattr(registry, "Apps", None)
    if apps is None or getattr(apps.get_containing_app_config, "knows_workers", False):
        return
    find = apps.get_containing_app_config

    def get_containing_app_config(self: object, object_name: str) -> object:
        return find(self, plain_name(object_name))

    get_containing_app_config.knows_workers = True  # type: ignore[attr-defined]  # a mark on the function
    apps.get_containing_app_config = get_containing_app_config


def _install() -> None:
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
        patched: Callable[..., ModuleType] = _import_module
        importlib.import_module = patched
        logging.setLogRecordFactory(partial(_named_record, logging.getLogRecordFactory()))


def _named_record(factory: Callable[..., logging.LogRecord], name: str, *rest: Any, **named: Any) -> logging.LogRecord:
    """Make a log record; that of a logger called after a worker's module has the name which that has in production."""
    return factory(plain_name(name), *rest, **named)
