"""Run Cloudflare Workers written in Python on plain CPython."""

from pyworkers._version import __version__

__all__ = ["__version__"]
