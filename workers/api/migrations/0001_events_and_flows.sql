-- What clients report, and the flows they define. A tenant is who an API key belongs to; `user_id` is its end user.
-- Times are milliseconds since the epoch. Statements end with ";" at the end of a line (see migrations.py).

CREATE TABLE IF NOT EXISTS events (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  event TEXT NOT NULL,
  component TEXT,
  properties TEXT NOT NULL CHECK (json_valid(properties)),
  metadata TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  user_id TEXT,
  session_id TEXT NOT NULL,
  timestamp_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS events_by_time ON events (tenant_id, timestamp_ms);

CREATE INDEX IF NOT EXISTS events_by_name ON events (tenant_id, event, timestamp_ms);

CREATE INDEX IF NOT EXISTS events_by_component ON events (tenant_id, component, timestamp_ms);

CREATE INDEX IF NOT EXISTS events_by_user ON events (tenant_id, user_id, timestamp_ms);

CREATE TABLE IF NOT EXISTS flows (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  name TEXT NOT NULL,
  steps TEXT NOT NULL CHECK (json_valid(steps)),
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
