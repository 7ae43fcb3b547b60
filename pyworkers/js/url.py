"""``URL`` and ``URLSearchParams``.

Parsing, normalizing and the setters are the ada library's, the parser that the runtime itself uses.

Source: url.spec.whatwg.org; recorded, contracts/fetchapi, fetchapi.url.* and fetchapi.usp.*
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import ada_url

from pyworkers.js.primitives import JsNull, jsnull, to_string
from pyworkers.js.search_params import URLSearchParams
from pyworkers.js.values import JsException, JsObject, JsProxy, js_function, type_error
from pyworkers.js.webidl import MISSING, argument_error, constructor_error, scalar_string

__all__ = ["URL", "URLSearchParams", "parse_url"]


# Of those that are parsed once: a worker is asked for the same few, and asks for the same few.
_SHORT_CHARS: Final = 256


def href_of(url: str) -> str | None:
    """Return an absolute URL as it is written normally, or None where it is invalid."""
    return _short_href(url) if len(url) <= _SHORT_CHARS else _href(url)


def parse_url(url: str, base: str | None = None) -> ada_url.URL | None:
    """Parse a URL, or return None where it is invalid."""
    try:
        parsed = ada_url.URL(scalar_string(url), None if base is None else scalar_string(base))
    except ValueError:
        return None
    if "--" in url or "%" in url or (base is not None and "--" in base):
        return None if _has_wrong_punycode(parsed) else parsed
    return parsed


def _href(url: str) -> str | None:
    parsed = parse_url(url)
    return None if parsed is None else parsed.href


_short_href: Final = lru_cache(maxsize=1024)(_href)


def _has_wrong_punycode(parsed: ada_url.URL) -> bool:
    """Tell whether a label of the host says that it is Punycode and is not, which the library lets pass."""
    if parsed.scheme_type == ada_url.SchemeType.NOT_SPECIAL:
        return False
    labels = str(parsed.hostname).split(".")
    return any(label.startswith("xn--") and ada_url.idna_to_unicode(label) == label for label in labels)


def _component(name: str, description: str) -> property:
    """A property that reads and writes one component of the parsed URL; a wrong value is ignored."""

    def get(self: URL) -> str:
        return str(getattr(self.parsed, name))

    def set_(self: URL, value: object) -> None:
        before = self.parsed.href
        try:
            setattr(self.parsed, name, scalar_string(to_string(value)))
        except ValueError:
            return
        if name in ("host", "hostname") and _has_wrong_punycode(self.parsed):
            self.parsed.href = before

    return property(get, set_, doc=description)


class URL(JsProxy):
    """A URL.

    Args:
        url: an absolute URL, or one relative to ``base``.

    Raises:
        JsException: TypeError, when it is invalid.
    """

    def __init__(self, url: str, base: str | None = None) -> None:
        parsed = parse_url(url, base)
        if parsed is None:
            raise type_error("Invalid URL string.")
        self.parsed = parsed
        self._params: URLSearchParams | None = None

    @classmethod
    def js_new(cls, url: Any = MISSING, base: Any = None, *_: Any) -> JsProxy:
        """``new URL(url, base)``."""
        if url is MISSING:
            raise constructor_error("URL", 1, "USVString")
        return cls(to_string(url), None if base is None else to_string(base))

    protocol = _component("protocol", "The scheme with its colon.")
    username = _component("username", "The user name, percent-encoded.")
    password = _component("password", "The password, percent-encoded.")
    host = _component("host", "Host name and port.")
    hostname = _component("hostname", "The host name.")
    port = _component("port", "The port; empty where it is the scheme's own.")
    pathname = _component("pathname", "The path.")
    hash = _component("hash", "The fragment with its ``#``, or nothing.")

    @property
    def href(self) -> str:
        """The whole URL."""
        return str(self.parsed.href)

    @href.setter
    def href(self, value: object) -> None:
        try:
            self.parsed.href = scalar_string(to_string(value))
        except ValueError:
            raise type_error(
                "Failed to set the 'href' property on 'URL': the provided value is not of type 'valid URL string'."
            ) from None
        self._reload_params()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return str(self.parsed.origin)

    @property
    def search(self) -> str:
        """The query with its ``?``, or nothing."""
        return str(self.parsed.search)

    @search.setter
    def search(self, value: object) -> None:
        self.parsed.search = scalar_string(to_string(value))
        self._reload_params()

    @property
    def searchParams(self) -> URLSearchParams:
        """The query's parameters; a change is a change of the URL."""
        if self._params is None:
            self._params = URLSearchParams.of_query(self.search, on_change=self._replace_search)
        return self._params

    def toString(self, *_: object) -> str:
        """The whole URL."""
        return self.href

    def toJSON(self, *_: object) -> str:
        """The whole URL."""
        return self.href

    @staticmethod
    @js_function
    def static_canParse(url: Any = MISSING, base: Any = None) -> bool:
        """``URL.canParse``."""
        return _parse_arguments("canParse", url, base) is not None

    @classmethod
    def static_parse(cls, url: Any = MISSING, base: Any = None, *_: object) -> URL | JsNull:
        """``URL.parse``: null where the URL is invalid."""
        if _parse_arguments("parse", url, base) is None:
            return jsnull
        return cls(to_string(url), None if base is None else to_string(base))

    @staticmethod
    def static_createObjectURL(*_: object) -> JsObject:
        """``URL.createObjectURL``, which the runtime has without supporting it."""
        raise JsException("Error", "URL.createObjectURL() is not implemented")

    @staticmethod
    def static_revokeObjectURL(*_: object) -> JsObject:
        """``URL.revokeObjectURL``, which the runtime has without supporting it."""
        raise JsException("Error", "URL.revokeObjectURL() is not implemented")

    def _replace_search(self, query: str) -> None:
        self.parsed.search = query

    def _reload_params(self) -> None:
        if self._params is not None:
            self._params.reload(self.search)


def _parse_arguments(method: str, url: Any, base: Any) -> ada_url.URL | None:
    if url is MISSING:
        raise argument_error("URL", method, 1, "USVString")
    return parse_url(to_string(url), None if base is None else to_string(base))
