"""What JavaScript's global scope needs from its host, one realm for each isolate.

Code that runs as part of a worker finds its realm in a context variable, which the runtime sets around every event and
around the import of the worker's modules. Outside of a worker (a REPL, a unit test) there is the `default_realm`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from pyworkers.clock import Clock, SystemClock
from pyworkers.js import values
from pyworkers.js.values import type_error

if TYPE_CHECKING:
    from pyworkers.js.events import EventTarget
    from pyworkers.js.request import Request
    from pyworkers.js.response import Response

Outbound = Callable[["Request"], Awaitable["Response"]]
Console = Callable[[str, tuple[object, ...]], None]

_EXPERIMENTAL: Final = frozenset({"cache_reload_enabled"})
_log = logging.getLogger("pyworkers.console")


class Flags(Protocol):
    """Compatibility flags, as `pyworkers.config.compat.Compat` derives them from a date."""

    def enabled(self, flag: str) -> bool:
        """Tell whether the flag of this name is on.

        Raises:
            KeyError: no such flag.
        """
        ...

    @property
    def pyodide_version(self) -> str:
        """The Pyodide release that production runs the worker on."""
        ...


class EveryFlag:
    """Every flag is on: the newest behaviour. But those that no date turns on."""

    def enabled(self, flag: str) -> bool:
        """Return True, except for what is experimental."""
        return flag not in _EXPERIMENTAL

    @property
    def pyodide_version(self) -> str:
        """The newest release that the recordings know."""
        return "314.0.5"


async def refuse_outbound(request: Request) -> Response:
    """Refuse every request, as a worker without network sees it."""
    raise type_error(f"fetch failed: no network was given to reach {request.url}")


def log_console(level: str, args: tuple[object, ...]) -> None:
    """Write a console call to the log ``pyworkers.console``; levels: debug, info, log, warn, error, trace."""
    severity = {"debug": logging.DEBUG, "warn": logging.WARNING, "error": logging.ERROR}.get(level, logging.INFO)
    _log.log(severity, "%s", " ".join(str(arg) for arg in args))


@dataclass(eq=False)
class Realm:
    """One isolate's view of the world.

    Attributes:
        name: the worker's name.
        clock: what ``Date.now()`` and every timer reads.
        compat: which compatibility flags are on.
        outbound: answers ``fetch`` of a URL that no binding takes.
        console: receives ``console.*`` calls: the level and its text.
        on_console: sees ``console.*`` calls as they were made: the level and the arguments.
        modules: what ``import_from_javascript`` finds: ``cloudflare:workers`` and its like.
        globals: properties that the worker set on ``globalThis``.
        hosted: globals that the host makes for this worker, such as ``caches``; called at every read.
        events: what ``addEventListener`` of the global scope listens to, once something has.
        hosts: what ``connect`` resolves before the network does: ``host:port`` to host and port.
    """

    name: str = "default"
    clock: Clock = field(default_factory=SystemClock)
    compat: Flags = field(default_factory=EveryFlag)
    outbound: Outbound = refuse_outbound
    console: Console = log_console
    on_console: Console | None = None
    modules: dict[str, Any] = field(default_factory=dict)
    globals: dict[str, Any] = field(default_factory=dict)
    hosted: dict[str, Callable[[], Any]] = field(default_factory=dict)
    hosts: dict[str, tuple[str, int]] = field(default_factory=dict)
    events: EventTarget | None = None


default_realm = Realm()
REALM: ContextVar[Realm] = ContextVar("pyworkers.realm")


def current_realm() -> Realm:
    """Return the realm of the running worker, or the default one outside of any."""
    return REALM.get(default_realm)


def _is_visible(name: str) -> bool:
    """Tell whether JavaScript sees a dict's key, and warn where it does not."""
    realm = current_realm()
    if not realm.compat.pyodide_version.startswith("0.26"):
        return True
    if not name:
        return False
    realm.console(
        "warn",
        (
            f"A Python dict was passed to a JavaScript API, which cannot see its key {name!r}. Pass "
            "to_js(d, dict_converter=Object.fromEntries), or keyword arguments.",
        ),
    )
    return False


values.dict_key_hook = _is_visible
