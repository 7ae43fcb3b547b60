-- What tenants define and ask for: funnels, cohorts, conversions, reports; and when their results changed.
-- The API worker's migrations come first: `events` is theirs.
-- Times are milliseconds since the epoch. Statements end with ";" at the end of a line (see migrations.py).

CREATE TABLE IF NOT EXISTS funnels (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT,
  name TEXT NOT NULL,
  description TEXT,
  steps TEXT NOT NULL CHECK (json_valid(steps)),
  flow_id TEXT,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS cohorts (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT,
  name TEXT NOT NULL,
  description TEXT,
  criteria TEXT NOT NULL CHECK (json_valid(criteria)),
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS conversions (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT,
  session_id TEXT NOT NULL,
  event TEXT NOT NULL,
  value REAL,
  metadata TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  timestamp_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS conversions_by_time ON conversions (tenant_id, timestamp_ms);

CREATE TABLE IF NOT EXISTS reports (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  format TEXT NOT NULL CHECK (format IN ('csv', 'json')),
  arguments TEXT NOT NULL CHECK (json_valid(arguments)),
  size_bytes INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS reports_by_time ON reports (tenant_id, created_at_ms);

-- Cached results bear the version under which they were computed: this one, raised with every conversion and by
-- `invalidate`, and the grant that stands in `usage` since the last change of the tenant's events.
CREATE TABLE IF NOT EXISTS analytics_versions (
  tenant_id TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
