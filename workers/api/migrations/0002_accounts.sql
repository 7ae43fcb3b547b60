-- Who may call: tenants (what a plan is paid for), their users, API keys and sessions of signed-in users; what they
-- have used; how often they call. Secrets are stored as hashes only.
-- Times are milliseconds since the epoch. Statements end with ";" at the end of a line (see migrations.py).

CREATE TABLE IF NOT EXISTS tenants (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  tier TEXT NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'developer', 'business', 'enterprise')),
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS users (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  email TEXT NOT NULL UNIQUE,
  password_hash TEXT,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS users_by_tenant ON users (tenant_id, created_at_ms);

CREATE TABLE IF NOT EXISTS api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  key_hash TEXT NOT NULL UNIQUE,
  key_prefix TEXT NOT NULL,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  last_used_at_ms INTEGER,
  expires_at_ms INTEGER,
  revoked_at_ms INTEGER,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS api_keys_by_prefix ON api_keys (tenant_id, key_prefix);

CREATE INDEX IF NOT EXISTS api_keys_by_time ON api_keys (tenant_id, created_at_ms);

CREATE TABLE IF NOT EXISTS auth_sessions (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  refresh_hash TEXT NOT NULL UNIQUE,
  previous_hash TEXT UNIQUE,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER
) STRICT;

CREATE INDEX IF NOT EXISTS auth_sessions_by_user ON auth_sessions (tenant_id, user_id);

-- One row a tenant and month (UTC, YYYY-MM). grant_id names the last reservation; see quotas.py.
CREATE TABLE IF NOT EXISTS usage (
  tenant_id TEXT NOT NULL,
  month TEXT NOT NULL,
  events_count INTEGER NOT NULL DEFAULT 0,
  ai_requests_count INTEGER NOT NULL DEFAULT 0,
  grant_id TEXT,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, month)
) STRICT, WITHOUT ROWID;

-- Requests in the current window of a key or an address; old rows are deleted by cron.
CREATE TABLE IF NOT EXISTS rate_limits (
  bucket TEXT NOT NULL PRIMARY KEY,
  window_start_ms INTEGER NOT NULL,
  count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS rate_limits_by_window ON rate_limits (window_start_ms);
