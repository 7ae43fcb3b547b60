"""``env.SECRET`` of the Secrets Store: its value comes from ``.dev.vars`` or ``.env``.

Source: miniflare src/workers/secrets-store; recorded, contracts/misc, misc.secrets.get
"""

from __future__ import annotations

from typing import Any

from pyworkers.js.promise import JsPromise, js_async
from pyworkers.js.request import Request
from pyworkers.js.values import JsException, JsProxy, type_error
from pyworkers.js.webidl import MISSING, argument_error

# What a bound worker's stub is asked for by the language, not by a script.
_NOT_METHODS = frozenset(("then", "python_class", "js_object", "js_response"))


class SecretsStoreSecret(JsProxy, js_name="Fetcher"):
    """One secret; at Cloudflare it is a bound worker, which it looks like here, too.

    Args:
        name: the secret's name in the store.
        value: None where there is no such secret.
    """

    def __init__(self, name: str, value: str | None) -> None:
        self._secret_name = name
        self._value = value

    @js_async
    async def get(self) -> str:
        """Return the secret.

        Raises:
            JsException: Error, when there is none.
        """
        if self._value is None:
            raise _remote(JsException("Error", f'Secret "{self._secret_name}" not found'))
        return self._value

    @js_async
    async def fetch(self, source: Any = MISSING, init: Any = None) -> None:
        """Refuse: what holds the secret answers no requests.

        Raises:
            JsException: always.
        """
        if source is MISSING:
            raise argument_error("Fetcher", "fetch", 1, "Request or string")
        Request.for_fetch(source, init)
        raise _remote(JsException("Error", "Handler does not export a fetch() function."))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in _NOT_METHODS:
            raise AttributeError(name)
        error = _remote(type_error(f'The RPC receiver does not implement the method "{name}".'))
        return lambda *_args, **_kwargs: JsPromise.rejected(error)


def _remote(error: JsException) -> JsException:
    error.remote = True  # type: ignore[attr-defined]  # the platform's own field
    return error
