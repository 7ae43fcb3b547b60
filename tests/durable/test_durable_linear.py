"""Sixty-four clients use one object at once: there is an order of all their calls that explains every answer.

Every call counts the object's version up and returns it, so the order is known: each answer must be what a plain-Python
object gives that takes the calls in that order, and a call that ended before another began must come before it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count, pairwise
from random import Random
from typing import Any, NamedTuple

import pytest

CLIENTS = 64
CALLS = 8
ACCOUNTS = ("a", "b", "c", "d")
START = {"version": 0, "count": 0, **dict.fromkeys(ACCOUNTS, 100)}


class Call(NamedTuple):
    """A call that was answered: the moments when it began and ended, the object's version, and the answer."""

    began: int
    ended: int
    version: int
    kind: str
    args: tuple[Any, ...]
    answer: Any


def expected(state: dict[str, int], kind: str, args: tuple[Any, ...]) -> Any:
    """Do what a call does, and return what it answers."""
    if kind == "increment":
        state["count"] += args[0]
        return state["count"]
    if kind == "read":
        return [state["count"], *(state[name] for name in ACCOUNTS)]
    source, destination, amount = args
    if state[source] < amount:
        return False
    state[source] -= amount
    state[destination] += amount
    return True


async def increment(target: Any, by: int) -> Any:
    """Read and write, with nothing between them but storage."""
    storage = target.ctx.storage
    found, version = await asyncio.gather(storage.get("count"), storage.get("version"))
    await asyncio.gather(storage.put("count", found + by), storage.put("version", version + 1))
    return [version + 1, found + by]


async def transfer(target: Any, source: str, destination: str, amount: int) -> Any:
    """Move money in a transaction, which other events wait for whatever it awaits."""

    async def move(txn: Any) -> list[Any]:
        version = await txn.get("version") + 1
        txn.put("version", version)
        left = await txn.get(source)
        await asyncio.sleep(0)
        if left < amount:
            return [version, False]
        txn.put(source, left - amount)
        await asyncio.sleep(0)
        txn.put(destination, await txn.get(destination) + amount)
        return [version, True]

    return await target.ctx.storage.transaction(move)


async def read(target: Any) -> Any:
    """Read everything, one after another, under blocked concurrency."""
    storage = target.ctx.storage

    async def look() -> list[Any]:
        version = await storage.get("version") + 1
        await storage.put("version", version)
        found = [await storage.get("count")]
        for name in ACCOUNTS:
            await asyncio.sleep(0)
            found.append(await storage.get(name))
        return [version, *found]

    return await target.ctx.blockConcurrencyWhile(look)


async def fill(target: Any) -> None:
    await target.ctx.storage.put(dict(START))


def choose(random: Random) -> tuple[str, tuple[Any, ...]]:
    kind = random.choice(("increment", "transfer", "read"))
    if kind == "increment":
        return kind, (random.randint(1, 9),)
    return kind, (*random.sample(ACCOUNTS, 2), random.randint(1, 60)) if kind == "transfer" else ()


@pytest.mark.parametrize("seed", range(4))
async def test_calls_of_sixty_four_clients_are_linearizable(runtime: Any, code: dict[str, Any], seed: int) -> None:
    code.update(increment=increment, transfer=transfer, read=read, fill=fill)
    random, moments = Random(seed), count()
    history: list[Call] = []

    async def client() -> None:
        for _ in range(CALLS):
            kind, args = choose(random)
            for _ in range(random.randint(0, 60)):
                await asyncio.sleep(0)
            began = next(moments)
            version, *answer = list(await runtime.primary.env.DO.getByName("bank").do(kind, *args))
            history.append(Call(began, next(moments), version, kind, args, answer if kind == "read" else answer[0]))

    await runtime.primary.env.DO.getByName("bank").do("fill")
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    history.sort(key=lambda call: call.version)
    assert [call.version for call in history] == list(range(1, CLIENTS * CALLS + 1))
    state = dict(START)
    assert [call.answer for call in history] == [expected(state, call.kind, call.args) for call in history]
    latest = 0
    for call in history:  # in the order found, none may have ended before an earlier one began
        assert call.ended > latest
        latest = max(latest, call.began)
    assert Counter(call.kind for call in history).keys() == {"increment", "transfer", "read"}
    assert any(later.began < earlier.ended for earlier, later in pairwise(history))  # at once
