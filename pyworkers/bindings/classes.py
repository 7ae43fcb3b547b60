"""What the local runtime, whose recordings are the reference, has in a binding's place.

Source: recorded, contracts/misc, misc.ae.*, misc.ratelimit.*, misc.email.*, misc.secrets.get
"""

from __future__ import annotations

from typing import Any, Final

from pyworkers.bindings.failures import remote
from pyworkers.js.promise import JsPromise
from pyworkers.js.values import JsProxy, type_error

# What a bound worker's stub is asked for by the language, not by a script.
_NOT_METHODS: Final = frozenset(("then", "python_class", "js_object", "js_response"))


class PlainClass(JsProxy):
    """An instance of a plain JavaScript class."""

    def toString(self) -> str:
        """JavaScript's ``String(self)``, which names no class."""
        return "[object Object]"


class BoundWorker(JsProxy, js_name="Fetcher"):
    """A bound worker: it has every method, until one is called that it does not implement."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in _NOT_METHODS:
            raise AttributeError(name)
        error = remote(type_error(f'The RPC receiver does not implement the method "{name}".'))
        return lambda *_args, **_kwargs: JsPromise.rejected(error)
