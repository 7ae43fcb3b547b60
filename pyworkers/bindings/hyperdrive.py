"""``env.HYPERDRIVE``: a database behind a host name that only ``cloudflare:sockets`` resolves.

Source: workerd src/workerd/api/hyperdrive.c++; recorded, contracts/misc, misc.hyperdrive.props
"""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from typing import Final
from urllib.parse import unquote, urlsplit

from pyworkers.js.sockets import Socket
from pyworkers.js.values import JsProxy, js_method

PORT: Final = 5_432
# What a worker sees, whatever the database's own is, and what a connection string without one means.
_PORTS: Final = {"mysql": 3_306, "postgres": PORT, "postgresql": PORT}
_PROPERTIES: Final = ("connectionString", "port", "host", "password", "user", "database")

# What a worker's ``connect`` resolves before the network does: "host:port" → host and port.
Hosts = MutableMapping[str, tuple[str, int]]


class Hyperdrive(JsProxy, read_only=" ".join(_PROPERTIES)):
    """A database.

    Args:
        connection_string: of the local database: ``postgres://user:password@host:port/database``.
        hosts: where the host name is made known.
    """

    def __init__(self, connection_string: str, hosts: Hosts) -> None:
        url = urlsplit(connection_string)
        scheme = url.scheme
        self.port = _PORTS.get(scheme, PORT)
        self.host = f"{secrets.token_hex(16)}.hyperdrive.local"
        self.user = unquote(url.username or "")
        self.password = unquote(url.password or "")
        self.database = unquote(url.path.removeprefix("/"))
        self.connectionString = (
            f"{scheme}://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}?"
            f"{'ssl-mode=disabled' if scheme == 'mysql' else 'sslmode=disable'}"
        )
        self._place = url.hostname or "localhost", url.port or _PORTS.get(scheme, PORT)
        hosts[f"{self.host}:{self.port}"] = self._place

    def own_properties(self) -> dict[str, object]:
        """Return the properties, in the platform's order."""
        own = {name: value for name, value in vars(self).items() if name not in _PROPERTIES and name[0] != "_"}
        return {**{name: getattr(self, name) for name in _PROPERTIES}, **own}

    @js_method
    def connect(self) -> Socket:
        """Open a connection to the database."""
        host, port = self._place
        return Socket(host, port, "off", half_open=False)
