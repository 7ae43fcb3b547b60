"""What names and configurations the platform takes.

Source: the local engine's ``validators.ts`` (miniflare 4.20260426); recorded, recordings/own/workflows.json
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from pyworkers.bindings.workflows.durations import milliseconds
from pyworkers.js.primitives import is_nullish, typeof
from pyworkers.js.values import JsException, JsObject, own_properties_of

MAX_INSTANCE_ID_CHARACTERS: Final = 100
MAX_STEP_NAME_CHARACTERS: Final = 256
# A stored value: the platform's SQLite takes 2 MiB and its own header; the message says 1 MiB.
MAX_VALUE_BYTES: Final = 2 * 1024 * 1024 + 4096
DEFAULT_STEP_LIMIT: Final = 10_000
DEFAULT_EVENT_TIMEOUT: Final = "24 hours"
DEFAULT_TIMEOUT: Final = "10 minutes"
DEFAULT_RETRIES: Final = {"limit": 5, "delay": 1000, "backoff": "exponential"}

_ID: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9\-_]*")
_CONTROL: Final = re.compile("[\x00-\x1f]")
_BACKOFFS: Final = ("constant", "linear", "exponential")


def is_instance_id(value: Any) -> bool:
    """Tell whether an instance may be called so."""
    return isinstance(value, str) and len(value) <= MAX_INSTANCE_ID_CHARACTERS and _ID.fullmatch(value) is not None


def check_step_name(name: Any) -> None:
    """Check what a step is called; a number is taken as it is.

    Raises:
        JsException: WorkflowFatalError, or the TypeError of a name that is null.
    """
    if is_nullish(name):
        text = "undefined" if name is None else "null"
        raise JsException("TypeError", f"Cannot read properties of {text} (reading 'length')")
    if isinstance(name, str) and (len(name) > MAX_STEP_NAME_CHARACTERS or _CONTROL.search(name)):
        raise JsException(
            "WorkflowFatalError",
            f'Step name "{name}" exceeds max length ({MAX_STEP_NAME_CHARACTERS} chars) or invalid characters found',
        )


def resolve_config(name: Any, config: Any) -> dict[str, Any]:
    """Return a step's configuration with the defaults: ``{"retries": {limit, delay, backoff}, "timeout": ...}``.

    Raises:
        JsException: WorkflowFatalError.
    """
    given = own_properties_of(config) if isinstance(config, JsObject) else None
    if given is None or not _is_valid(given):
        raise JsException(
            "WorkflowFatalError",
            f'Step config for "{name}" is in a invalid format. See '
            "https://developers.cloudflare.com/workflows/build/sleeping-and-retrying/",
        )
    retries = given.get("retries")
    own_retries = {} if retries is None else {k: v for k, v in own_properties_of(retries).items() if v is not None}
    timeout = given.get("timeout")
    return {
        "retries": {**DEFAULT_RETRIES, **own_retries},
        "timeout": DEFAULT_TIMEOUT if timeout is None else timeout,
    }


def _is_valid(config: dict[str, Any]) -> bool:
    if set(config) - {"retries", "timeout"}:
        return False
    retries, timeout = config.get("retries"), config.get("timeout")
    if retries is not None and not (isinstance(retries, JsObject) and _are_valid(own_properties_of(retries))):
        return False
    return timeout is None or (_is_duration(timeout) and milliseconds(timeout) != 0)


def _are_valid(retries: dict[str, Any]) -> bool:
    if set(retries) - {"limit", "delay", "backoff"} or not _is_duration(retries.get("delay")):
        return False
    limit, backoff = retries.get("limit"), retries.get("backoff")
    return _is_count(limit) and (backoff is None or backoff in _BACKOFFS)


def _is_duration(value: Any) -> bool:
    return (isinstance(value, str) or _is_count(value)) and not math.isnan(milliseconds(value))


def _is_count(value: Any) -> bool:
    return typeof(value) == "number" and value >= 0
