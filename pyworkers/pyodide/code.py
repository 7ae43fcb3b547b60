"""``pyodide.code``: calling functions with no more arguments than they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any, TypeVar

from pyworkers.js.values import JsException

R = TypeVar("R")


def relaxed_call(func: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """Call ``func``, leaving out the positional and keyword arguments that it does not accept."""
    if kwargs:
        keywords = _accepted_keywords(func)
        if keywords is not None:
            kwargs = {name: value for name, value in kwargs.items() if name in keywords}
    return func(*args[: accepted_positional(func)], **kwargs)


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


def accepted_positional(func: Callable[..., Any]) -> int | None:
    """Return how many positional arguments a callable takes; None where it takes any number."""
    plain = func if type(func) is FunctionType else getattr(func, "__func__", None)
    if type(plain) is FunctionType and not plain.__dict__:  # no __wrapped__, no __signature__
        code = plain.__code__
        return None if code.co_flags & inspect.CO_VARARGS else code.co_argcount - (plain is not func)
    parameters = _parameters(func)
    if parameters is None or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in by_position for p in parameters)


def _accepted_keywords(func: Callable[..., Any]) -> frozenset[str] | None:
    """Return the names a callable takes; None where it takes any."""
    parameters = _parameters(func)
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return frozenset(p.name for p in parameters)


def _parameters(func: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(func).parameters.values())
    except (TypeError, ValueError):
        return None


__all__ = ["relaxed_call", "relaxed_wrap", "run_js"]
