"""Puts the boundary's modules where worker code and the SDK import them from.

The real ``pyodide-py`` package may be installed (pywrangler puts it into ``.venv-workers``); it does nothing useful
outside of a browser, so the modules here take precedence, inside of pyworkers' own processes only.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any

from pyworkers.js.realm import current_realm


def install() -> None:
    """Make ``js``, ``pyodide`` and the two helper modules importable; does nothing the second time."""
    if isinstance(sys.modules.get("pyodide"), _Pyodide):
        return
    from pyworkers.js import scope
    from pyworkers.pyodide import code, ffi, http, sync_http, sync_httpx, webloop, wrappers

    package = _Pyodide("pyodide", "Pyodide's Python API, as far as Python Workers use it.")
    package.__path__ = []  # a package, none of whose submodules come from disk
    modules = {
        "ffi": _renamed("pyodide.ffi", ffi),
        "http": _renamed("pyodide.http", http),
        "code": _renamed("pyodide.code", code),
        "webloop": _renamed("pyodide.webloop", webloop),
    }
    package.__dict__.update(modules)
    modules["ffi"].__dict__["wrappers"] = modules["ffi.wrappers"] = _renamed("pyodide.ffi.wrappers", wrappers)
    sys.modules.update({f"pyodide.{name}": module for name, module in modules.items()})
    sys.modules.update(
        {
            "pyodide": package,
            "js": scope.module,
            "_cloudflare_compat_flags": _CompatFlags("_cloudflare_compat_flags"),
            "_pyodide_entrypoint_helper": _EntrypointHelper("_pyodide_entrypoint_helper"),
        }
    )
    sync_http.install_finder(sync_httpx.ADAPTERS)


def _renamed(name: str, source: ModuleType) -> ModuleType:
    """Return a module of another name with the public members of ``source``, for messages to show that name."""
    module = ModuleType(name, source.__doc__)
    module.__dict__.update({key: getattr(source, key) for key in source.__all__}, __all__=source.__all__)
    return module


class _Pyodide(ModuleType):
    """``import pyodide``: its version follows the running worker's compatibility date."""

    def __getattr__(self, name: str) -> str:
        if name == "__version__":
            return current_realm().compat.pyodide_version
        raise AttributeError(f"module 'pyodide' has no attribute {name!r}")


class _CompatFlags(ModuleType):
    """``_cloudflare_compat_flags``: each attribute is whether the flag is on for the running worker."""

    def __getattr__(self, name: str) -> bool:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return current_realm().compat.enabled(name)
        except KeyError:
            return False  # a flag of a newer runtime


class _EntrypointHelper(ModuleType):
    """``_pyodide_entrypoint_helper``: the JavaScript modules of the running worker."""

    def __getattr__(self, name: str) -> Any:
        if name == "cloudflareWorkersModule":
            return current_realm().modules["cloudflare:workers"]
        if name == "cloudflareSocketsModule":
            return _sockets()
        raise AttributeError(name)

    @staticmethod
    def doAnImport(name: str) -> Any:
        """Import a JavaScript module; only the platform's own can be had without a JavaScript engine."""
        from pyworkers.js.promise import JsPromise
        from pyworkers.js.values import JsException

        module = _sockets() if name == "cloudflare:sockets" else current_realm().modules.get(name)
        if module is None:
            failed = JsPromise.rejected(JsException("Error", f'No such module "{name}".'))
            return failed.mark_handled()  # without a suspender nobody can await it, and the ImportError says it all
        return JsPromise.resolved(module)

    @staticmethod
    def patchWaitUntil(ctx: Any) -> None:
        """Nothing to do: ``ctx.waitUntil`` takes Python awaitables as it is."""


@cache
def _sockets() -> Any:
    from pyworkers.js.sockets import Sockets  # few workers open sockets, and this loads the ssl module

    return Sockets()
