"""A server that starts says which migrations its databases lack."""

from __future__ import annotations

from pathlib import Path

from dev_process import HELLO, MakeWorker, StartDev, run_command

DATABASE = '[[d1_databases]]\nbinding = "DB"\ndatabase_name = "data"\ndatabase_id = "1"\n'


def told(lines: list[str]) -> list[str]:
    return [line for line in lines if "not applied" in line]


def test_migrations_that_are_not_applied_are_told_with_the_command(
    make_worker: MakeWorker, start_dev: StartDev, tmp_path: Path
) -> None:
    folder = make_worker("api", HELLO, config=DATABASE)
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001_a.sql").write_text("CREATE TABLE a (id);")
    (folder / "migrations" / "0002_b.sql").write_text("CREATE TABLE b (id);")
    dev = start_dev(folder=folder)
    assert told(dev.lines) == ["api: DB: 2 migrations are not applied: pyworkers d1 migrations apply DB"]
    assert not (folder / ".pyworkers" / "state" / "d1").exists()  # to look makes nothing
    assert run_command(folder, "d1", "migrations", "apply", "DB").returncode == 0
    assert told(start_dev(folder=folder).lines) == []
    (folder / "migrations" / "0003_c.sql").write_text("CREATE TABLE c (id);")
    assert told(start_dev(folder=folder).lines) == [
        "api: DB: migration 0003_c.sql is not applied: pyworkers d1 migrations apply DB"
    ]
    assert told(start_dev("--memory", folder=folder).lines) == []
    other = tmp_path / "other"
    assert told(start_dev("--persist-to", str(other), folder=folder).lines) == [
        f"api: DB: 3 migrations are not applied: pyworkers d1 migrations apply DB --persist-to {other}"
    ]
