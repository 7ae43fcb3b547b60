"""Calls over RPC: who calls for whom, and what a caller learns of what goes wrong.

A failure arrives as a JavaScript error whose kind a caller in any language can test: TypeError is a wrong argument,
RangeError something that the tenant does not have, Error the rest, without its inside.

This file is the same in the workers that are called by RPC.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable
from typing import Any

import js
from pyodide.ffi import JsException

from .failures import BadArgument, NotFound, NotReady


async def answered(answer: Awaitable[Any]) -> Any:
    """Return a call's result.

    Raises:
        JsException: see above.
    """
    try:
        return await answer
    except BadArgument as error:
        raise js.TypeError.new(str(error)) from None
    except NotFound as error:
        raise js.RangeError.new(str(error)) from None
    except NotReady as error:
        print(error)  # for the worker's log
        raise js.Error.new(str(error).split(":", 1)[0]) from None
    except JsException as error:
        print(f"rpc: {error}")
        raise js.Error.new("Internal error") from None
    except Exception:
        traceback.print_exc()
        raise js.Error.new("Internal error") from None


def now_ms() -> int:
    """Return the time, milliseconds since the epoch."""
    return int(js.Date.now())
