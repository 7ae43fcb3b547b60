"""What outlives the process: storage, alarms, and the classes' migrations."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.js.values import JsException
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores

HEAD = """
name = "w"
main = "entry.py"
compatibility_date = "2026-08-01"
compatibility_flags = ["python_workers_314"]
"""
ENTRY = """
from workers import DurableObject

class {name}(DurableObject):
    async def put(self, key, value):
        await self.ctx.storage.put(key, value)

    async def get(self, key):
        return await self.ctx.storage.get(key)

    async def set_alarm(self, time_ms):
        await self.ctx.storage.setAlarm(time_ms)

    async def alarm(self, info):
        await self.ctx.storage.put("fired", [info.scheduledTime, info.retryCount, str(self.ctx.id.name)])
        if await self.ctx.storage.get("fail"):
            raise ValueError("as asked")
"""


def write_worker(folder: Path, classes: list[str], migrations: str, *, bound: list[str] | None = None) -> None:
    folder.mkdir(exist_ok=True)
    bindings = [f'[[durable_objects.bindings]]\nname = "{name}"\nclass_name = "{name}"\n' for name in bound or classes]
    (folder / "wrangler.toml").write_text(HEAD + "".join(bindings) + migrations)
    (folder / "entry.py").write_text("".join(ENTRY.format(name=name) for name in classes))


def session(folder: Path, body: Any, *, clock: ManualClock | None = None) -> Any:
    """Run a project on the state that the sessions before left."""

    async def main() -> Any:
        project = load_project(folder, [folder / "wrangler.toml"])
        own = clock or ManualClock()
        async with Runtime(project, Stores(folder / "state", project, own), clock=own) as runtime:
            for error in runtime.load_errors.values():
                raise error
            return await body(runtime.primary.env, own, runtime)

    return asyncio.run(main())


NEW = '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Old"]\n'


def test_storage_and_names_outlive_a_restart(tmp_path):
    write_worker(tmp_path, ["Old"], NEW)

    async def put(env, _clock, _runtime):
        await env.Old.getByName("a").put("k", "v")

    async def get(env, _clock, _runtime):
        return await env.Old.getByName("a").get("k")

    session(tmp_path, put)
    assert session(tmp_path, get) == "v"


@pytest.mark.parametrize("is_past", [False, True])
def test_an_alarm_outlives_a_restart(tmp_path, is_past):
    write_worker(tmp_path, ["Old"], NEW)

    async def set_alarm(env, clock, _runtime):
        await env.Old.getByName("a").set_alarm(clock.now_ms() + 5_000)

    async def wait(env, clock, _runtime):
        await clock.settle() if is_past else await clock.advance(6)
        return (await env.Old.getByName("a").get("fired")).items_

    session(tmp_path, set_alarm)
    later = ManualClock(1_700_000_000 + (60 if is_past else 0))
    assert session(tmp_path, wait, clock=later) == [1_700_000_005_000, 0, "a"]


def test_a_retry_outlives_a_restart(tmp_path):
    write_worker(tmp_path, ["Old"], NEW)

    async def fail(env, clock, _runtime):
        stub = env.Old.getByName("a")
        await stub.put("fail", True)
        await stub.set_alarm(clock.now_ms() + 1_000)
        await clock.advance(1)
        return (await stub.get("fired")).items_

    async def retry(env, clock, _runtime):
        await clock.advance(3)
        return (await env.Old.getByName("a").get("fired")).items_

    assert session(tmp_path, fail)[1] == 0
    assert session(tmp_path, retry)[1] == 1


def test_a_renamed_class_keeps_its_objects(tmp_path):
    write_worker(tmp_path, ["Old"], NEW)

    async def put(env, _clock, _runtime):
        await env.Old.getByName("a").put("k", "v")
        return env.Old.idFromName("a").toString()

    async def get(env, _clock, _runtime):
        return [env.New.idFromName("a").toString(), await env.New.getByName("a").get("k")]

    digits = session(tmp_path, put)
    renamed = NEW + '[[migrations]]\ntag = "v2"\nrenamed_classes = [{ from = "Old", to = "New" }]\n'
    write_worker(tmp_path, ["New"], renamed)
    assert session(tmp_path, get) == [digits, "v"]
    assert session(tmp_path, get) == [digits, "v"]


def test_a_class_that_takes_a_renamed_ones_name_is_empty(tmp_path):
    write_worker(tmp_path, ["Old"], NEW)

    async def put(env, _clock, _runtime):
        await env.Old.getByName("a").put("k", "v")

    async def get(env, _clock, _runtime):
        return [repr(await env.Old.getByName("a").get("k")), await env.New.getByName("a").get("k")]

    session(tmp_path, put)
    more = NEW + (
        '[[migrations]]\ntag = "v2"\nrenamed_classes = [{ from = "Old", to = "New" }]\n'
        '[[migrations]]\ntag = "v3"\nnew_sqlite_classes = ["Old"]\n'
    )
    write_worker(tmp_path, ["Old", "New"], more)
    assert session(tmp_path, get) == ["jsnull", "v"]


def test_a_deleted_class_loses_its_objects(tmp_path):
    write_worker(tmp_path, ["Old"], NEW)

    async def put(env, _clock, _runtime):
        await env.Old.getByName("a").put("k", "v")

    async def get(env, _clock, _runtime):
        return repr(await env.Old.getByName("a").get("k"))

    session(tmp_path, put)
    assert list((tmp_path / "state" / "do" / "w-Old").glob("*.sqlite"))
    deleted = NEW + '[[migrations]]\ntag = "v2"\ndeleted_classes = ["Old"]\n'
    again = deleted + '[[migrations]]\ntag = "v3"\nnew_sqlite_classes = ["Old"]\n'
    write_worker(tmp_path, ["Old"], again)
    assert session(tmp_path, get) == "jsnull"


def test_a_transferred_class_takes_its_objects_along(tmp_path):
    giver, taker = tmp_path / "giver", tmp_path / "taker"
    write_worker(giver, ["Old"], NEW)

    async def put(env, _clock, _runtime):
        await env.Old.getByName("a").put("k", "v")

    async def get(env, _clock, _runtime):
        return await env.New.getByName("a").get("k")

    session(giver, put)
    moved = (
        '[[migrations]]\ntag = "v1"\n[[migrations.transferred_classes]]\nfrom = "Old"\nfrom_script = "w"\nto = "New"\n'
    )
    write_worker(taker, ["New"], moved)
    config = (taker / "wrangler.toml").read_text()
    (taker / "wrangler.toml").write_text(config.replace('name = "w"', 'name = "taker"', 1))
    (giver / "state").rename(taker / "state")
    assert session(taker, get) == "v"


def test_a_class_that_is_not_exported_says_so(tmp_path):
    write_worker(tmp_path, ["Old"], NEW, bound=["Old", "Absent"])

    async def call(env, _clock, _runtime):
        with pytest.raises(JsException) as raised:
            await env.Absent.getByName("a").get("k")
        return raised.value.message

    assert session(tmp_path, call) == 'The worker "w" exports no Durable Object class named "Absent".'


CHILD = """
import asyncio, sys
from pathlib import Path
from pyworkers.config import load_project
from pyworkers.runtime.runtime import Runtime
from pyworkers.runtime.stores import Stores
from pyworkers.clock import SystemClock

async def main():
    folder = Path(sys.argv[1])
    project = load_project(folder, [folder / "wrangler.toml"])
    async with Runtime(project, Stores(folder / "state", project, SystemClock())) as runtime:
        stub = runtime.primary.env.Old.getByName("a")
        for number in range(100000):
            await stub.put("n", number)
            print(number, flush=True)

asyncio.run(main())
"""


def test_an_answered_write_survives_a_killed_process(tmp_path):
    write_worker(tmp_path, ["Old"], NEW)
    with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        acknowledged = -1
        for line in child.stdout:
            acknowledged = int(line)
            if acknowledged >= 200:
                break
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines()
        acknowledged = max([acknowledged, *(int(line) for line in rest if line.isdecimal())])

    async def get(env, _clock, _runtime):
        return await env.Old.getByName("a").get("n")

    assert session(tmp_path, get) >= acknowledged
