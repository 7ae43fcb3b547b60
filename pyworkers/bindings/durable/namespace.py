"""``env.NS``: a Durable Object namespace.

Source: recorded, contracts/do, do.ids.*; workerd src/workerd/api/actor.c++
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyworkers.bindings.durable.ids import DurableObjectId, IdFactory
from pyworkers.js.primitives import is_nullish, to_string
from pyworkers.js.values import JsException, JsProxy, get_property, js_method, range_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, string_argument

_CLASS = "DurableObjectNamespace"
_ROUTING_MODES = ("primary-only",)


class DurableObjectNamespace(JsProxy):
    """The objects of one class.

    Args:
        ids: makes their ids.
        connect: makes an object's stub.
    """

    def __init__(self, ids: IdFactory, connect: Callable[[DurableObjectId], Any]) -> None:
        self._ids = ids
        self._connect = connect

    @js_method
    def idFromName(self, name: object = MISSING) -> DurableObjectId:
        """Return the id that a name always gives."""
        return self._ids.of_name(string_argument(name, _CLASS, "idFromName", 1))

    @js_method
    def idFromString(self, text: object = MISSING) -> DurableObjectId:
        """Return the id of 64 hexadecimal digits."""
        return self._ids.of_string(string_argument(text, _CLASS, "idFromString", 1))

    @js_method
    def newUniqueId(self, options: object = None) -> DurableObjectId:
        """Return an id that was never there; there are no jurisdictions to choose."""
        _check_options(options, "newUniqueId", 1, "NewUniqueIdOptions")
        _refuse_jurisdiction(get_property(options, "jurisdiction"))
        return self._ids.unique()

    @js_method
    def get(self, object_id: object = MISSING, options: object = None) -> Any:
        """Return the stub of an object; ``locationHint`` is taken and changes nothing."""
        if not isinstance(object_id, DurableObjectId):
            raise argument_error(_CLASS, "get", 1, "DurableObjectId")
        _check_get_options(options, "get")
        return self._connect(object_id)

    @js_method
    def getByName(self, name: object = MISSING, options: object = None) -> Any:
        """Return the stub of the object of a name."""
        object_id = self._ids.of_name(string_argument(name, _CLASS, "getByName", 1))
        _check_get_options(options, "getByName")
        return self._connect(object_id)

    @js_method
    def jurisdiction(self, name: object = None) -> DurableObjectNamespace:
        """Return the namespace within a jurisdiction; there is only the one without."""
        _refuse_jurisdiction(name)
        return DurableObjectNamespace(self._ids, self._connect)


def _check_get_options(options: object, method: str) -> None:
    _check_options(options, method, 2, "GetDurableObjectOptions")
    mode = get_property(options, "routingMode")
    if not is_nullish(mode) and to_string(mode) not in _ROUTING_MODES:
        raise range_error(f"unknown routingMode: {to_string(mode)}")


def _check_options(options: object, method: str, position: int, expected: str) -> None:
    if not is_nullish(options) and not is_object(options):
        raise argument_error(_CLASS, method, position, expected)


def _refuse_jurisdiction(name: object) -> None:
    if not is_nullish(name):
        raise JsException("Error", "Jurisdiction restrictions are not implemented in workerd.")
