-- One row for every generation, whether it ended, failed or was given up by the client.
-- Times are milliseconds since the epoch. Statements end with ";" at the end of a line (see migrations.py).

CREATE TABLE IF NOT EXISTS ai_usage (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  endpoint TEXT NOT NULL CHECK (endpoint IN ('chat', 'completion', 'object')),
  model TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'cancelled', 'error')),
  error TEXT,
  prompt_tokens INTEGER,
  completion_tokens INTEGER NOT NULL,
  first_token_ms INTEGER,
  duration_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS ai_usage_by_tenant_and_time ON ai_usage (tenant_id, created_at_ms);
