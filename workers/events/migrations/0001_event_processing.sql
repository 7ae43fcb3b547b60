-- What the events worker makes of events. The API worker's migrations come first: `events` is theirs.
-- Times are milliseconds since the epoch. Statements end with ";" at the end of a line (see migrations.py).

-- A day (UTC) and event name in figures; they stay when the events themselves are deleted.
CREATE TABLE IF NOT EXISTS event_summaries (
  tenant_id TEXT NOT NULL,
  date TEXT NOT NULL,
  event TEXT NOT NULL,
  total_events INTEGER NOT NULL,
  unique_sessions INTEGER NOT NULL,
  unique_users INTEGER NOT NULL,
  positive INTEGER NOT NULL,
  neutral INTEGER NOT NULL,
  negative INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, date, event)
) STRICT, WITHOUT ROWID;

-- Days whose summaries are to be made again.
CREATE TABLE IF NOT EXISTS event_summary_days (
  tenant_id TEXT NOT NULL,
  date TEXT NOT NULL,
  PRIMARY KEY (tenant_id, date)
) STRICT, WITHOUT ROWID;

-- What a model has said of an event's name, so that it is asked once.
CREATE TABLE IF NOT EXISTS event_labels (
  tenant_id TEXT NOT NULL,
  event TEXT NOT NULL,
  component TEXT NOT NULL,
  intent TEXT NOT NULL,
  sentiment TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, event, component)
) STRICT, WITHOUT ROWID;

-- Messages of the queue that could not be processed. A message that names no tenant is kept under "-".
CREATE TABLE IF NOT EXISTS dead_letters (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  body TEXT NOT NULL CHECK (json_valid(body)),
  reason TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  received_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS dead_letters_by_time ON dead_letters (tenant_id, received_at_ms);
