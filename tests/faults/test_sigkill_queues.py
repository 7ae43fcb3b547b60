"""SIGKILL at random moments of a load of messages: every message whose sending was acknowledged is consumed.

``PYWORKERS_KILLS`` says how often the server is killed (20), ``PYWORKERS_SEED`` repeats a run's choices.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from pathlib import Path
from random import Random, SystemRandom

import pytest
from stored_files import check_files
from victim import HANG_S, Victim

KILLS = int(os.environ.get("PYWORKERS_KILLS", "20"))
SEED = int(os.environ.get("PYWORKERS_SEED") or SystemRandom().randrange(10**9))
SENDERS = 4
MOST_MESSAGES = 100  # until a kill
CONFIG = """name = "queued"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[[kv_namespaces]]
binding = "SEEN"
id = "seen"
[[queues.producers]]
binding = "JOBS"
queue = "jobs"
[[queues.consumers]]
queue = "jobs"
max_batch_size = 10
max_batch_timeout = 0
max_retries = 100
"""


class Load:
    """Clients that send one message after another."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.sent = 0

    def run_until_killed(self, server: Victim, count: int) -> None:
        """Send, and kill the server once so many more messages have been acknowledged."""
        wanted = len(self.acknowledged) + count
        threads = [threading.Thread(target=self._send, args=(server, number)) for number in range(SENDERS)]
        for thread in threads:
            thread.start()
        while len(self.acknowledged) < wanted and all(thread.is_alive() for thread in threads):
            threading.Event().wait(0.001)
        server.kill()
        for thread in threads:
            thread.join(HANG_S)
            assert not thread.is_alive()

    def _send(self, server: Victim, number: int) -> None:
        connection = server.connect()
        try:
            while True:
                self.sent += 1
                name = f"{number}-{self.sent}-{time.monotonic_ns()}"
                connection.request("POST", f"/send/{name}")
                answer = connection.getresponse()
                assert answer.read() == b"sent"
                self.acknowledged.add(name)
        except (OSError, http.client.HTTPException):
            return  # the crash
        finally:
            connection.close()


def seen(server: Victim) -> set[str]:
    """Return the messages that the consumer has noted."""
    names: set[str] = set()
    cursor = ""
    while True:
        page = json.loads(server.ask("GET", f"/seen/{cursor}")[1])
        names.update(page["names"])
        if not page["cursor"]:
            return names
        cursor = page["cursor"]


@pytest.mark.slow
@pytest.mark.timeout(600 + 30 * KILLS)
def test_every_acknowledged_message_is_consumed(tmp_path: Path) -> None:
    random = Random(f"{SEED} queues")
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(Path(__file__).with_name("queue_worker.py").read_text())
    state = tmp_path / ".pyworkers" / "state"
    load = Load()
    try:
        for _ in range(KILLS):
            with Victim(tmp_path) as server:
                check_files(state)
                load.run_until_killed(server, random.randint(0, MOST_MESSAGES))
        with Victim(tmp_path) as server:
            check_files(state)
            deadline_s = time.monotonic() + HANG_S
            while load.acknowledged - (found := seen(server)) and time.monotonic() < deadline_s:
                threading.Event().wait(0.05)
            assert load.acknowledged - found == set()
            assert server.stop() == 0
    except BaseException as error:
        error.add_note(f"to repeat: PYWORKERS_SEED={SEED}")
        raise
    assert len(load.acknowledged) > KILLS
    print(f"{KILLS} kills, {len(load.acknowledged)} acknowledged messages")
