"""A load of writes that knows, for every key, what may be stored under it after a crash."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass, field
from random import Random

from victim import HANG_S, Victim

WRITERS = 4
KEYS_OF_A_WRITER = 24


@dataclass
class Writer:
    """One connection's writes, one after another.

    Attributes:
        possible: key → what may be there: what was acknowledged last, and what was asked for since; None is nothing.
        acknowledged: how many writes were.
    """

    number: int
    random: Random
    binding: str
    sizes: tuple[int, ...]
    possible: dict[str, list[str | None]] = field(default_factory=dict)
    acknowledged: int = 0
    version: int = 0

    def run(self, server: Victim) -> None:
        """Write until the server is gone."""
        connection = server.connect()
        try:
            while self._write(connection):
                pass
        except (OSError, http.client.HTTPException):
            return  # the crash: whether the last write happened is not known
        finally:
            connection.close()

    def _write(self, connection: http.client.HTTPConnection) -> bool:
        self.version += 1
        key = f"{self.number}-{self.random.randrange(KEYS_OF_A_WRITER)}"
        wanted = None if self.random.random() < 0.1 else self._body(key)
        self.possible.setdefault(key, [None]).append(wanted)
        in_parts = self.binding == "r2" and self.random.random() < 0.2
        path = f"/{self.binding}{'-parts' if in_parts and wanted is not None else ''}/{key}"
        connection.request("DELETE" if wanted is None else "PUT", path, wanted)
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, f"{path}: {text}"
        self.possible[key] = [wanted]
        self.acknowledged += 1
        return True

    def _body(self, key: str) -> str:
        """Return a text that tells which write it is, so that half of one, or two mixed, is none of them."""
        mark = f"{key} version {self.version:08} "
        size = self.random.randrange(*sorted(self.random.sample(self.sizes, 2)))
        return (mark * (size // len(mark) + 1))[: max(size, 40)]


class WriteLoad:
    """Several writers at once.

    Args:
        sizes: of bodies; each lies between two of them.
    """

    def __init__(self, binding: str, random: Random, sizes: tuple[int, ...]) -> None:
        self.writers = [Writer(number, Random(random.random()), binding, sizes) for number in range(WRITERS)]
        self.errors: list[BaseException] = []

    def run_until_killed(self, server: Victim, count: int) -> None:
        """Write, and kill the server once so many more writes have been acknowledged."""
        wanted = self.acknowledged + count
        threads = [threading.Thread(target=self._run, args=(writer, server)) for writer in self.writers]
        for thread in threads:
            thread.start()
        while self.acknowledged < wanted and all(thread.is_alive() for thread in threads):
            threading.Event().wait(0.001)
        server.kill()
        for thread in threads:
            thread.join(HANG_S)
            assert not thread.is_alive()
        if self.errors:
            raise self.errors[0]

    def _run(self, writer: Writer, server: Victim) -> None:
        try:
            writer.run(server)
        except BaseException as error:
            self.errors.append(error)

    @property
    def acknowledged(self) -> int:
        return sum(writer.acknowledged for writer in self.writers)

    def check(self, server: Victim) -> None:
        """Compare what is stored with what may be, and take it for what is."""
        connection = server.connect()
        try:
            for writer in self.writers:
                for key, possible in writer.possible.items():
                    connection.request("GET", f"/{writer.binding}/{key}")
                    answer = connection.getresponse()
                    text = answer.read().decode()
                    assert answer.status in (200, 404), f"{key}: {text}"
                    found = None if answer.status == 404 else text
                    assert found in possible, _shown(key, found, possible)
                    writer.possible[key] = [found]
        finally:
            connection.close()


def _shown(key: str, found: str | None, possible: list[str | None]) -> str:
    wanted = [None if text is None else f"{text[:40]}… of {len(text)}" for text in possible]
    return f"{key} is {None if found is None else f'{found[:40]}… of {len(found)}'}, not one of {wanted}"
