"""What the files of a state folder must be, whatever happened to the server."""

from __future__ import annotations

from pathlib import Path

import apsw


def check_files(state: Path) -> None:
    """Have SQLite check every database, and hold R2's bodies against its rows."""
    for path in state.rglob("*.sqlite"):
        database = apsw.Connection(str(path))
        try:
            database.set_busy_timeout(5_000)
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
            if path.name == "objects.sqlite":
                check_bodies(path.parent, database)
        finally:
            database.close()


def check_bodies(bucket: Path, database: apsw.Connection) -> None:
    """Every row has its whole body, and no body is without a row."""
    sizes = {file.name: file.stat().st_size for file in (bucket / "blobs").glob("??/*")}
    named = dict(database.execute("SELECT blob, size FROM objects WHERE blob IS NOT NULL").fetchall())
    named.update(database.execute("SELECT blob, size FROM parts WHERE blob IS NOT NULL").fetchall())
    assert sizes == named
    inline = "SELECT count(*) FROM objects o LEFT JOIN small_bodies b USING (key) WHERE blob IS NULL AND "
    assert database.execute(f"{inline} (b.data IS NULL OR length(b.data) <> o.size)").get == 0
