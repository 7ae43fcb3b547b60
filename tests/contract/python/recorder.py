"""Describes a value as the recordings do: its type, its repr, and what it holds."""

LIMIT = 20


def describe(value):
    """Return ``{type, repr, js_ctor?, items?}``."""
    shown = {"type": type_name(type(value)), "repr": repr(value)}
    if shown["type"] == "pyodide.ffi.JsProxy" and hasattr(value, "constructor"):
        shown["js_ctor"] = value.constructor.name
    if isinstance(value, dict):
        shown["items"] = [[describe(key), describe(item)] for key, item in list(value.items())[:LIMIT]]
    elif isinstance(value, list | tuple):
        shown["items"] = [describe(item) for item in list(value)[:LIMIT]]
    return shown


def describe_error(error):
    """Return ``{type, mro, str}``."""
    return {
        "type": type_name(type(error)),
        "mro": [type_name(cls) for cls in type(error).__mro__],
        "str": str(error),
    }


def type_name(cls):
    """Return the type's qualified name; builtins go without their module."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
