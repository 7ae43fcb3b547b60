-- What else is known of a generation: whether it came from the cache, which model failed before the one that answered,
-- why it ended, and the request it belongs to.

ALTER TABLE ai_usage ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;

ALTER TABLE ai_usage ADD COLUMN fallback_from TEXT;

ALTER TABLE ai_usage ADD COLUMN finish_reason TEXT;

ALTER TABLE ai_usage ADD COLUMN request_id TEXT;
