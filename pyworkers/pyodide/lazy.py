"""Makes ``import js`` and ``import pyodide`` work from the first such import on, at no cost before it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

NAMES: Final = frozenset(
    (
        "js",
        "pyodide",
        "pyodide.ffi",
        "pyodide.ffi.wrappers",
        "pyodide.http",
        "pyodide.code",
        "pyodide.webloop",
        "_cloudflare_compat_flags",
        "_pyodide_entrypoint_helper",
    )
)


def install_lazily() -> None:
    """Answer imports of the boundary's modules by installing them."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    @staticmethod
    def find_spec(fullname: str, _path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, _Loader()) if fullname in NAMES else None


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the installed module itself."""
        from pyworkers.pyodide.install import install

        install()
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """The module is complete as it is."""
