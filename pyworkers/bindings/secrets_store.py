"""``env.SECRET`` of the Secrets Store: its value comes from ``.dev.vars`` or ``.env``.

Source: miniflare src/workers/secrets-store; recorded, contracts/misc, misc.secrets.get
"""

from __future__ import annotations

from typing import Any

from pyworkers.bindings.classes import BoundWorker
from pyworkers.bindings.failures import remote
from pyworkers.js.promise import js_async
from pyworkers.js.request import Request
from pyworkers.js.values import JsException
from pyworkers.js.webidl import MISSING, argument_error


class SecretsStoreSecret(BoundWorker, js_name="Fetcher"):
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
            raise remote(JsException("Error", f'Secret "{self._secret_name}" not found'))
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
        raise remote(JsException("Error", "Handler does not export a fetch() function."))
