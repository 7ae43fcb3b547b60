"""What callers can do over RPC."""

from __future__ import annotations

from typing import Any, Final

from . import dead_letters, summaries
from .arguments import Arguments
from .enrichment import enrich
from .intake import MAX_IDS, enqueue, read_events, read_limit
from .maintenance import maintain_tenant
from .rpc import now_ms
from .rules import label_by_rules
from .store import QuotaExceeded, store_events
from .tenancy import TenantData

_STATUS: Final = """SELECT (SELECT count(*) FROM events WHERE tenant_id = ?1) AS events,
  (SELECT count(*) FROM events WHERE tenant_id = ?1 AND enriched_at_ms IS NULL) AS pending,
  (SELECT count(*) FROM event_summary_days WHERE tenant_id = ?1) AS pendingDays,
  (SELECT count(*) FROM dead_letters WHERE tenant_id = ?1) AS deadLetters"""
_TIER: Final = "SELECT tier FROM (SELECT id AS tenant_id, tier FROM tenants) WHERE tenant_id = ?1"


class Service:
    """The calls of one tenant.

    Args:
        env: the worker's bindings.
        tenant_id: whose data it is; the caller has checked that it may.
        arguments: an object, or null.
    """

    def __init__(self, env: Any, tenant_id: object, arguments: object) -> None:
        self._env: Final = env
        self._data: Final = TenantData(env, tenant_id)
        self._arguments: Final = Arguments(arguments)

    async def ingest(self) -> dict[str, Any]:
        """Put `events` into the queue: `{"accepted", "failed", "failures"}`. They are durable, and stored soon."""
        given = self._arguments.as_json()
        batch = read_events(given, now_ms=now_ms())
        await enqueue(self._env.QUEUE, self._data.tenant_id, batch.events, limit=read_limit(given))
        failures = [failure.as_json() for failure in batch.failures]
        return {"accepted": len(batch.events), "failed": len(failures), "failures": failures}

    async def process(self) -> dict[str, Any]:
        """Store `events` and enrich them now: `{"processed", "duplicates", "failed", "errors", "failures"}`."""
        now = now_ms()
        given = self._arguments.as_json()
        batch = read_events(given, now_ms=now)
        limit = read_limit(given)
        try:
            added = await store_events(self._data, batch.events, limit=limit, now_ms=now)
        except QuotaExceeded as error:
            raise self._arguments.wrong("events", f"were not stored. {error}") from None
        await enrich(self._env, self._data, [event.id for event in batch.events], now_ms=now)
        return {
            "processed": len(batch.events),
            "duplicates": len(batch.events) - added,
            "failed": len(batch.failures),
            "errors": [failure.message for failure in batch.failures],
            "failures": [failure.as_json() for failure in batch.failures],
        }

    async def enrich(self) -> dict[str, int]:
        """Enrich the events of `ids` that are not enriched yet: `{"enriched"}`."""
        ids = [str(each) for each in self._arguments.list("ids", highest=MAX_IDS)]
        return {"enriched": await enrich(self._env, self._data, ids, now_ms=now_ms())}

    async def classify(self) -> dict[str, str]:
        """Return what the rules say of an `event`'s name: `{"intent", "sentiment"}`."""
        label = label_by_rules(self._arguments.text("event"))
        return {"intent": label.intent, "sentiment": label.sentiment}

    async def summaries(self) -> list[dict[str, Any]]:
        """See `summaries.list_summaries`."""
        return await summaries.list_summaries(self._data, self._arguments)

    async def maintain(self) -> dict[str, int]:
        """Do for the tenant now what cron does: `{"enriched", "days", "deleted"}`."""
        row = await self._data.row(_TIER)
        return await maintain_tenant(self._env, self._data, row["tier"] if row else None, now_ms=now_ms())

    async def dead_letters(self) -> list[dict[str, Any]]:
        """See `dead_letters.list_dead_letters`."""
        return await dead_letters.list_dead_letters(self._data, self._arguments)

    async def retry_dead_letters(self) -> dict[str, int]:
        """Send dead letters again: `{"retried"}`."""
        return {"retried": await dead_letters.retry_dead_letters(self._env.QUEUE, self._data, self._arguments)}

    async def delete_dead_letters(self) -> dict[str, int]:
        """Delete dead letters: `{"deleted"}`."""
        return {"deleted": await dead_letters.delete_dead_letters(self._data, self._arguments)}

    async def status(self) -> dict[str, int]:
        """Return how many events there are, how many wait to be enriched, and how many messages are dead."""
        row = await self._data.row(_STATUS)
        assert row is not None
        return row
