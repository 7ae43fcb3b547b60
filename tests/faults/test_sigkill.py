"""SIGKILL at random moments of a write load: every acknowledged write is there afterwards, and nothing is torn.

``PYWORKERS_KILLS`` says how often a binding's server is killed (20), ``PYWORKERS_SEED`` repeats a run's choices.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random, SystemRandom

import pytest
from stored_files import check_files
from victim import Victim, write_project
from write_load import WriteLoad

KILLS = int(os.environ.get("PYWORKERS_KILLS", "20"))
SEED = int(os.environ.get("PYWORKERS_SEED") or SystemRandom().randrange(10**9))

# Both sides of where the engines change how they store: a value's own table, a file of its own.
SIZES = {
    "kv": (40, 500, 1_500, 60_000),
    "d1": (40, 500, 4_000, 30_000),
    "r2": (40, 8_000, 20_000, 200_000),
}
MOST_WRITES = 100  # until a kill


@pytest.mark.slow
@pytest.mark.timeout(600 + 30 * KILLS)
@pytest.mark.parametrize("binding", ["kv", "d1", "r2"])
def test_acknowledged_writes_survive_sigkill(binding: str, tmp_path: Path) -> None:
    random = Random(f"{SEED} {binding}")
    folder = write_project(tmp_path)
    state = folder / ".pyworkers" / "state"
    load = WriteLoad(binding, random, SIZES[binding])
    kills = 0
    try:
        while kills < KILLS:
            kills += 1
            with Victim(folder) as server:
                if binding == "d1":
                    server.ask("POST", "/d1/tables")
                load.check(server)
                check_files(state)
                load.run_until_killed(server, random.randint(0, MOST_WRITES))
        with Victim(folder) as server:
            load.check(server)
            check_files(state)
            assert server.stop() == 0
    except BaseException as error:
        error.add_note(f"kill {kills} of {KILLS}; to repeat: PYWORKERS_SEED={SEED}")
        raise
    assert load.acknowledged > KILLS
    print(f"{binding}: {KILLS} kills, {load.acknowledged} acknowledged writes")
