-- What the events of a session say about it (written with every batch of events), and what enrichment adds to an event
-- (written by the events worker). Times are milliseconds since the epoch.

CREATE TABLE IF NOT EXISTS sessions (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT,
  flow_id TEXT,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER NOT NULL,
  completed INTEGER NOT NULL DEFAULT 0,
  current_step TEXT,
  step_at_ms INTEGER,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS sessions_by_time ON sessions (tenant_id, started_at_ms);

CREATE INDEX IF NOT EXISTS sessions_by_flow ON sessions (tenant_id, flow_id, started_at_ms);

ALTER TABLE events ADD COLUMN intent TEXT;

ALTER TABLE events ADD COLUMN sentiment TEXT;

ALTER TABLE events ADD COLUMN enriched_at_ms INTEGER;

ALTER TABLE flows ADD COLUMN ai_config TEXT CHECK (ai_config IS NULL OR json_valid(ai_config));
