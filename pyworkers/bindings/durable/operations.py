"""The asynchronous key-value operations that ``ctx.storage`` and a transaction share.

They do not wait for anything: the file is read and written at once, and what is awaited is there already. Keeping other
events out meanwhile, and responses in until the write is durable, is the host's.

Source: recorded, contracts/do, do.kv.* and do.alarm.*; workerd src/workerd/api/actor-state.c++
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from pyworkers.bindings.arguments import optional_int32
from pyworkers.bindings.durable.failures import storage_errors
from pyworkers.bindings.durable.host import ObjectHost
from pyworkers.js.collections import JsMap
from pyworkers.js.dates import Date
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish, jsnull, to_boolean, to_string, typeof
from pyworkers.js.promise import JsPromise
from pyworkers.js.serialization import deserialize, serialize
from pyworkers.js.values import JsProxy, get_property, js_arguments, own_properties_of, type_error
from pyworkers.js.webidl import MISSING, argument_error, is_object, scalar_string

# Three quarters of the nanoseconds that 64 bits hold.
MAX_ALARM_MS: Final = 6_917_529_027_641
_PUT_FORMS: Final = (
    "put() may only be called with a single key-value pair and optional options as put(key, value, options) or with "
    "multiple key-value pairs and optional options as put(entries, options)"
)
NO_ALARM_HANDLER: Final = "Your Durable Object class must have an alarm() handler in order to call setAlarm()"


class StorageOperations(JsProxy, js_name="Object"):
    """``get``, ``put``, ``delete``, ``list`` and the alarm."""

    def __init__(self, host: ObjectHost) -> None:
        self._host = host

    def get(self, *args: Any, **kwargs: Any) -> JsPromise:
        """``get(key, options)`` or ``get(keys, options)``: a value, or a Map of those that exist."""
        return self._promise("get", self._get, args, kwargs)

    def put(self, *args: Any, **kwargs: Any) -> JsPromise:
        """``put(key, value, options)`` or ``put(entries, options)``."""
        return self._promise("put", self._put, args, kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> JsPromise:
        """``delete(key, options)``: whether it was there; ``delete(keys, options)``: how many were."""
        if not args:
            raise self._wrong("delete", 1, "string or Array")
        self._check_options(args[1] if len(args) > 1 else None, "delete", 2, "PutOptions")
        self._check_usable("delete")
        return self._promise("delete", self._delete, args, kwargs)

    def list(self, *args: Any, **kwargs: Any) -> JsPromise:
        """``list(options)``: a Map in the order of the keys' UTF-8 bytes."""
        return self._promise("list", self._list, args, kwargs)

    def getAlarm(self, *args: Any, **kwargs: Any) -> JsPromise:
        """The alarm's time in milliseconds, or null; null too while its handler runs."""
        return self._promise("getAlarm", self._get_alarm, args, kwargs)

    def setAlarm(self, *args: Any, **kwargs: Any) -> JsPromise:
        """``setAlarm(time)``: a Date or milliseconds; a time that is past fires at once."""
        return self._promise("setAlarm", self._set_alarm, args, kwargs)

    def deleteAlarm(self, *args: Any, **kwargs: Any) -> JsPromise:
        """Remove the alarm."""
        return self._promise("deleteAlarm", self._delete_alarm, args, kwargs)

    # ---- how one runs

    def _promise(
        self, name: str, operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> JsPromise:
        try:
            self._check_usable(name)
            self._host.touch_storage()
            with storage_errors():
                return JsPromise.resolved(operation(*js_arguments(args, kwargs)))
        except Exception as error:
            return JsPromise.rejected(error)

    def _check_usable(self, name: str, /) -> None:
        """Refuse what can no longer be done."""

    def _wrong(self, method: str, position: int, expected: str) -> Exception:
        return argument_error(self.js_name, method, position, expected)

    def _check_options(self, options: Any, method: str, position: int, expected: str) -> None:
        if not is_nullish(options) and not is_object(options):
            raise self._wrong(method, position, expected)

    # ---- the operations

    def _get(self, key: Any = MISSING, options: Any = None, *_: Any) -> Any:
        if key is MISSING:
            raise self._wrong("get", 1, "string or Array")
        self._check_options(options, "get", 2, "GetOptions")
        if isinstance(key, JsArray):
            pairs = self._host.store.get_many([key_text(item) for item in key.items_])
            return JsMap((name, deserialize(data)) for name, data in pairs)
        found = self._host.store.get(key_text(key))
        return None if found is None else deserialize(found)

    def _put(self, key: Any = MISSING, *args: Any) -> None:
        if key is MISSING:
            raise self._wrong("put", 1, "string or object")
        if isinstance(key, JsProxy) and not isinstance(key, JsArray):
            if args and not is_nullish(args[0]) and not is_object(args[0]):
                raise type_error(_PUT_FORMS)
            entries = [(name, item) for name, item in own_properties_of(key).items() if item is not None]
            pairs = [(key_text(name), serialize(item)) for name, item in entries]
            if pairs:
                self._host.store.put_many(pairs)
            return
        value, options = (*args, None, None)[:2]
        self._check_options(options, "put", 3, "PutOptions")
        if value is None:
            raise type_error("put() called with undefined value.")
        self._host.store.put_many([(key_text(key), serialize(value))])

    def _delete(self, key: Any, options: Any = None, *_: Any) -> Any:
        self._check_options(options, "delete", 2, "PutOptions")
        if isinstance(key, JsArray):
            return self._host.store.delete_many([key_text(item) for item in key.items_])
        return self._host.store.delete_many([key_text(key)]) > 0

    def _list(self, options: Any = None, *_: Any) -> JsMap:
        self._check_options(options, "list", 1, "ListOptions")
        pairs = self._host.store.list_pairs(**list_options(options))
        return JsMap((name, deserialize(data)) for name, data in pairs)

    def _get_alarm(self, options: Any = None, *_: Any) -> Any:
        self._check_options(options, "getAlarm", 1, "GetAlarmOptions")
        found = self._host.store.alarm_ms()
        return jsnull if found is None else found

    def _set_alarm(self, time: Any = MISSING, options: Any = None, *_: Any) -> None:
        if not is_date(time):
            raise self._wrong("setAlarm", 1, "date")
        self._check_options(options, "setAlarm", 2, "SetAlarmOptions")
        time_ms = date_ms(time)
        if time_ms <= 0:
            raise type_error("setAlarm() cannot be called with an alarm time <= 0")
        if not self._host.has_alarm_handler:
            raise type_error(NO_ALARM_HANDLER)
        self._host.store.set_alarm(max(time_ms, self._host.clock.now_ms()))

    def _delete_alarm(self, options: Any = None, *_: Any) -> None:
        self._check_options(options, "deleteAlarm", 1, "SetAlarmOptions")
        self._host.store.set_alarm(None)


def key_text(key: object) -> str:
    """Return a key as it is stored."""
    return scalar_string(to_string(key))


def is_date(value: object) -> bool:
    """Tell whether the platform takes a value for a time."""
    return isinstance(value, Date) or typeof(value) == "number"


def date_ms(value: Any) -> int:
    """Return a time argument in milliseconds.

    Raises:
        JsException: TypeError, when it is no time, or too far away.
    """
    found = value.getTime() if isinstance(value, Date) else value
    if not math.isfinite(found):
        raise type_error("The value cannot be converted because it is not a valid Date.")
    if found > MAX_ALARM_MS:
        raise type_error("This API doesn't support dates after 2189.")
    return math.floor(found)


def list_options(options: Any) -> dict[str, Any]:
    """Return the options of ``list`` as the engine takes them.

    Raises:
        JsException: TypeError, when they contradict each other.
    """
    start, start_after, end, prefix = (
        None if (value := get_property(options, name)) is None else key_text(value)
        for name in ("start", "startAfter", "end", "prefix")
    )
    if start is not None and start_after is not None:
        raise type_error("list() cannot be called with both start and startAfter values.")
    limit = get_property(options, "limit")
    if limit is not None:
        limit = optional_int32(limit)
        if limit is None or limit <= 0:
            raise type_error("List limit must be positive.")
    return {
        "start": start,
        "start_after": start_after,
        "end": end,
        "prefix": prefix,
        "is_reverse": to_boolean(get_property(options, "reverse")),
        "limit": limit,
    }
