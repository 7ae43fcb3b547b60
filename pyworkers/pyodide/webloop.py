"""``pyodide.webloop``: the name that code written for Pyodide imports; the loop here is asyncio's own."""

from __future__ import annotations

import asyncio


class WebLoop(asyncio.SelectorEventLoop):
    """Pyodide's event loop class, as far as code tests or subclasses it."""


__all__ = ["WebLoop"]
