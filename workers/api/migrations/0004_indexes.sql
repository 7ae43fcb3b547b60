-- Indexes cost every event that is stored. Most events name no end user, and some no component: what leaves these out
-- costs them nothing. Of sessions nobody asks by their time or flow: all figures are computed from events.

DROP INDEX IF EXISTS events_by_user;

CREATE INDEX events_by_user ON events (tenant_id, user_id, timestamp_ms) WHERE user_id IS NOT NULL;

DROP INDEX IF EXISTS events_by_component;

CREATE INDEX events_by_component ON events (tenant_id, component, timestamp_ms) WHERE component IS NOT NULL;

DROP INDEX IF EXISTS sessions_by_time;

DROP INDEX IF EXISTS sessions_by_flow;
