"""``pyodide.code``: calling functions with no more arguments than they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pyworkers.js.values import JsException

R = TypeVar("R")

# Weak, so that a replaced worker's functions can go.
_known: WeakKeyDictionary[FunctionType, tuple[int | None, frozenset[str] | None]] = WeakKeyDictionary()


def relaxed_call(func: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """Call ``func``, leaving out the positional and keyword arguments that it does not accept."""
    positional, keywords = _accepts(func)
    if positional is not None:
        args = args[:positional]
    if keywords is not None and kwargs:
        kwargs = {name: value for name, value in kwargs.items() if name in keywords}
    return func(*args, **kwargs)


def relaxed_wrap(func: Callable[..., R]) -> Callable[..., R]:
    """Return a function that calls ``func`` as `relaxed_call` does."""

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> R:
        return relaxed_call(func, *args, **kwargs)

    return wrapper


def run_js(code: str, /) -> Any:
    """Run JavaScript text: there is no JavaScript engine here, so this always raises.

    Raises:
        JsException: EvalError, the text of the real runtime, which does not allow it either.
    """
    del code
    raise JsException("EvalError", "Code generation from strings disallowed for this context")


def _accepts(func: Callable[..., Any]) -> tuple[int | None, frozenset[str] | None]:
    """How many positional arguments and which keywords a callable takes; None where it takes any."""
    if type(func) is FunctionType:
        return _accepts_function(func)
    plain = getattr(func, "__func__", None)
    if type(plain) is not FunctionType:
        return _accepts_uncached(func)
    positional, keywords = _accepts_function(plain)
    return (None if positional is None else positional - 1), keywords


def _accepts_function(func: FunctionType) -> tuple[int | None, frozenset[str] | None]:
    known = _known.get(func)
    if known is None:
        known = _known[func] = _accepts_uncached(func)
    return known


def _accepts_uncached(func: Callable[..., Any]) -> tuple[int | None, frozenset[str] | None]:
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):
        return None, None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    takes_any_keyword = any(p.kind is p.VAR_KEYWORD for p in parameters)
    positional = None if takes_any else sum(p.kind in by_position for p in parameters)
    keywords = None if takes_any_keyword else frozenset(p.name for p in parameters)
    return positional, keywords


__all__ = ["relaxed_call", "relaxed_wrap", "run_js"]
