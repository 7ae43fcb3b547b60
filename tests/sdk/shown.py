"""How tests look at a value: its type's full name, and the error that a call raises."""


def type_name(value):
    """Return the full name of a value's type, ``module.qualname``."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


async def error_of(function):
    """Call the function, await what it returns where it can be awaited, and return (type name, text) of its error."""
    try:
        result = function()
        if hasattr(result, "__await__"):
            result = await result
    except Exception as error:
        return type_name(error), str(error)
    raise AssertionError(f"no error was raised, the result is {result!r}")
