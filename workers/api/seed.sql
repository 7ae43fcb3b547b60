-- The demo tenant of a machine where the application is tried: see workers/seed.py. Never for a database that others
-- can reach: its key and password are printed in the documentation. Running it again changes nothing.

INSERT OR IGNORE INTO tenants (id, name, tier, created_at_ms, updated_at_ms)
VALUES ('demo', 'Demo', 'enterprise', unixepoch() * 1000, unixepoch() * 1000);

INSERT OR IGNORE INTO users (id, tenant_id, email, password_hash, scopes, created_at_ms, updated_at_ms)
VALUES ('demo-user', 'demo', 'demo@example.com', 'pbkdf2-sha256$100000$KpdRbDVLaISM29j1SiJqCg==$bYzJgvt0b4m4j7Z0XxXCYNdaJKuxrKKpblH/AJpS/R4=',
  '["read","write","events","stream","assets","admin","operator"]', unixepoch() * 1000, unixepoch() * 1000);

-- The key is sk_test_LocalDemoKeyNotForProductionUse0.
INSERT OR IGNORE INTO api_keys (id, tenant_id, user_id, key_hash, key_prefix, name, scopes, created_at_ms)
VALUES ('demo-key', 'demo', 'demo-user', '553e9c87f5d9661187ad29c9eab7c0bd756108024c13655c0bc2425fd82b65e1',
  'sk_test_LocalDem', 'demo', '["read","write","events","stream","assets","admin","operator"]', unixepoch() * 1000);

INSERT OR IGNORE INTO flows (tenant_id, id, user_id, name, steps, created_at_ms, updated_at_ms)
VALUES ('demo', 'signup', 'demo-user', 'Sign-up',
  '[{"id":"email","component":"EmailForm","next":"profile"},{"id":"profile","component":"ProfileForm"}]',
  unixepoch() * 1000, unixepoch() * 1000);

-- A fortnight of events before the first run: 12 users, a visit a day, each a little different.
INSERT OR IGNORE INTO events (tenant_id, id, event, component, properties, user_id, session_id, timestamp_ms,
  created_at_ms)
WITH RECURSIVE
  days (day) AS (SELECT 0 UNION ALL SELECT day + 1 FROM days WHERE day < 13),
  people (person) AS (SELECT 0 UNION ALL SELECT person + 1 FROM people WHERE person < 11),
  steps (step, event, component, properties) AS (VALUES
    (0, 'screen_view', 'Home', '{"component":"Home","source":"search"}'),
    (1, 'form_field_focus', 'EmailForm', '{"component":"EmailForm","flow":"signup","step":"email"}'),
    (2, 'form_submit', 'EmailForm', '{"component":"EmailForm","flow":"signup","step":"profile"}'),
    (3, 'flow_completed', 'ProfileForm', '{"component":"ProfileForm","flow":"signup"}'))
SELECT 'demo', 'demo-' || day || '-' || person || '-' || step, event, component, properties, 'user-' || person,
  'session-' || day || '-' || person,
  unixepoch() * 1000 - day * 86400000 - person * 3000000 + step * 20000, unixepoch() * 1000
FROM days, people, steps
WHERE (day + person) % 3 < 2 AND step <= (day * 5 + person * 7) % 4
  AND NOT EXISTS (SELECT 1 FROM events WHERE tenant_id = 'demo' AND id LIKE 'demo-%');

INSERT OR IGNORE INTO sessions (tenant_id, id, user_id, flow_id, started_at_ms, ended_at_ms, completed, current_step,
  step_at_ms)
SELECT tenant_id, session_id, min(user_id), max(properties ->> 'flow'), min(timestamp_ms), max(timestamp_ms),
  max(event = 'flow_completed'), max(properties ->> 'step'), max(timestamp_ms)
FROM events WHERE tenant_id = 'demo' AND id LIKE 'demo-%' GROUP BY session_id;
