"""Which file answers a path, or which path it ought to be asked at: ``html_handling`` and ``not_found_handling``.

Source: developers.cloudflare.com/workers/static-assets/routing; workers-sdk packages/workers-shared/asset-worker;
recorded, contracts/assets, assets.html.*
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

HtmlHandling = Literal["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"]
NotFoundHandling = Literal["single-page-application", "404-page", "none"]


@dataclass(frozen=True, slots=True)
class Serve:
    """Answer with a file; ``status`` 404 where it is the page for what is not found."""

    path: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirect to a path."""

    path: str


Intent = Serve | Redirect | None


class Resolver:
    """Resolves paths.

    Args:
        exists: tells whether there is a file at a path.
        html_handling: what happens to ``.html``, ``index.html`` and the slash at the end.
        not_found_handling: what answers where there is no file.
    """

    def __init__(
        self, exists: Callable[[str], bool], html_handling: HtmlHandling, not_found_handling: NotFoundHandling
    ) -> None:
        self._exists = exists
        self._not_found_handling = not_found_handling
        self._handle = {
            "auto-trailing-slash": self._auto,
            "force-trailing-slash": self._force,
            "drop-trailing-slash": self._drop,
            "none": self._none,
        }[html_handling]
        self._may_redirect = True

    def resolve(self, path: str) -> Intent:
        """Return what to do with a decoded path; None: nothing answers it."""
        self._may_redirect = True
        return self._handle(path)

    # ---- the four ways

    def _auto(self, path: str) -> Intent:
        """``/foo.html`` is at ``/foo``, ``/foo/index.html`` at ``/foo/``."""
        if path.endswith("/index") and not self._exists(path):
            base = path.removesuffix("/index")
            found = self._redirect(f"{path}.html", f"{base}/") or self._redirect(f"{base}.html", base)
        elif path.endswith("/index.html"):
            base = path.removesuffix("/index.html")
            found = self._redirect(path, f"{base}/") or self._redirect(f"{base}.html", base)
        elif path.endswith("/"):
            found = self._serve(f"{path}index.html") or self._redirect(f"{path[:-1]}.html", path[:-1])
        elif path.endswith(".html"):
            base = path.removesuffix(".html")
            found = self._redirect(path, base) or self._redirect(f"{base}/index.html", f"{base}/")
        else:
            found = None
        return (
            found
            or self._serve(path)
            or self._serve(f"{path}.html")
            or self._redirect(f"{path}/index.html", f"{path}/")
            or self._not_found(path)
        )

    def _force(self, path: str) -> Intent:
        """``/foo.html`` and ``/foo/index.html`` are at ``/foo/``."""
        if path.endswith("/index") and not self._exists(path):
            base = path.removesuffix("/index")
            found = self._redirect(f"{path}.html", f"{base}/") or self._redirect(f"{base}.html", f"{base}/")
        elif path.endswith("/index.html"):
            base = path.removesuffix("/index.html")
            found = self._redirect(path, f"{base}/") or self._redirect(f"{base}.html", f"{base}/")
        elif path.endswith("/"):
            found = self._serve(f"{path}index.html") or self._serve(f"{path[:-1]}.html")
        elif path.endswith(".html"):
            base = path.removesuffix(".html")
            # Where there are both, /foo.html is found at /foo.html only.
            found = self._redirect(path, f"{base}/") or self._serve(path)
            found = found or self._redirect(f"{base}/index.html", f"{base}/")
        else:
            found = None
        return (
            found
            or self._serve(path)
            or self._redirect(f"{path}.html", f"{path}/")
            or self._redirect(f"{path}/index.html", f"{path}/")
            or self._not_found(path)
        )

    def _drop(self, path: str) -> Intent:
        """``/foo.html`` and ``/foo/index.html`` are at ``/foo``."""
        found: Intent = None
        if path in ("/index", "/index.html"):
            found = None if path == "/index" and self._exists(path) else self._redirect("/index.html", "/")
        elif path.endswith("/index") and not self._exists(path):
            base = path.removesuffix("/index")
            found = self._redirect(f"{base}.html", base) or self._redirect(f"{path}.html", base)
        elif path.endswith("/index.html"):
            base = path.removesuffix("/index.html")
            # Where there are both, /foo/index.html is found at /foo/index.html only.
            found = self._redirect(path, base) or self._serve(path) or self._redirect(f"{base}.html", base)
        elif path == "/":
            found = self._serve("/index.html")
        elif path.endswith("/"):
            base = path[:-1]
            found = self._redirect(f"{base}.html", base) or self._redirect(f"{base}/index.html", base)
        elif path.endswith(".html"):
            base = path.removesuffix(".html")
            found = self._redirect(path, base) or self._redirect(f"{base}/index.html", base)
        return (
            found
            or self._serve(path)
            or self._serve(f"{path}.html")
            or self._serve(f"{path}/index.html")
            or self._not_found(path)
        )

    def _none(self, path: str) -> Intent:
        return self._serve(path) or self._not_found(path)

    # ---- parts

    def _serve(self, path: str) -> Intent:
        return Serve(path) if self._exists(path) else None

    def _redirect(self, file: str, destination: str) -> Intent:
        """Redirect to where a file is found, unless another file is found there."""
        if not self._may_redirect or self._exists(destination) or not self._exists(file):
            return None
        self._may_redirect = False
        try:
            there = self._handle(destination)
        finally:
            self._may_redirect = True
        return Redirect(destination) if isinstance(there, Serve) and there.path == file else None

    def _not_found(self, path: str) -> Intent:
        if self._not_found_handling == "single-page-application":
            return self._serve("/index.html")
        if self._not_found_handling == "404-page":
            folder = path
            while folder:
                folder = folder.rpartition("/")[0]
                if self._exists(f"{folder}/404.html"):
                    return Serve(f"{folder}/404.html", 404)
        return None
