"""``URLPattern``.

Patterns are the ``urlpattern`` library's, the URL Pattern Standard in Rust.

Source: urlpattern.spec.whatwg.org; recorded, tests/unit/js/data/url_pattern.json
Differs: docs/gaps.md#javascript (look-around in a pattern's regular expressions)
"""

from __future__ import annotations

from typing import Any, Final

import urlpattern

from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import JsNull, is_nullish, jsnull, to_boolean, to_string
from pyworkers.js.values import JsObject, JsProxy, get_property, type_error
from pyworkers.js.webidl import is_object, scalar_string

COMPONENTS: Final = ("protocol", "username", "password", "hostname", "port", "pathname", "search", "hash")
_MEMBERS: Final = (*COMPONENTS, "baseURL")


def _component(name: str) -> property:
    def get(self: URLPattern) -> str:
        return str(getattr(self.parsed, name))

    return property(get, doc=f"The pattern of the {name}.")


class URLPattern(JsProxy):
    """A pattern that URLs match or not, component by component."""

    def __init__(self, parsed: urlpattern.URLPattern) -> None:
        self.parsed = parsed

    @classmethod
    def js_new(cls, *args: Any) -> JsProxy:
        """``new URLPattern(input, baseURL, options)`` or ``new URLPattern(input, options)``.

        Raises:
            JsException: TypeError, when the pattern is wrong.
        """
        source, base, options = (*args, None, None, None)[:3]
        if is_object(base):
            base, options = None, base
        try:
            if is_object(source) and not is_nullish(base):
                raise ValueError("an object brings its own base")
            read: urlpattern.URLPatternOptions = {"ignoreCase": to_boolean(get_property(options, "ignoreCase"))}
            if is_nullish(base):
                return cls(urlpattern.URLPattern(_read_input(source), read))
            return cls(urlpattern.URLPattern(_read_input(source), scalar_string(to_string(base)), read))
        except ValueError:
            raise type_error("Failed to construct URLPattern") from None

    protocol = _component("protocol")
    username = _component("username")
    password = _component("password")
    hostname = _component("hostname")
    port = _component("port")
    pathname = _component("pathname")
    search = _component("search")
    hash = _component("hash")

    @property
    def hasRegExpGroups(self) -> bool:
        """Tell whether a component has a regular expression of its own."""
        return bool(self.parsed.hasRegExpGroups)

    def test(self, source: Any = None, base: Any = None, *_: object) -> bool:
        """Tell whether a URL matches."""
        try:
            return bool(self.parsed.test(*_match_arguments(source, base)))
        except ValueError:
            raise type_error("Failed to test URLPattern") from None

    def exec(self, source: Any = None, base: Any = None, *_: object) -> JsObject | JsNull:
        """Return what each component matched, with its groups; null where the URL does not match."""
        try:
            found = self.parsed.exec(*_match_arguments(source, base))
        except ValueError:
            raise type_error("Failed to exec URLPattern") from None
        if found is None:
            return jsnull
        inputs = [JsObject(item) if isinstance(item, dict) else item for item in found["inputs"]]
        parts = {name: _component_result(found[name]) for name in COMPONENTS}
        return JsObject({"inputs": JsArray(inputs), **parts})


def _component_result(part: Any) -> JsObject:
    groups = {name: value for name, value in part["groups"].items() if value is not None}
    return JsObject({"input": part["input"], "groups": JsObject(groups)})


def _read_input(value: Any) -> Any:
    """Return a text, or a dict of the components that an object has."""
    if is_nullish(value):
        return {}
    if not is_object(value):
        return scalar_string(to_string(value))
    read = {name: get_property(value, name) for name in _MEMBERS}
    return {name: scalar_string(to_string(item)) for name, item in read.items() if item is not None}


def _match_arguments(source: Any, base: Any) -> list[Any]:
    arguments = [_read_input(source)]
    if base is not None:
        if is_object(source):
            raise ValueError("an object brings its own base")
        arguments.append(scalar_string(to_string(base)))
    return arguments
