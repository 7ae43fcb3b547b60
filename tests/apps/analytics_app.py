"""The database of the application with events in it, for tests of the analytics and events workers."""

import json
import shutil
from pathlib import Path

from inference_ui_api.migrations import APPLIED, split_statements

ROOT = Path(__file__).parents[2]
WORKERS = ROOT / "workers"

_INSERT = """INSERT INTO events (tenant_id, id, event, component, properties, user_id, session_id, timestamp_ms,
  created_at_ms)
SELECT ?1, value ->> 'id', value ->> 'event', value ->> 'component', coalesce(value -> 'properties', '{}'),
  value ->> 'user', value ->> 'session', value ->> 't', 0 FROM json_each(?2)"""


def configs(tmp_path, *names):
    """The wrangler files of some of the workers, in a project of their own."""
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    (project / "pyproject.toml").write_text('[tool.pyworkers]\nworkers = ["workers/*"]\n', encoding="utf-8")
    if not (project / "workers").exists():
        (project / "workers").symlink_to(WORKERS)
        shutil.copy(ROOT / "wrangler.toml", project)
    return [project / "workers" / name / "wrangler.toml" for name in names]


async def make_tables(db, *workers):
    """Apply the migrations of workers that have not been, in this order, as the deployment does."""
    _, applied = await db.batch([db.prepare(APPLIED), db.prepare("SELECT name FROM d1_migrations")])
    names = {row["name"] for row in applied["results"]}
    for worker in workers:
        for file in sorted((WORKERS / worker / "migrations").glob("*.sql")):
            if file.name not in names:
                note = db.prepare("INSERT INTO d1_migrations (name) VALUES (?1)").bind(file.name)
                statements = [db.prepare(sql) for sql in split_statements(file.read_text(encoding="utf-8"))]
                await db.batch([note, *statements])


async def add_events(db, tenant, events):
    """Store events: `{"event", "t"}`, and `user`, `session`, `component`, `properties`, `id`."""
    rows = [{"id": f"e{place}", "session": f"of-{event.get('user')}", **event} for place, event in enumerate(events)]
    await db.prepare(_INSERT).bind(tenant, json.dumps(rows)).run()


async def add_conversions(db, tenant, conversions):
    """Store conversions: `{"id", "t"}`, and `user`, `session`, `value`."""
    sql = """INSERT INTO conversions (tenant_id, id, user_id, session_id, event, value, timestamp_ms)
SELECT ?1, value ->> 'id', value ->> 'user', coalesce(value ->> 'session', 'of-' || (value ->> 'user')), 'bought',
  value ->> 'value', value ->> 't' FROM json_each(?2)"""
    await db.prepare(sql).bind(tenant, json.dumps(conversions)).run()
