"""Finds what a worker's module offers: handlers, entrypoint classes, Durable Object and Workflow classes.

Source: facts of workerd's ``introspection.py`` and ``python-entrypoint-helper.ts``
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

from pyworkers.config.model import WorkerConfig

# The platform's texts.
AN_ERROR_RESPONSE: Final = "Return value from serve handler must not be an error response (like Response.error())"
NOT_A_RESPONSE: Final = "Incorrect type for Promise: the Promise did not resolve to 'Response'."
NO_FETCH: Final = "Handler does not export a fetch() function."

# What else than requests a class handles, and its first argument.
_EVENTS: Final = {"scheduled": "controller", "queue": "batch", "email": "message", "tail": "events"}

MODULE_HANDLERS: Final = ("fetch", "scheduled", "queue", "email", "tail", "trace", "test")
NO_GLOBAL_HANDLERS: Final = "2025-08-14"  # the date from which `on_*` mean nothing
LEGACY_HANDLERS: Final = ("on_fetch", "on_scheduled", "on_queue", "on_alarm", "on_trace", "on_pubsub", "test")


@dataclass(frozen=True, slots=True)
class Handlers:
    """What one worker's main module offers.

    Attributes:
        default: the class named ``Default``, or None.
        entrypoints: WorkerEntrypoint classes by name, ``Default`` left out.
        durable_objects: DurableObject classes by name.
        workflows: WorkflowEntrypoint classes by name.
        functions: module-level handlers by plain name (``fetch``), where there is no ``Default``.
        legacy: the functions are ``on_*`` handlers, which get the raw JavaScript objects.
    """

    default: type | None = None
    entrypoints: Mapping[str, type] = field(default_factory=dict)
    durable_objects: Mapping[str, type] = field(default_factory=dict)
    workflows: Mapping[str, type] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    legacy: bool = False

    @property
    def is_empty(self) -> bool:
        """Tell whether the module offers nothing at all."""
        return self.default is None and not (
            self.entrypoints or self.durable_objects or self.workflows or self.functions
        )


def describe_unreachable(handlers: Handlers) -> str | None:
    """Return why requests from outside reach no code of a worker although it has entrypoints, or None."""
    if handlers.default is not None or handlers.functions or not handlers.entrypoints:
        return None
    found = ", ".join(handlers.entrypoints)
    return (
        f"answers no request from outside: found the entrypoint {found}, expected a class Default or a function fetch; "
        "name one of the classes Default"
    )


def describe_flaws(handlers: Handlers, config: WorkerConfig) -> list[str]:
    """Return a line for each handler that cannot be called, and for each class that is missing."""
    return [*describe_uncallable(handlers), *describe_misnamed(handlers, config), *describe_missing(handlers, config)]


def describe_uncallable(handlers: Handlers) -> list[str]:
    """Return a line for each handler of the class ``Default`` that does not take what the platform passes.

    Source: workerd, src/pyodide/python-entrypoint-helper.ts: an event, then ``env`` and ``ctx``
    """
    lines = []
    for name, event in _EVENTS.items():
        function = getattr(handlers.default, name, None)
        if function is None:
            continue
        try:
            found = inspect.signature(function)
            found.bind(None, None, None, None)
        except TypeError:
            lines.append(
                f"{name}{found} cannot be called: it is passed ({event}, env, ctx); "
                f"write async def {name}(self, {event}, env, ctx)"
            )
        except ValueError:  # a callable without a signature
            continue
    return lines


def describe_misnamed(handlers: Handlers, config: WorkerConfig) -> list[str]:
    """Return a line for a ``fetch`` of the class ``Default`` that has the name of the other side of 2025-08-14."""
    is_legacy = not config.compat.enabled("python_no_global_handlers")
    expected, other = ("on_fetch", "fetch") if is_legacy else ("fetch", "on_fetch")
    if not hasattr(handlers.default, other) or hasattr(handlers.default, expected):
        return []
    step = f"call it {expected}" + (f", or set a date from {NO_GLOBAL_HANDLERS}" if is_legacy else "")
    return [f"{other} of Default is not called at the compatibility date {config.compatibility_date}: {step}"]


def describe_missing(handlers: Handlers, config: WorkerConfig) -> list[str]:
    """Return a line for each class that the configuration names and the main module does not offer.

    Source: workerd, src/workerd/server/server.c++, initActorNamespaces: a warning, and calls fail
    """
    objects = {binding.class_name for binding in config.durable_objects if binding.script_name in (None, config.name)}
    flows = {binding.class_name for binding in config.workflows if binding.script_name in (None, config.name)}
    wanted = [
        *((name, "Durable Object", "DurableObject") for name in sorted(objects | set(config.durable_object_classes))),
        *((name, "Workflow", "WorkflowEntrypoint") for name in sorted(flows)),
    ]
    found = {"Durable Object": handlers.durable_objects, "Workflow": handlers.workflows}
    place = config.main.name if config.main is not None else "the main module"
    return [
        f"the config names the {kind} class {name}, but {place} has no class of that name that extends {base}: "
        f"calls to it fail{_suggest(name, found[kind])}"
        for name, kind, base in wanted
        if name not in found[kind]
    ]


def _suggest(name: str, known: Mapping[str, type]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else "; write it, import it there, or take it out of the config"


def find_handlers(module: ModuleType, sdk: ModuleType, *, legacy: bool) -> Handlers:
    """Inspect a worker's main module.

    Args:
        sdk: the ``workers`` module that this worker imports.
        legacy: whether module-level ``on_*`` handlers are in force (compatibility date before 2025-08-14).
    """
    entrypoints = _subclasses(module, sdk.WorkerEntrypoint)
    default = entrypoints.pop("Default", None)
    functions: dict[str, Callable[..., Any]] = {}
    is_legacy = False
    if default is None:
        functions = _functions(module, MODULE_HANDLERS)
        old = _functions(module, LEGACY_HANDLERS)
        if legacy and any(name.startswith("on_") for name in old):
            is_legacy = True
            functions = {name.removeprefix("on_"): function for name, function in old.items()}
    return Handlers(
        default=default,
        entrypoints=entrypoints,
        durable_objects=_subclasses(module, sdk.DurableObject),
        workflows=_subclasses(module, sdk.WorkflowEntrypoint),
        functions=functions,
        legacy=is_legacy,
    )


def old_handlers(module: ModuleType) -> list[str]:
    """Return the names of a module's ``on_*`` handlers, whether they are in force or not."""
    return [name for name in _functions(module, LEGACY_HANDLERS) if name.startswith("on_")]


def _subclasses(module: ModuleType, base: type) -> dict[str, type]:
    """Strict subclasses among the public names, imported ones too, under their own names."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    found = (getattr(module, name, None) for name in names)
    return {
        value.__name__: value
        for value in found
        if inspect.isclass(value) and issubclass(value, base) and value is not base
    }


def _functions(module: ModuleType, names: tuple[str, ...]) -> dict[str, Callable[..., Any]]:
    """Module-level callables of these names; a ``fetch`` that is imported from the SDK or ``js`` is none."""
    found = ((name, getattr(module, name, None)) for name in names)
    return {
        name: value
        for name, value in found
        if callable(value)
        and not inspect.isclass(value)
        and str(getattr(value, "__module__", "")).split(".")[0] not in ("workers", "pyworkers")
    }
