"""``ctx.storage``.

Source: recorded, contracts/do; developers.cloudflare.com/durable-objects/api/sqlite-storage-api
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pyworkers.bindings.durable.failures import storage_errors
from pyworkers.bindings.durable.host import ObjectHost
from pyworkers.bindings.durable.operations import StorageOperations, date_ms, is_date
from pyworkers.bindings.durable.sql import SqlStorage
from pyworkers.bindings.durable.sync_kv import SyncKvStorage
from pyworkers.engines.durable.protocol import Savepoint
from pyworkers.js.promise import JsPromise, settle
from pyworkers.js.values import JsException, call, is_callable
from pyworkers.js.webidl import MISSING

_BOOKMARK: Final = f"{0:08x}-{0:08x}-{0:08x}-{0:032x}"
_NO_RECOVERY: Final = "This Durable Object's storage back-end does not implement point-in-time recovery."


class DurableObjectStorage(StorageOperations, js_name="DurableObjectStorage"):
    """``ctx.storage``."""

    def __init__(self, host: ObjectHost) -> None:
        super().__init__(host)
        self._sql: SqlStorage | None = None
        self._kv: SyncKvStorage | None = None

    @property
    def sql(self) -> SqlStorage:
        """The object's SQL database."""
        if self._sql is None:
            self._sql = SqlStorage(self._host)
        return self._sql

    @property
    def kv(self) -> SyncKvStorage:
        """The same keys, without promises."""
        if self._kv is None:
            self._kv = SyncKvStorage(self._host)
        return self._kv

    def own_properties(self) -> dict[str, object]:
        """Return the own enumerable properties."""
        return {"kv": self.kv, "sql": self.sql}

    def deleteAll(self, *args: Any, **kwargs: Any) -> JsPromise:
        """Remove every key, every table and the alarm."""
        return self._promise("deleteAll", self._delete_all, args, kwargs)

    def sync(self, *args: Any, **kwargs: Any) -> JsPromise:
        """Wait until everything that was written is durable."""
        return self._promise("sync", self._sync, args, kwargs)

    def transaction(self, closure: Any = MISSING, *_: Any) -> JsPromise:
        """Run an async function whose writes happen all or not at all; no other event goes on meanwhile."""
        if not is_callable(closure):
            return JsPromise.rejected(self._wrong("transaction", 1, "function"))
        return self._host.run_exclusively(lambda: self._transact(closure), resets=False)

    def transactionSync(self, closure: Any = MISSING, *_: Any) -> Any:
        """Run a function whose writes happen all or not at all; return its result."""
        if not is_callable(closure):
            raise self._wrong("transactionSync", 1, "function")
        self._host.touch_storage()
        with storage_errors():
            part = self._host.store.savepoint()
        try:
            result = call(closure)
        except BaseException:
            part.rollback()
            raise
        part.release()
        return result

    def getCurrentBookmark(self, *_: Any) -> JsPromise:
        """Return the bookmark of now, which here is always the first."""
        return JsPromise.resolved(_BOOKMARK)

    def getBookmarkForTime(self, time: Any = MISSING, *_: Any) -> JsPromise:
        """Refuse, as the platform's local runtime does."""
        if not is_date(time):
            return JsPromise.rejected(self._wrong("getBookmarkForTime", 1, "date"))
        return JsPromise.run(_refuse_recovery(lambda: date_ms(time)))

    def onNextSessionRestoreBookmark(self, bookmark: Any = MISSING, *_: Any) -> JsPromise:
        """Refuse, as the platform's local runtime does."""
        if bookmark is MISSING:
            return JsPromise.rejected(self._wrong("onNextSessionRestoreBookmark", 1, "string"))
        return JsPromise.run(_refuse_recovery(lambda: None))

    # ---- how

    def _delete_all(self, options: Any = None, *_: Any) -> None:
        self._check_options(options, "deleteAll", 1, "PutOptions")
        store = self._host.store
        alarm_ms = None if self._host.deletes_alarm else store.alarm_ms()
        store.delete_all()
        if alarm_ms is not None:
            store.set_alarm(alarm_ms)

    def _sync(self, *_: Any) -> None:
        self._host.store.commit()

    async def _transact(self, closure: Callable[..., Any]) -> Any:
        self._host.touch_storage()
        with storage_errors():
            part = self._host.store.savepoint()
        transaction = DurableObjectTransaction(self._host, part)
        try:
            result = await settle(call(closure, transaction))
        except BaseException:
            transaction.end(keeps=False)
            raise
        transaction.end(keeps=True)
        return result


class DurableObjectTransaction(StorageOperations, js_name="DurableObjectTransaction"):
    """What the closure of `DurableObjectStorage.transaction` gets."""

    def __init__(self, host: ObjectHost, part: Savepoint) -> None:
        super().__init__(host)
        self._part = part
        self._state = "open"  # open | rolled back | committed

    def rollback(self, *_: Any) -> None:
        """Take back what the transaction wrote; it can write no more."""
        if self._state == "committed":
            raise JsException("Error", _gone("rollback"))
        if self._state == "open":
            self._state = "rolled back"
            self._part.rollback()

    def deleteAll(self, *_: Any, **_options: Any) -> JsPromise:
        """Refuse: everything cannot be deleted inside of a transaction.

        Raises:
            JsException: Error, always.
        """
        raise JsException("Error", "Cannot call deleteAll() within a transaction")

    def end(self, *, keeps: bool) -> None:
        """The closure is done."""
        was_open, self._state = self._state == "open", "committed"
        if was_open and keeps:
            self._part.release()
        elif was_open:
            self._part.rollback()

    def _check_usable(self, name: str, /) -> None:
        if self._state == "rolled back":
            raise JsException("Error", f"Cannot {name}() on rolled back transaction")
        if self._state == "committed":
            raise JsException("Error", _gone(name))


def _gone(name: str) -> str:
    return f"Cannot call {name}() on transaction that has already committed: did you move `txn` outside of the closure?"


async def _refuse_recovery(check: Callable[[], object]) -> None:
    check()
    raise JsException("Error", _NO_RECOVERY)
