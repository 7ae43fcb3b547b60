"""``ctx.storage.kv``: the object's keys, without promises.

Source: recorded from workerd, SyncKvStorage
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import ref

from pyworkers.bindings.durable.failures import storage_errors
from pyworkers.bindings.durable.host import ObjectHost
from pyworkers.bindings.durable.operations import key_text, list_options
from pyworkers.js.iterators import JsIterator
from pyworkers.js.objects import JsArray
from pyworkers.js.primitives import is_nullish
from pyworkers.js.serialization import deserialize, serialize
from pyworkers.js.values import JsException, JsObject, JsProxy, js_arguments, js_method
from pyworkers.js.webidl import MISSING, argument_error, is_object

_SUPERSEDED = (
    "kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can "
    "exist at a time."
)


class ListIterator(JsIterator):
    """What `SyncKvStorage.list` gives; it ends when another list begins."""

    def __init__(self, items: Iterator[Any]) -> None:
        super().__init__(items)
        self._is_superseded = False

    def next(self, *_: object) -> JsObject:
        """Return ``{done, value}``, the value a pair."""
        self._check()
        with storage_errors():
            return super().next()

    def __next__(self) -> Any:
        self._check()
        with storage_errors():
            return super().__next__()

    def supersede(self) -> None:
        """Another list begins."""
        self._is_superseded = True

    def _check(self) -> None:
        if self._is_superseded:
            raise JsException("Error", _SUPERSEDED)


class SyncKvStorage(JsProxy):
    """``ctx.storage.kv``."""

    def __init__(self, host: ObjectHost) -> None:
        self._host = host
        self._listing: ref[ListIterator] | None = None

    @js_method
    def get(self, key: Any = MISSING) -> Any:
        """Return a value, or undefined."""
        self._begin(key, "get")
        with storage_errors():
            found = self._host.store.get(key_text(key))
        return None if found is None else deserialize(found)

    def put(self, *args: Any, **kwargs: Any) -> None:
        """``put(key, value)``; undefined is a value."""
        args = js_arguments(args, kwargs)
        self._begin(args[0] if args else MISSING, "put")
        if len(args) < 2:
            raise argument_error(self.js_name, "put", 2, "JsValue")
        data = serialize(args[1])
        with storage_errors():
            self._host.store.put_many([(key_text(args[0]), data)])

    @js_method
    def delete(self, key: Any = MISSING) -> bool:
        """Remove a key; tell whether it was there."""
        self._begin(key, "delete")
        with storage_errors():
            return self._host.store.delete_many([key_text(key)]) > 0

    @js_method
    def list(self, options: Any = None) -> ListIterator:
        """Return an iterator of the pairs, which reads the storage as it goes."""
        if not is_nullish(options) and not is_object(options):
            raise argument_error(self.js_name, "list", 1, "ListOptions")
        self._begin("", "list")
        previous = self._listing() if self._listing is not None else None
        if previous is not None:
            previous.supersede()
        with storage_errors():
            pairs = self._host.store.list_pairs(**list_options(options))
        iterator = ListIterator(JsArray((name, deserialize(data))) for name, data in pairs)
        self._listing = ref(iterator)
        return iterator

    def _begin(self, key: Any, method: str) -> None:
        if key is MISSING:
            raise argument_error(self.js_name, method, 1, "string")
        self._host.touch_storage()
