"""SIGKILL in the middle of workflows: each goes on at the next start, and repeats no step that was seen to be done.

``PYWORKERS_KILLS`` says how often the server is killed (20), ``PYWORKERS_SEED`` repeats a run's choices.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest
from stored_files import check_files
from victim import HANG_S, Victim

KILLS = int(os.environ.get("PYWORKERS_KILLS", "20"))
SEED = int(os.environ.get("PYWORKERS_SEED") or SystemRandom().randrange(10**9))
LONGEST_LOAD_S = 0.2
STEPS = 4
CONFIG = """name = "flows"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
workflows = [{ binding = "WF", name = "flow", class_name = "Flow" }]
"""


@pytest.mark.slow
@pytest.mark.timeout(600 + 30 * KILLS)
def test_workflows_go_on_after_sigkill_and_repeat_no_finished_step(tmp_path: Path) -> None:
    random = Random(f"{SEED} workflows")
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(Path(__file__).with_name("flow_worker.py").read_text())
    load = Load(tmp_path, random)
    try:
        for _ in range(KILLS):
            with Victim(tmp_path) as server:
                load.run_until_killed(server)
            check_files(tmp_path / ".pyworkers" / "state")
        with Victim(tmp_path) as server:
            load.finish(server)
            assert server.stop() == 0
    except BaseException as error:
        error.add_note(f"to repeat: PYWORKERS_SEED={SEED}")
        raise
    load.check()


class Load:
    """Instances, and what was seen of them."""

    def __init__(self, folder: Path, random: Random) -> None:
        self._lines = folder / "lines.txt"
        self._random = random
        self._instances: list[str] = []
        # What was seen to be done: instance and step -> how often the step had run by then.
        self._seen: dict[tuple[str, int], int] = {}

    def run_until_killed(self, server: Victim) -> None:
        """Create instances and look at all of them until it is time to kill."""
        end_s = time.monotonic() + self._random.uniform(0.02, LONGEST_LOAD_S)
        name = f"i{len(self._instances)}"
        assert ask(server, f"/create/{name}") == "created"
        self._instances.append(name)
        while time.monotonic() < end_s:
            for instance in self._instances[-3:]:
                self._look(server, instance)
        server.kill()

    def finish(self, server: Victim) -> None:
        """Let every instance come to its end."""
        for name in self._instances:
            assert ask(server, f"/send/{name}") == "sent"
        deadline_s = time.monotonic() + HANG_S
        waiting = list(self._instances)
        while waiting:
            assert time.monotonic() < deadline_s, waiting
            waiting = [name for name in waiting if self._look(server, name)["status"] != "complete"]
        for name in self._instances:
            assert self._look(server, name) == {"status": "complete", "done": [*range(STEPS), name]}

    def check(self) -> None:
        """Check that what was seen to be done has not run again, and that steps were seen at all."""
        runs = self._runs()
        assert {key: runs[key] for key in self._seen} == self._seen
        assert len(self._seen) == STEPS * len(self._instances)

    def _look(self, server: Victim, name: str) -> Any:
        found = json.loads(ask(server, f"/status/{name}"))
        fresh = [number for number in found["done"] if isinstance(number, int) and (name, number) not in self._seen]
        if fresh:
            runs = self._runs()
            for number in fresh:
                self._seen[name, number] = runs[name, number]
        return found

    def _runs(self) -> Counter[tuple[str, int]]:
        lines = self._lines.read_text().splitlines() if self._lines.exists() else []
        return Counter((name, int(number)) for name, number in (line.split() for line in lines))


def ask(server: Victim, path: str) -> str:
    """Return the text of an answer, which must be a good one."""
    status, text = server.ask("GET", path)
    assert status == 200, text
    return text
